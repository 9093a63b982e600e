"""What a database refuses for what it is becomes a dead letter; everything else is written."""

from collections.abc import Sequence

import pytest

from repoint.domain.document import Entry
from repoint.domain.errors import RowsRefusedError
from repoint.domain.ids import DocumentId
from repoint.operations.sync import Limits, SyncReport, apply_now, sync
from repoint.ports.backend import Collection, SpaceMatrix
from repoint.testing.faults import Fuse, FusedCollection
from repoint.testing.workbench import INDEX, WORKER, Workbench


class Choosy(FusedCollection):
    """Takes no chunk with the word, and no document of which even the id is too much."""

    WORD, ID = "unmappable", "too-long"

    def __init__(self, collection: Collection, *, names: bool) -> None:
        super().__init__(collection, Fuse(1_000_000, after=False))
        self._names = names
        self.word = self.WORD
        self.puts = 0

    def put(self, entries: Sequence[Entry], vectors: SpaceMatrix) -> None:
        self.puts += 1
        refused: dict[str, str] = {
            one.document: f"no place for {one.document}"
            for one in entries
            if one.document == self.ID or any(self.word in chunk.text for chunk in one.chunks)
        }
        if refused:
            named = refused if self._names else {}
            raise RowsRefusedError(driver="choosy", why="no place for it", reasons=named)
        super().put(entries, vectors)


def bring(bench: Workbench, choosy: Choosy) -> SyncReport:
    space = bench.space(collection=choosy)
    limits = Limits(hands=1, range_rows=64)
    return sync(bench.store, space, owner=WORKER, clock=bench.clock, limits=limits)


def letters(bench: Workbench) -> dict[str, tuple[str, str, int]]:
    with bench.store.read() as view:
        found = view.dead_letters.all(INDEX, bench.release.name)
    return {one.document: (one.code, one.reason, one.attempts) for one in found}


@pytest.mark.parametrize("names", [True, False])
def test_refused_documents_become_dead_letters_and_the_rest_is_written(
    bench: Workbench, *, names: bool
) -> None:
    choosy = Choosy(bench.collection(), names=names)
    texts = {f"d{n}": f"words {n}" for n in range(60)}
    bad = {"d7": "some unmappable words", "d31": "unmappable", Choosy.ID: "words"}
    bench.write({**texts, **bad})
    report = bring(bench, choosy)
    assert report.complete
    assert report.dead_letters == 3
    assert sorted(bench.texts()) == sorted(texts.keys() - {"d7", "d31"})
    assert bench.differences() == []
    found = letters(bench)
    why = "no place for d7" if names else "no place for it"
    assert found["d7"] == ("rows-refused", f"choosy refuses document 'd7': {why}", 1)
    assert found.keys() == {"d7", "d31", Choosy.ID}
    assert choosy.puts < 60


def test_an_edit_that_is_refused_is_not_served_in_its_older_version(bench: Workbench) -> None:
    choosy = Choosy(bench.collection(), names=True)
    bench.write({"d": "words"})
    bring(bench, choosy)
    bench.write({"d": "unmappable"})
    bring(bench, choosy)
    assert bench.texts() == {}
    bench.write({"d": "words again"})
    bring(bench, choosy)
    assert bench.differences() == []
    assert letters(bench) == {}


def test_a_delete_that_cannot_be_written_is_an_error_only_where_something_stands(
    bench: Workbench,
) -> None:
    choosy = Choosy(bench.collection(), names=False)
    bench.write({Choosy.ID: "words", "d": "words"})
    bring(bench, choosy)
    bench.write({Choosy.ID: None})
    assert bring(bench, choosy).complete
    assert letters(bench) == {}

    bench.write({Choosy.ID: "words"})
    sync(bench.store, bench.space(), owner=WORKER, clock=bench.clock)
    bench.write({Choosy.ID: None})
    with pytest.raises(RowsRefusedError):
        bring(bench, choosy)
    assert bench.watermark() < bench.head()


def test_what_was_refused_is_taken_by_a_retry_once_the_database_takes_it(
    bench: Workbench,
) -> None:
    choosy = Choosy(bench.collection(), names=False)
    bench.write({"good": "words", "bad": "unmappable"})
    bring(bench, choosy)
    ids = [DocumentId("bad"), DocumentId("good")]
    space = bench.space(collection=choosy)
    again = apply_now(bench.store, space, ids, clock=bench.clock)
    assert (again.written, again.refused) == (1, 1)
    assert letters(bench)["bad"][2] == 2
    choosy.word = "nothing of the kind"
    again = apply_now(bench.store, space, ids, clock=bench.clock)
    assert (again.written, again.refused) == (2, 0)
    assert letters(bench) == {}
    assert bench.differences() == []
