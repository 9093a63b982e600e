"""What every store promises of rendered files and of sources."""

from __future__ import annotations

from dataclasses import replace

import pytest

from repoint.domain.errors import AlreadyExistsError, ConflictError, NotFoundError
from repoint.domain.ids import DocumentId, Epoch, IndexName, SourceName
from repoint.domain.rendering import RenderFormat, Rendering
from repoint.domain.source import FileSettings, Source, SourceState, SqlSettings
from repoint.ports.store import Store
from repoint.testing.conformance import Suite
from repoint.testing.store_samples import ANNA, DOCS, NOW, SOON, V1, with_index

CRM = SourceName("crm")
FILE = Rendering(
    index=DOCS,
    host="one",
    path="/srv/route.json",
    format=RenderFormat.JSON,
    release=V1,
    epoch=Epoch(1),
    digest="00ff",
    actor=ANNA,
    at=NOW,
)
SQL = SqlSettings(
    url="env:CRM_URL",
    table="crm.articles",
    id="id",
    text=("body", "notes"),
    version="updated_at",
    metadata=("lang",),
    overlap=2.5,
)
SOURCE = Source(index=DOCS, name=CRM, settings=SQL, actor=ANNA, at=NOW)


def _ids(*names: str) -> list[DocumentId]:
    return [DocumentId(name) for name in names]


class RenderingSuite(Suite):
    """Files that hold a route."""

    def test_a_file_is_known_once_by_machine_and_path(self, store: Store) -> None:
        """[rendering-by-place] A later record replaces the earlier one; others stay."""
        with_index(store)
        newer = replace(FILE, epoch=Epoch(2), digest="11", at=SOON, format=RenderFormat.ENV)
        other = replace(FILE, host="two")
        with store.begin() as tx:
            for one in (FILE, other, newer):
                tx.renderings.put(one)
        with store.read() as view:
            assert view.renderings.all(DOCS) == [newer, other]
        with store.begin() as tx:
            assert tx.renderings.forget(DOCS, host="one", path=FILE.path)
            assert not tx.renderings.forget(DOCS, host="one", path=FILE.path)
            assert tx.renderings.all(DOCS) == [other]


class SourceSuite(Suite):
    """Systems of record that feed an index."""

    def test_a_source_comes_back_as_it_was_added(self, store: Store) -> None:
        """[sources-are-kept] Settings and all, with nothing read of it yet."""
        with_index(store)
        files = replace(
            SOURCE, name=SourceName("a"), settings=FileSettings(folder="/srv", deleted="gone")
        )
        with store.begin() as tx:
            tx.sources.add(SOURCE)
            tx.sources.add(files)
        with store.read() as view:
            assert view.sources.all(DOCS) == [(files, SourceState()), (SOURCE, SourceState())]
            assert view.sources.get(DOCS, CRM) == (SOURCE, SourceState())

    def test_a_name_is_taken_once_and_unknown_ones_are_said(self, store: Store) -> None:
        """[sources-are-kept] In one index; the error lists those there are."""
        with_index(store)
        with store.begin() as tx:
            tx.sources.add(SOURCE)
        with pytest.raises(AlreadyExistsError), store.begin() as tx:
            tx.sources.add(SOURCE)
        with pytest.raises(NotFoundError), store.begin() as tx:
            tx.sources.add(replace(SOURCE, index=IndexName("nope")))
        with store.read() as view, pytest.raises(NotFoundError) as missing:
            view.sources.get(DOCS, SourceName("other"))
        assert missing.value.known == ["crm"]

    def test_who_read_an_older_position_changes_nothing(self, store: Store) -> None:
        """[position-is-fenced] A position is stored over the one it was made from."""
        with_index(store)
        with store.begin() as tx:
            tx.sources.add(SOURCE)
            first = tx.sources.advance(
                DOCS, CRM, SourceState(position={"at": 7, "of": [None, "x"]}, sweep=2)
            )
        assert first.revision == 1
        with pytest.raises(ConflictError), store.begin() as tx:
            tx.sources.advance(DOCS, CRM, SourceState(position={"at": 3}))
        with store.begin() as tx:
            done = replace(first, sweep_position={})
            assert tx.sources.advance(DOCS, CRM, done).revision == 2
            tx.sources.polled(DOCS, CRM, at=SOON, outcome="fine")
        with store.read() as view:
            assert view.sources.get(DOCS, CRM)[1] == replace(
                done, revision=2, polled_at=SOON, outcome="fine"
            )

    def test_what_a_source_gave_is_known_with_the_sweep_that_saw_it(self, store: Store) -> None:
        """[sweeps] The newest sweep counts; what was taken back is not known any more."""
        with_index(store)
        many = [DocumentId(f"d{number:04}") for number in range(1200)]
        with store.begin() as tx:
            tx.sources.add(SOURCE)
            tx.sources.note(DOCS, CRM, [*many, *many[:3]], sweep=1)
            tx.sources.note(DOCS, CRM, many[:1190], sweep=2)
        with store.begin() as tx:
            assert tx.sources.count(DOCS, CRM) == 1200
            assert tx.sources.count(DOCS, CRM, unseen_in=2) == 10
            assert tx.sources.unseen(DOCS, CRM, sweep=2, limit=4) == many[1190:1194]
            assert tx.sources.given(DOCS, CRM, [*_ids("x"), *many]) == set(many)
            tx.sources.unnote(DOCS, CRM, many[:700])
            assert tx.sources.count(DOCS, CRM) == 500

    def test_a_source_that_is_removed_leaves_nothing(self, store: Store) -> None:
        """[sources-are-kept] Until they are removed, with what they gave; others stay."""
        with_index(store)
        other = replace(SOURCE, name=SourceName("other"))
        with store.begin() as tx:
            for one in (SOURCE, other):
                tx.sources.add(one)
                tx.sources.note(DOCS, one.name, _ids("a", "b"), sweep=0)
            tx.sources.remove(DOCS, CRM)
        with store.read() as view:
            assert [one.name for one, _ in view.sources.all(DOCS)] == ["other"]
            assert view.sources.count(DOCS, CRM) == 0
            assert view.sources.count(DOCS, SourceName("other")) == 2
        with pytest.raises(NotFoundError), store.begin() as tx:
            tx.sources.remove(DOCS, CRM)
