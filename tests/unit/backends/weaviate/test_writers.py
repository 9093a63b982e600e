"""Writers of one document take turns; those of different documents go on side by side."""

import threading

import pytest

from repoint.backends.weaviate.writers import Writers, writers_of
from repoint.domain.ids import DocumentId

ONE, TWO = DocumentId("one"), DocumentId("two")


#: Seconds that only broken turns let pass.
ENOUGH = 60


class Watched(threading.Condition):
    """Tells that somebody waits on it, and is about to let the lock go for that."""

    def __init__(self) -> None:
        super().__init__()
        self.waited = threading.Semaphore(0)

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.release()
        return super().wait(timeout)


def watched() -> tuple[Writers, threading.Semaphore]:
    """Return writers, and what is released whenever one of them waits for its turn."""
    writers, changed = Writers(), Watched()
    writers._changed = changed  # noqa: SLF001 - to see who waits
    return writers, changed.waited


def begun(writers: Writers, *documents: DocumentId, alone: bool = False) -> threading.Event:
    """Begin to write in a thread; the event is set once its turn has come."""
    entered = threading.Event()

    def write() -> None:
        with writers.alone() if alone else writers.of(documents):
            entered.set()

    threading.Thread(target=write, daemon=True).start()
    return entered


def test_only_writers_of_the_same_document_wait_for_each_other() -> None:
    writers, waits = watched()
    with writers.of([ONE]):
        assert begun(writers, TWO).wait(ENOUGH)
        late = begun(writers, ONE, TWO)
        assert waits.acquire(timeout=ENOUGH)
        assert not late.is_set()
    assert late.wait(ENOUGH)


def test_who_writes_alone_waits_for_all_and_lets_nobody_begin() -> None:
    writers, waits = watched()
    with writers.of([ONE]):
        alone = begun(writers, alone=True)
        assert waits.acquire(timeout=ENOUGH)
        after = begun(writers, TWO)
        assert waits.acquire(timeout=ENOUGH)
        assert not alone.is_set()
        assert not after.is_set()
    assert alone.wait(ENOUGH)
    assert after.wait(ENOUGH)


def test_a_failed_write_gives_its_turn_back_and_a_class_has_one_set_of_writers() -> None:
    writers = writers_of("host:1/docs/")
    assert writers_of("host:1/docs/") is writers
    empty: dict[str, str] = {}
    with pytest.raises(KeyError), writers.of([ONE]):
        assert empty["no"] == ""
    assert begun(writers, ONE).wait(ENOUGH)
