"""Chosen documents are made right at once, beside any sync; deletes go before edits."""

import numpy as np
import pytest

from repoint.domain.document import Chunk, Entry
from repoint.domain.errors import UnavailableError
from repoint.domain.ids import DocumentId, Lsn
from repoint.operations.sync import Limits, apply_deletes_first, apply_now, sync
from repoint.ports.backend import SpaceMatrix
from repoint.testing.workbench import DIMENSIONS, INDEX, RELEASE, WORKER, Workbench

LIMITS = Limits(range_rows=4, ranges=3, slab_texts=6, hands=1)
LONG = "one two three four five six seven eight nine ten eleven twelve"


@pytest.fixture
def synced(bench: Workbench) -> Workbench:
    bench.write({"a": LONG, "b": "short", "c": "poison", "gone": LONG})
    bench.write({"gone": None})
    bring(bench)
    return bench


def bring(bench: Workbench) -> None:
    sync(bench.store, bench.space(), owner=WORKER, clock=bench.clock, limits=LIMITS)


def ids(*names: str) -> list[DocumentId]:
    return [DocumentId(name) for name in names]


def tamper(bench: Workbench, name: str, *, lsn: int, slots: int = 1) -> None:
    """Write something that the log never said."""
    chunks = [Chunk.of(f"forged {slot}", start=0, end=8) for slot in range(slots)]
    entry = Entry(document=DocumentId(name), lsn=Lsn(lsn), chunks=chunks, slots=slots)
    vectors = np.ones((slots, DIMENSIONS), dtype=np.float32)
    bench.collection().put([entry], SpaceMatrix(bench.release.fingerprint, vectors))


@pytest.mark.parametrize("lsn", [3, 1_000])
@pytest.mark.parametrize("slots", [1, 9])
@pytest.mark.parametrize("name", ["a", "b", "gone", "stranger"])
def test_a_repair_brings_back_what_the_log_says(
    synced: Workbench, name: str, lsn: int, slots: int
) -> None:
    tamper(synced, name, lsn=lsn, slots=slots)
    apply_now(synced.store, synced.space(), ids(name), clock=synced.clock)
    assert synced.differences() == []


def test_a_repair_brings_back_a_document_that_is_missing(synced: Workbench) -> None:
    synced.collection().purge(ids("a", "b"))
    report = apply_now(synced.store, synced.space(), ids("a", "b"), clock=synced.clock)
    assert report.written == 2
    assert synced.differences() == []


def test_a_repair_embeds_afresh_even_where_the_text_is_right(synced: Workbench) -> None:
    before = len(synced.embedder.embedded)
    apply_now(synced.store, synced.space(), ids("b"), clock=synced.clock)
    assert synced.embedder.embedded[before:] == ["short"]


def test_a_dead_letter_that_succeeds_now_is_cleared(synced: Workbench) -> None:
    synced.embedder.refuses = ""
    report = apply_now(synced.store, synced.space(), ids("c"), clock=synced.clock)
    assert report.written == 1
    assert letters(synced) == {}
    assert "c" in synced.texts()
    assert synced.differences() == []


def test_a_dead_letter_that_fails_again_counts_its_attempts(synced: Workbench) -> None:
    report = apply_now(synced.store, synced.space(), ids("c"), clock=synced.clock)
    assert report.refused == 1
    assert letters(synced) == {"c": 2}


def test_a_document_above_the_watermark_is_left_to_sync(synced: Workbench) -> None:
    synced.write({"b": "newer", "new": "words"})
    report = apply_now(synced.store, synced.space(), ids("b", "new"), clock=synced.clock)
    assert sorted(report.left) == ["b", "new"]
    bring(synced)
    assert synced.differences() == []


def test_a_repair_while_the_model_is_away_changes_no_letter(synced: Workbench) -> None:
    synced.embedder.fails = [UnavailableError("away")]
    with pytest.raises(UnavailableError):
        apply_now(synced.store, synced.space(), ids("b", "c"), clock=synced.clock)
    assert letters(synced) == {"c": 1}


def test_nothing_to_apply_is_no_error(synced: Workbench) -> None:
    report = apply_now(synced.store, synced.space(), [], clock=synced.clock)
    assert (report.written, report.emptied, report.left) == (0, 0, ())
    apply_now(synced.store, synced.space(), ids("nobody"), clock=synced.clock)
    assert synced.differences() == []


def test_pending_deletes_are_applied_before_pending_edits(synced: Workbench) -> None:
    before = synced.watermark()
    synced.write({"b": "edited", "a": None, "new": "fresh"})
    report = apply_deletes_first(synced.store, synced.space())
    assert (report.written, report.settled) == (1, True)
    assert sorted(synced.texts()) == ["b"]
    assert synced.watermark() == before
    bring(synced)
    assert synced.differences() == []


def test_applying_pending_deletes_embeds_nothing(synced: Workbench) -> None:
    before = len(synced.embedder.embedded)
    synced.write({"a": None, "b": "edited"})
    apply_deletes_first(synced.store, synced.space())
    assert len(synced.embedder.embedded) == before


def test_applying_pending_deletes_twice_changes_nothing(synced: Workbench) -> None:
    synced.write({"a": None})
    first = apply_deletes_first(synced.store, synced.space())
    texts = synced.texts()
    assert apply_deletes_first(synced.store, synced.space()) == first
    assert synced.texts() == texts


def letters(bench: Workbench) -> dict[str, int]:
    with bench.store.read() as view:
        return {one.document: one.attempts for one in view.dead_letters.all(INDEX, RELEASE)}
