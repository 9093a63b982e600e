"""Writers of one document take turns; those of different documents go on side by side."""

import threading

import pytest

from repoint.backends.weaviate.writers import Writers, writers_of
from repoint.domain.ids import DocumentId

ONE, TWO = DocumentId("one"), DocumentId("two")


def blocked(writers: Writers, *documents: DocumentId, alone: bool = False) -> threading.Event:
    """Begin to write in a thread; the event is set once its turn has come."""
    entered = threading.Event()

    def write() -> None:
        with writers.alone() if alone else writers.of(documents):
            entered.set()

    threading.Thread(target=write, daemon=True).start()
    return entered


def test_only_writers_of_the_same_document_wait_for_each_other() -> None:
    writers = Writers()
    with writers.of([ONE]):
        assert blocked(writers, TWO).wait(5)
        late = blocked(writers, ONE, TWO)
        assert not late.wait(0.05)
    assert late.wait(5)


def test_who_writes_alone_waits_for_all_and_lets_nobody_begin() -> None:
    writers = Writers()
    with writers.of([ONE]):
        alone = blocked(writers, alone=True)
        assert not alone.wait(0.05)
        after = blocked(writers, TWO)
        assert not after.wait(0.05)
    assert alone.wait(5)
    assert after.wait(5)


def test_a_failed_write_gives_its_turn_back_and_a_class_has_one_set_of_writers() -> None:
    writers = writers_of("host:1/docs/")
    assert writers_of("host:1/docs/") is writers
    empty: dict[str, str] = {}
    with pytest.raises(KeyError), writers.of([ONE]):
        assert empty["no"] == ""
    assert blocked(writers, ONE).wait(5)
