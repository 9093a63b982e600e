"""The promises of ``ports.adoption.Adopter``, each as a test.

Subclass ``AdoptionSuite`` and give it the fixture ``team``, a ``repoint.testing.team.Team``
whose collection is not there yet. ``repoint.testing.adoption_story`` has the whole story.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from repoint.domain.adoption import Bypass, BypassKind, Layout
from repoint.domain.document import Chunk, Document, Entry, Json
from repoint.domain.errors import (
    AlreadyExistsError,
    CollectionMissingError,
    FingerprintMismatchError,
    NotFoundError,
)
from repoint.domain.ids import CollectionName, DocumentId, Fingerprint, Lsn
from repoint.domain.spec import AnnSpec, Distance
from repoint.ports.adoption import Adopter, ForeignPage, ForeignRow, Note, Wish, adopter_of
from repoint.ports.backend import Backend, Collection, CollectionSpec, SpaceMatrix, SpaceVector
from repoint.testing.conformance import Suite
from repoint.testing.team import DIMENSIONS, Team, TeamRow, row, vectors

SPACE = Fingerprint("a" * 64)
NAME = CollectionName("docs_v1_aaaaaaaaaaaa")
#: Two pages of a scan, and one more row.
PAGE = 4
NAMES = [f"d{n}" for n in range(2 * PAGE + 1)]


class AdoptionSuite(Suite):
    """What every backend promises that declares ``adopts``."""

    @pytest.fixture
    def team(self) -> Team:
        """A team whose collection is not there yet."""
        raise NotImplementedError("give the class a fixture: team")

    @pytest.fixture
    def backend(self, team: Team) -> Backend:
        """The backend that holds the team's collection, of which ``NAMES`` are rows."""
        team.put(
            row(name, f"text of {name}", topic="t", number=n) for n, name in enumerate(NAMES)
        )
        return team.backend()

    @pytest.fixture
    def adopter(self, backend: Backend) -> Adopter:
        """What takes collections over."""
        return adopter_of(backend)

    @pytest.fixture
    def layout(self, adopter: Adopter, team: Team) -> Layout:
        """The layout of the team's collection."""
        return adopter.look(team.wish, alias="docs").layout

    @pytest.fixture
    def adopted(self, backend: Backend, adopter: Adopter, layout: Layout) -> Collection:
        """The collection, every row noted."""
        adopter.begin(_spec(layout))
        adopter.note(NAME, _notes(_everything(adopter, layout)))
        return backend.open(NAME, fingerprint=SPACE)

    def test_what_stands_there_is_described(
        self, adopter: Adopter, backend: Backend, team: Team
    ) -> None:
        """Rows, dimensions and fields; a name that is not there is refused."""
        del backend
        found = adopter.look(team.wish, alias="docs")
        assert (found.rows, found.dimensions) == (len(NAMES), DIMENSIONS)
        assert [field.name for field in found.layout.metadata] == ["topic", "number"]
        assert found.name_taken_by == ""
        with pytest.raises(NotFoundError, match="nothing_like_it"):
            adopter.look(_wish(team, collection="nothing_like_it"), alias="docs")
        with pytest.raises(NotFoundError, match="no_such_field"):
            adopter.look(_wish(team, text_field="no_such_field"), alias="docs")

    def test_a_sample_is_drawn_over_everything(self, adopter: Adopter, layout: Layout) -> None:
        """[sampled]: with the vectors that are stored, others for another seed."""
        page = adopter.sample(layout, count=5, seed=1)
        assert page.vectors is not None
        texts = [one.document.text for one in page.rows]
        assert len({one.document.id for one in page.rows}) == 5
        assert np.allclose(page.vectors, vectors(texts), rtol=0, atol=1e-6)
        drawn = {
            one.document.id
            for seed in range(20)
            for one in adopter.sample(layout, count=2, seed=seed).rows
        }
        assert len(drawn) > 5

    def test_a_scan_is_taken_up_anywhere(
        self, adopter: Adopter, layout: Layout, team: Team
    ) -> None:
        """[resumable]: each row comes once, whoever reads on from a cursor."""
        team.put([row("blank", " \n\t ")])
        pages = _pages(adopter, layout)
        found = [one.document for page in pages for one in page.rows]
        assert sorted(one.id for one in found) == sorted(NAMES)
        assert sum(page.without_text for page in pages) == 1
        assert {one.metadata["topic"] for one in found} == {"t"}
        again = adopter.read(layout, after=pages[0].cursor or "", limit=PAGE)
        assert [one.document for one in again.rows] == [one.document for one in pages[1].rows]

    def test_taking_over_changes_no_row(
        self, backend: Backend, adopter: Adopter, layout: Layout, team: Team
    ) -> None:
        """[in-place]: not a bit of the team's fields and vectors."""
        before = team.rows()
        adopter.begin(_spec(layout))
        adopter.note(NAME, _notes(_everything(adopter, layout)))
        assert backend.open(NAME, fingerprint=SPACE).counts().documents == len(NAMES)
        after = team.rows()
        assert set(after) == set(NAMES)
        assert all(after[name].same(one) for name, one in before.items())

    def test_an_adopted_collection_opens_by_its_release_s_name(
        self, adopted: Collection, backend: Backend, adopter: Adopter, layout: Layout
    ) -> None:
        """[opens]: with its fingerprint only; the same collection is not adopted twice."""
        assert adopted.spec.adopted == layout
        assert NAME in backend.collections()
        with pytest.raises(FingerprintMismatchError):
            backend.open(NAME, fingerprint=Fingerprint("b" * 64))
        adopter.begin(_spec(layout))  # again is no error
        with pytest.raises(AlreadyExistsError):
            adopter.begin(_spec(layout, name="docs_v9_aaaaaaaaaaaa"))

    def test_what_was_added_is_none_of_the_team_s_fields(
        self, backend: Backend, adopter: Adopter, team: Team
    ) -> None:
        """A scan that is taken up finds the layout that it began with."""
        del backend
        everything = dataclasses.replace(team.wish, metadata=None)
        layout = adopter.look(everything, alias="docs").layout
        adopter.begin(_spec(layout))
        adopter.note(NAME, _notes(_everything(adopter, layout)))
        assert adopter.look(everything, alias="docs").layout == layout

    def test_noted_rows_are_found_and_others_are_not(
        self, backend: Backend, adopter: Adopter, layout: Layout
    ) -> None:
        """Before a row is noted no search through repoint returns it."""
        adopter.begin(_spec(layout))
        collection = backend.open(NAME, fingerprint=SPACE)
        assert _search(collection, "text of d1") == []
        adopter.note(NAME, _notes(_everything(adopter, layout))[:3])
        assert len(_search(collection, "text of d1")) == 3

    def test_an_older_note_changes_nothing(
        self, adopted: Collection, adopter: Adopter, layout: Layout
    ) -> None:
        """[newest-lsn-wins], and noting again is [idempotent]."""
        rows = _everything(adopter, layout)
        before = _lsns(adopted)
        adopter.note(NAME, _notes(rows))
        assert _lsns(adopted) == before
        adopter.note(NAME, _notes(rows, above=100))
        adopter.note(NAME, _notes(rows))
        assert set(_lsns(adopted).values()) == {101 + n for n in range(len(NAMES))}

    def test_writes_go_into_the_team_s_own_fields(
        self, adopted: Collection, team: Team
    ) -> None:
        """Newest LSN wins there too, and a delete leaves nothing for the team to find."""
        new = row("d1", "another text", topic="news", number=77)
        _put(adopted, new.id, new.body, lsn=50, topic="news", number=77)
        _put(adopted, new.id, "an older text", lsn=49, topic="old", number=1)
        _put(adopted, "fresh", "a fresh text", lsn=51, topic="news", number=78)
        _remove(adopted, "d2", lsn=52)
        rows = team.rows()
        assert rows["d1"].like(new)
        assert rows["fresh"].like(row("fresh", "a fresh text", topic="news", number=78))
        assert "d2" not in rows
        assert _search(adopted, "text of d2", k=50).count("d2") == 0
        _put(adopted, "d2", "from before the delete", lsn=2, topic="", number=0)
        assert "d2" not in team.rows()

    def test_what_bypassed_is_found(
        self, adopted: Collection, adopter: Adopter, team: Team
    ) -> None:
        """[found]: added, changed and deleted rows, and those back after a delete."""
        assert list(adopter.bypassed(NAME)) == []
        _remove(adopted, "d4", lsn=50)
        team.put([row("new", "behind"), row("d1", "behind"), row("d4", "behind")])
        team.put([row("d3", "text of d3", topic="another topic", number=3)])
        team.delete(["d2"])
        found = {one.document: one for one in adopter.bypassed(NAME)}
        assert {name: one.kind for name, one in found.items()} == {
            "new": BypassKind.ADDED,
            "d1": BypassKind.CHANGED,
            "d2": BypassKind.DELETED,
            "d3": BypassKind.CHANGED,
            "d4": BypassKind.RETURNED,
        }
        assert _text(found, "d1") == "behind"
        assert found[DocumentId("d2")].content is None
        assert (found[DocumentId("new")].noted, found[DocumentId("d4")].noted) == (None, 50)
        assert "new" not in _search(adopted, "behind", k=50)
        digests = {d for batch in adopted.scan(with_vectors=True) for d in batch.digests}
        assert Chunk.of("behind", start=0, end=6).digest not in digests

    def test_letting_go_leaves_the_team_s_rows(
        self, adopted: Collection, backend: Backend, team: Team
    ) -> None:
        """[let-go]: what was noted is gone, and the collection can be adopted again."""
        del adopted
        before = team.rows()
        backend.drop(NAME)
        backend.drop(NAME)
        with pytest.raises(CollectionMissingError):
            backend.open(NAME, fingerprint=SPACE)
        after = team.rows()
        assert set(after) == set(before)
        assert all(after[name].same(one) for name, one in before.items())
        adopter = adopter_of(backend)
        adopter.begin(_spec(adopter.look(team.wish, alias="docs").layout))

    def test_destroying_deletes_the_team_s_collection(
        self, adopted: Collection, adopter: Adopter, backend: Backend, team: Team
    ) -> None:
        """And all that was noted of it; twice is no error."""
        del adopted
        adopter.destroy(NAME)
        adopter.destroy(NAME)
        assert NAME not in backend.collections()
        with pytest.raises(NotFoundError):
            adopter.look(team.wish, alias="docs")


def _row(number: int, name: str) -> TeamRow:
    return row(name, f"text of {name}", topic="t", number=number)


def _spec(layout: Layout, *, name: str = NAME) -> CollectionSpec:
    return CollectionSpec(
        name=CollectionName(name),
        fingerprint=SPACE,
        dimensions=DIMENSIONS,
        distance=Distance.COSINE,
        ann=AnnSpec(),
        lexical=False,
        adopted=layout,
    )


def _wish(team: Team, *, collection: str = "", text_field: str = "") -> Wish:
    return dataclasses.replace(
        team.wish,
        collection=collection or team.wish.collection,
        text_field=text_field or team.wish.text_field,
    )


def _pages(adopter: Adopter, layout: Layout) -> list[ForeignPage]:
    pages = [adopter.read(layout, after="", limit=PAGE)]
    while pages[-1].cursor is not None:
        pages.append(adopter.read(layout, after=pages[-1].cursor, limit=PAGE))
    return pages


def _everything(adopter: Adopter, layout: Layout) -> list[ForeignRow]:
    return [one for page in _pages(adopter, layout) for one in page.rows]


def _notes(rows: list[ForeignRow], *, above: int = 0) -> list[Note]:
    return [
        Note(entry=_entry(one.document, lsn=above + number), state=one.state)
        for number, one in enumerate(rows, start=1)
    ]


def _entry(document: Document, *, lsn: int) -> Entry:
    return Entry(
        document=document.id,
        lsn=Lsn(lsn),
        chunks=[Chunk.of(document.text, start=0, end=len(document.text))],
        slots=1,
        metadata=document.metadata,
        content=document,
    )


def _put(
    collection: Collection, name: str, text: str, *, lsn: int, topic: str, number: int
) -> None:
    metadata: dict[str, Json] = {"topic": topic, "number": number}
    document = Document(id=DocumentId(name), text=text, metadata=metadata)
    collection.put([_entry(document, lsn=lsn)], SpaceMatrix(SPACE, vectors([text])))


def _remove(collection: Collection, name: str, *, lsn: int) -> None:
    entry = Entry(document=DocumentId(name), lsn=Lsn(lsn), chunks=(), slots=1)
    empty = np.empty((0, DIMENSIONS), dtype=np.float32)
    collection.put([entry], SpaceMatrix(SPACE, empty))


def _search(collection: Collection, text: str, *, k: int = 10) -> list[str]:
    query = SpaceVector(SPACE, vectors([text])[0])
    return [hit.document for hit in collection.search(query, limit=k)]


def _lsns(collection: Collection) -> dict[str, int]:
    return {
        document: int(lsn)
        for batch in collection.scan()
        for document, lsn in zip(batch.documents, batch.lsns, strict=True)
    }


def _text(found: dict[DocumentId, Bypass], name: str) -> str:
    content = found[DocumentId(name)].content
    assert content is not None
    return content.text
