"""Threads always end, and the first error of any of them is the one raised."""

import threading

import pytest

from repoint.operations.sync import crew

#: Only broken threads get near it.
ENOUGH = 60.0


class OtherError(Exception):
    """Not the one that should surface."""


class FirstError(Exception):
    """The one that should."""


def test_every_hand_does_the_work() -> None:
    seen: set[str] = set()
    together = threading.Barrier(4)

    def work() -> None:
        together.wait(ENOUGH)
        seen.add(threading.current_thread().name)

    crew.run(4, work, halt=lambda: None)
    assert len(seen) == 4


def test_the_first_error_is_raised_after_all_have_ended() -> None:
    halted, ended = threading.Event(), []
    turn = threading.Lock()

    def work() -> None:
        with turn:
            if not halted.is_set():
                raise FirstError
        halted.wait(ENOUGH)
        ended.append(True)
        raise OtherError

    before = set(threading.enumerate())
    with pytest.raises(FirstError):
        crew.run(3, work, halt=halted.set)
    assert len(ended) == 2
    assert not set(threading.enumerate()) - before


def test_an_interruption_of_the_caller_halts_the_others() -> None:
    caller, halted = threading.current_thread(), threading.Event()

    def work() -> None:
        if threading.current_thread() is caller:
            raise KeyboardInterrupt
        assert halted.wait(ENOUGH)

    with pytest.raises(KeyboardInterrupt):
        crew.run(3, work, halt=halted.set)


def test_what_is_repeated_ends_with_the_block() -> None:
    repeated = threading.Event()
    before = set(threading.enumerate())
    with crew.repeated(repeated.set, every=0.001):
        assert repeated.wait(ENOUGH)
    assert not set(threading.enumerate()) - before


def test_an_error_of_what_is_repeated_is_raised_at_the_end() -> None:
    failed = threading.Event()

    def fail() -> None:
        failed.set()
        raise FirstError

    def block() -> None:
        with crew.repeated(fail, every=0.001):
            assert failed.wait(ENOUGH)

    with pytest.raises(FirstError):
        block()


def test_an_error_of_the_block_comes_before_one_of_what_is_repeated() -> None:
    failed = threading.Event()

    def fail() -> None:
        failed.set()
        raise OtherError

    def block() -> None:
        with crew.repeated(fail, every=0.001):
            assert failed.wait(ENOUGH)
            raise FirstError

    with pytest.raises(FirstError):
        block()
