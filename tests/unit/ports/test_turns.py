from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from repoint.domain.ids import DocumentId
from repoint.ports.turns import Turns, turns_at

A, B, C = (DocumentId(name) for name in "abc")


def test_writers_of_one_document_take_turns() -> None:
    turns, entered = Turns(), Event()

    def second() -> None:
        with turns.of([B, C]):
            entered.set()

    with ThreadPoolExecutor(1) as pool:
        with turns.of([A, B]):
            waiting = pool.submit(second)
            assert not entered.wait(0.05)
        waiting.result(timeout=60)
    assert entered.is_set()


def test_writers_of_different_documents_do_not_wait() -> None:
    turns = Turns()
    with turns.of([A]), turns.of([B]), turns.of([]):
        pass


def test_a_writer_that_fails_lets_the_next_one_in() -> None:
    turns = Turns()
    with pytest.raises(RuntimeError), turns.of([A]):
        raise RuntimeError
    with turns.of([A]):
        pass


def test_a_place_has_its_turns_whoever_asks() -> None:
    assert turns_at(("here", "docs")) is turns_at(("here", "docs"))
    assert turns_at(("here", "docs")) is not turns_at(("there", "docs"))
