"""The promises of a collection's writes: what stands, and what can never come back."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import numpy as np
import pytest

from repoint.domain.document import Chunk
from repoint.domain.errors import (
    DimensionsError,
    MixedSpacesError,
    RowsRefusedError,
    UnsupportedError,
)
from repoint.domain.ids import DocumentId, Lsn
from repoint.domain.spec import Distance
from repoint.ports.backend import Collection, FloatMatrix, Forgetting, SpaceMatrix, StoredBatch
from repoint.testing.collections import (
    NAME,
    OTHER_SPACE,
    SPACE,
    Place,
    RawRow,
    Version,
    contents,
    places,
    put,
    query,
    spec,
    standing,
)
from repoint.testing.conformance import Suite

X, Y, Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)

#: One document's life: long, shorter, gone, back. Every version empties what an older
#: one may have written.
LIFE = (
    Version(document="d", lsn=1, vectors=[X, Y, Z], slots=3),
    Version(document="d", lsn=2, vectors=[Y], slots=3),
    Version(document="d", lsn=3, slots=3),
    Version(document="d", lsn=4, vectors=[Z, X], slots=3),
)


class CollectionCase(Suite):
    """An empty collection of three dimensions, compared by cosine."""

    @pytest.fixture
    def place(self) -> Place:
        """Where the backend under test keeps its collections."""
        raise NotImplementedError("give the class a fixture: place")

    @pytest.fixture
    def collection(self, place: Place) -> Collection:
        """An empty collection."""
        return place.opened().create(spec())


class WritesSuite(CollectionCase):
    """What ``put``, ``purge``, ``stored``, ``scan`` and ``counts`` promise."""

    def test_what_was_put_is_found_at_once(self, collection: Collection) -> None:
        """[read-your-writes]."""
        put(
            collection, Version(document="d", lsn=7, vectors=[X, Y], texts=["über", "b\x00'\""])
        )
        (first, second) = collection.search(query(2, 1, 0), limit=5)
        assert (first.document, first.slot, first.lsn) == ("d", 0, 7)
        assert (first.text, first.start, first.end) == ("über", 0, 4)
        assert (second.slot, second.text) == (1, "b\x00'\"")

    def test_a_newer_version_replaces_an_older_one(self, collection: Collection) -> None:
        """[newest-lsn-wins]: text, vector and metadata all change."""
        put(collection, Version(document="d", lsn=1, vectors=[X], metadata={"a": 1, "b": "x"}))
        put(collection, Version(document="d", lsn=2, vectors=[Y], metadata={"b": "y"}))
        (hit,) = collection.search(query(*Y), limit=5)
        assert hit.lsn == 2
        assert hit.score == pytest.approx(1.0)
        assert dict(hit.metadata) == {"b": "y"}

    def test_an_older_version_never_replaces_a_newer_one(self, collection: Collection) -> None:
        """[newest-lsn-wins]."""
        put(collection, Version(document="d", lsn=5, vectors=[Y]))
        put(collection, Version(document="d", lsn=4, vectors=[X]))
        (hit,) = collection.search(query(*X), limit=5)
        assert hit.lsn == 5

    def test_a_delete_never_comes_back(self, collection: Collection) -> None:
        """[emptied-slots-guard]: an older version written late finds its place guarded."""
        put(collection, LIFE[2])
        put(collection, LIFE[0])
        assert collection.search(query(*X), limit=5) == []
        assert contents(collection) == {}
        assert standing(collection, "d") == {}
        counts = collection.counts()
        assert (counts.documents, counts.chunks, counts.emptied) == (0, 0, 3)

    def test_a_longer_older_version_leaves_no_chunk_behind(
        self, collection: Collection
    ) -> None:
        """[emptied-slots-guard]: also where the newer version has fewer chunks."""
        put(collection, LIFE[1])
        put(collection, LIFE[0])
        assert contents(collection) == {("d", 0): 2}
        assert places(collection.search(query(1, 1, 1), limit=5)) == [("d", 0)]

    def test_a_row_that_is_refused_keeps_no_other_from_being_taken(
        self, collection: Collection
    ) -> None:
        """[refuses-rows]: half a surrogate pair, which few databases hold."""
        good = Version(document="good", lsn=1, vectors=[X])
        bad = Version(document="bad", lsn=2, vectors=[Y], metadata={"a": "\ud800"})
        refused: list[RowsRefusedError] = []
        try:
            put(collection, good, bad)
        except RowsRefusedError as error:
            refused.append(error)
            put(collection, good)
        assert all(error.reasons.keys() <= {"bad"} for error in refused)
        assert contents(collection)["good", 0] == 1

    def test_writing_again_changes_nothing(self, collection: Collection) -> None:
        """[idempotent]."""
        for _ in range(3):
            put(collection, LIFE[3], Version(document="e", lsn=9, slots=2))
        assert contents(collection) == {("d", 0): 4, ("d", 1): 4}
        counts = collection.counts()
        assert (counts.documents, counts.chunks, counts.emptied) == (1, 2, 3)

    def test_versions_may_arrive_in_any_order(self, place: Place) -> None:
        """[any-order]: the newest stands at the end of each."""
        backend = place.opened()
        for order in itertools.permutations(LIFE):
            collection = backend.create(spec())
            for version in order:
                put(collection, version)
            assert contents(collection) == {("d", 0): 4, ("d", 1): 4}
            backend.drop(NAME)

    def test_a_document_without_chunks_or_slots_is_no_error(
        self, collection: Collection
    ) -> None:
        """A blank document that was never longer takes one emptied place."""
        put(collection)
        put(collection, Version(document="d", lsn=1))
        assert contents(collection) == {}

    def test_vectors_of_another_space_are_not_written(self, collection: Collection) -> None:
        """[one-space], INV-1."""
        entry = Version(document="d", lsn=1, vectors=[X]).entry()
        with pytest.raises(MixedSpacesError):
            collection.put([entry], SpaceMatrix(OTHER_SPACE, np.ones((1, 3), np.float32)))
        assert contents(collection) == {}

    def test_vectors_of_another_length_are_not_written(self, collection: Collection) -> None:
        """A model that changed its dimensions is stopped here at the latest."""
        entry = Version(document="d", lsn=1, vectors=[X]).entry()
        with pytest.raises(DimensionsError):
            collection.put([entry], SpaceMatrix(SPACE, np.ones((1, 4), np.float32)))
        assert contents(collection) == {}

    @pytest.mark.parametrize(
        "ids",
        [
            ("a", "a:0", "0:a", "a\x00", "a|0"),
            ("it's", '"', "`", "%", "_", "\\", "\\'"),
            ("\u00e9", "e\u0301", "日本", " ", ""),
        ],
    )
    def test_any_text_can_be_an_id(self, collection: Collection, ids: Sequence[str]) -> None:
        """No two ids meet in one place."""
        put(collection, *(Version(document=d, lsn=n, vectors=[X]) for n, d in enumerate(ids)))
        everything = {(document, 0): lsn for lsn, document in enumerate(ids)}
        assert contents(collection) == everything
        assert standing(collection, *ids) == everything
        collection.purge([DocumentId(ids[1])])
        del everything[ids[1], 0]
        assert contents(collection) == everything

    def test_stored_says_what_stands_for_documents(self, collection: Collection) -> None:
        """Unknown and emptied ones have no rows; digests and vectors as they were given."""
        put(collection, LIFE[3], Version(document="e", lsn=5, vectors=[Y]))
        put(collection, Version(document="gone", lsn=6, slots=2))
        batch = collection.stored(
            [DocumentId(d) for d in ("d", "gone", "new")], with_vectors=True
        )
        assert list(batch.documents) == ["d", "d"]
        assert batch.vectors is not None
        rows = dict(zip(batch.slots.tolist(), batch.vectors.tolist(), strict=True))
        assert rows == {0: list(Z), 1: list(X)}
        digests = dict(zip(batch.slots.tolist(), batch.digests, strict=True))
        assert digests[1] == Chunk.of("d 1", start=0, end=3).digest
        assert collection.stored([DocumentId("d")]).vectors is None
        assert len(collection.stored([]).documents) == 0

    @pytest.mark.parametrize("distance", Distance)
    def test_vectors_come_back_as_they_were_given(
        self, place: Place, distance: Distance
    ) -> None:
        """Also those of another length than 1, whatever the database makes of them inside."""
        backend = place.opened()
        if distance not in backend.capabilities.distances:
            with pytest.raises(UnsupportedError):
                backend.create(spec(distance=distance))
            return
        collection = backend.create(spec(distance=distance))
        put(collection, Version(document="d", lsn=1, vectors=[[3, 0, 4], [0.5, 0, 0]]))
        stored = _vectors(collection.stored([DocumentId("d")], with_vectors=True))
        assert stored.ravel().tolist() == pytest.approx([3, 0, 4, 0.5, 0, 0], rel=1e-6)
        (batch,) = collection.scan(with_vectors=True)
        assert sorted(np.linalg.norm(_vectors(batch), axis=1)) == pytest.approx([0.5, 5])

    def test_a_scan_yields_every_chunk_once_in_bounded_batches(
        self, collection: Collection
    ) -> None:
        """[snapshot] of a few thousand chunks."""
        put(collection, *(_numbered(n, slots=2) for n in range(2500)))
        batches = list(collection.scan(with_vectors=True))
        assert max(len(batch.documents) for batch in batches) <= 2048
        for batch in batches:
            assert batch.vectors is not None
            assert batch.vectors.shape == (len(batch.documents), 3)
        assert contents(collection) == {(f"n{n}", 0): n + 1 for n in range(2500)}

    def test_a_scan_shows_the_moment_of_its_call(
        self, place: Place, collection: Collection
    ) -> None:
        """[snapshot]: what is written while it runs is not in it, unless that is declared."""
        put(collection, *(_numbered(n) for n in range(2500)))
        scan = collection.scan()
        put(collection, Version(document="n0", lsn=9000, slots=1), _numbered(9999))
        found = {d: int(n) for b in scan for d, n in zip(b.documents, b.lsns, strict=True)}
        stood = {DocumentId(f"n{n}"): n + 1 for n in range(2500)}
        if not place.opened().capabilities.snapshots:  # only what nobody touched is promised
            for touched in (DocumentId("n0"), DocumentId("n9999")):
                found.pop(touched, None)
                stood.pop(touched, None)
        assert found == stood

    def test_purged_documents_and_guards_are_gone(self, collection: Collection) -> None:
        """``purge`` is unconditional: afterwards an older version may be written again."""
        put(collection, LIFE[2], Version(document="e", lsn=8, slots=1), _numbered(1))
        collection.purge(emptied_below=Lsn(8))
        assert collection.counts().emptied == 1
        collection.purge([DocumentId("e"), DocumentId("n1"), DocumentId("never was")])
        counts = collection.counts()
        assert (counts.documents, counts.chunks, counts.emptied) == (0, 0, 0)
        put(collection, LIFE[0])
        assert len(contents(collection)) == 3

    def test_optimising_changes_no_answer(self, collection: Collection) -> None:
        """[optimising-changes-nothing]: nor what stands, nor what is guarded."""
        put(collection, *(_numbered(n) for n in range(300)))
        put(collection, LIFE[2])
        before = collection.search(query(3, 2, 1), limit=20)
        collection.optimise()
        collection.optimise()
        assert collection.search(query(3, 2, 1), limit=20) == before
        put(collection, LIFE[0])
        assert len(contents(collection)) == 300
        assert collection.counts().emptied == 3

    def test_forgetting_changes_no_answer(self, place: Place) -> None:
        """[forgetting], where it is declared: nor what stands, nor what is guarded."""
        backend = place.opened()
        if not backend.capabilities.forgets:
            pytest.skip("it rewrites its files in its own time, and says so")
        collection = backend.create(spec())
        put(collection, *(_numbered(n) for n in range(300)))
        put(collection, LIFE[2], Version(document="n7", lsn=900, slots=1))
        collection.purge([DocumentId("n8")])
        before = collection.search(query(3, 2, 1), limit=20)
        guarded = collection.counts().emptied
        forgetting: Forgetting = cast("Forgetting", collection)
        assert forgetting.forget() == 0
        assert collection.search(query(3, 2, 1), limit=20) == before
        assert collection.counts().emptied == guarded
        put(collection, LIFE[0], _numbered(7))
        assert len(contents(collection)) == 298

    def test_threads_leave_the_newest_of_each_document(self, place: Place) -> None:
        """[threads]: writers of the same documents through several handles at once."""
        backend = place.opened()
        collection = backend.create(spec())
        handles = [place.opened().open(NAME, fingerprint=SPACE) for _ in range(3)]

        def write(lsn: int) -> None:
            handle = handles[lsn % len(handles)]
            put(handle, *(Version(document=f"d{n}", lsn=lsn, vectors=[X]) for n in range(20)))
            assert len(handle.search(query(*X), limit=50)) == 20

        with ThreadPoolExecutor(max_workers=4) as pool:
            list(pool.map(write, (3, 9, 1, 12, 7, 2, 11, 8, 5, 10, 4, 6)))
        assert contents(collection) == {(f"d{n}", 0): 12 for n in range(20)}

    def test_a_scan_shows_what_a_tamperer_wrote(self, place: Place) -> None:
        """Doubled rows and missing vectors come out as they lie, so that a diff sees them."""
        if place.tamper is None:
            pytest.skip("nobody can write to this backend but its driver")
        collection = place.opened().create(spec())
        put(collection, _numbered(1))
        doubled = RawRow(document="n1", slot=0, lsn=1, text="n1 0", vector=X)
        without = RawRow(document="bare", slot=0, lsn=2, text="bare", vector=None)
        place.tamper(NAME, [doubled, without])
        batches = list(collection.scan(with_vectors=True))
        assert sorted(d for b in batches for d in b.documents) == ["bare", "n1", "n1"]
        for batch in batches:
            for document, vector in zip(batch.documents, _vectors(batch), strict=True):
                assert bool(np.isnan(vector).all()) == (document == "bare")


def _numbered(number: int, *, slots: int = 1) -> Version:
    vector = (number % 7 + 1.0, number % 11, number % 13)
    return Version(document=f"n{number}", lsn=number + 1, vectors=[vector], slots=slots)


def _vectors(batch: StoredBatch) -> FloatMatrix:
    assert batch.vectors is not None
    return batch.vectors
