"""The one module of sync that owns threads.

A crew does the same work in several threads: while one waits for the model, another
prepares its texts and a third writes. Every thread has ended when ``run`` returns, and
the first error of any of them is the one raised.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def run(hands: int, work: Callable[[], None], *, halt: Callable[[], None]) -> None:
    """Do the work in this thread and in ``hands - 1`` others until all have ended.

    ``halt`` is called once one of them fails, or this thread is interrupted: it must make
    the others end soon.
    """
    first: list[BaseException] = []
    lock = threading.Lock()

    def guarded() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again below, in the caller's thread
            with lock:
                first.append(error)
            halt()

    others = [
        threading.Thread(target=guarded, name=f"repoint-sync-{number}", daemon=True)
        for number in range(1, hands)
    ]
    for thread in others:
        thread.start()
    guarded()
    _join(others, halt)
    if first:
        raise first[0]


@contextmanager
def repeated(action: Callable[[], None], *, every: float) -> Iterator[None]:
    """Repeat the action in a thread of its own while the block runs.

    An error that the action raises ends the repeating, and is raised when the block has
    ended without one of its own.
    """
    ended = threading.Event()
    failed: list[BaseException] = []

    def again() -> None:
        try:
            while not ended.wait(every):
                action()
        except BaseException as error:  # noqa: BLE001 - raised again below, in the caller's thread
            failed.append(error)

    thread = threading.Thread(target=again, name="repoint-sync-keeper", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    if failed:
        raise failed[0]


def _join(threads: list[threading.Thread], halt: Callable[[], None]) -> None:
    try:
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:
        halt()
        for thread in threads:
            thread.join()
        raise
