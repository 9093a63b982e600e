"""What every store promises of content that a source keeps, and of pushes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from repoint.domain.document import Document, LogRow
from repoint.domain.errors import AlreadyExistsError, NotFoundError
from repoint.domain.ids import Actor, DocumentId, IndexName, Lsn, SourceName
from repoint.domain.push import Push
from repoint.domain.source import Source, SqlSettings
from repoint.ports.store import Store
from repoint.testing.conformance import Suite
from repoint.testing.store_feeding import CRM, SOURCE, SQL
from repoint.testing.store_samples import ANNA, DOCS, NOW, SOON, document, with_index

KEEPER = replace(SOURCE, settings=replace(SQL, by_reference=True))
PUSH = Push(
    index=DOCS,
    actor=ANNA,
    key="4711",
    digest="00ff",
    at=NOW,
    head=Lsn(3),
    written=2,
    unchanged=1,
)


def _row(store: Store, name: str) -> LogRow:
    with store.read() as view:
        return view.log.get(DOCS, [DocumentId(name)])[DocumentId(name)]


class ReferenceSuite(Suite):
    """Content that a source keeps."""

    def test_a_reference_keeps_hash_version_and_metadata_only(self, store: Store) -> None:
        """[by-reference] Read by position, by id and in order, its content is not there."""
        with_index(store)
        whole = document("a", "a text", lang="de")
        kept = whole.kept_by(CRM, version='"2030"')
        with store.begin() as tx:
            assert tx.log.append(DOCS, [kept, document("b")], at=NOW).written == 2
        bare = replace(kept, text="", title="")
        with store.read() as view:
            rows = view.log.rows(DOCS, above=Lsn(0), upto=Lsn(9))
            scanned = view.log.scan(DOCS, after=None, limit=9)
            backlog = view.log.backlog(DOCS, above=Lsn(0), upto=Lsn(1))
        assert [row.document for row in rows] == [bare, document("b")]
        assert (scanned, _row(store, "a")) == (rows, rows[0])
        assert bare.content_hash() == whole.content_hash()
        assert backlog.characters == len(whole.title) + len(whole.text)

    def test_where_content_is_kept_counts_as_content(self, store: Store) -> None:
        """[by-reference] The same content takes a position when its place changes."""
        with_index(store)
        whole = document("a", "a text")
        other = whole.kept_by(SourceName("other"), version="")
        steps: list[tuple[Document, int]] = [
            (whole.kept_by(CRM, version="1"), 1),
            (whole.kept_by(CRM, version="2"), 0),
            (other, 1),
            (whole, 1),
            (other, 1),
        ]
        for step, written in steps:
            with store.begin() as tx:
                assert tx.log.append(DOCS, [step], at=NOW).written == written
        with store.begin() as tx:
            assert tx.log.append(DOCS, [DocumentId("a")], at=NOW).written == 1
        assert _row(store, "a").document is None

    def test_what_a_source_alone_has_is_counted(self, store: Store) -> None:
        """[by-reference] What it gave and others keep by now is not."""
        with_index(store)
        with store.begin() as tx:
            tx.sources.add(KEEPER)
            tx.sources.note(DOCS, CRM, [DocumentId(name) for name in "abc"], sweep=0)
            changes = [document("a").kept_by(CRM, version=""), document("b")]
            tx.log.append(DOCS, changes, at=NOW)
        with store.read() as view:
            assert view.sources.kept(DOCS, CRM) == 1
            assert view.sources.get(DOCS, CRM)[0] == KEEPER

    def test_settings_come_back_with_where_content_is_kept(self, store: Store) -> None:
        """[sources-are-kept] Sources of either kind beside each other."""
        with_index(store)
        copied = Source(
            index=DOCS,
            name=SourceName("copied"),
            settings=SqlSettings(url="env:A", table="a", id="id", text=("b",)),
            actor=ANNA,
            at=NOW,
        )
        with store.begin() as tx:
            for one in (KEEPER, copied):
                tx.sources.add(one)
        with store.read() as view:
            assert [one for one, _ in view.sources.all(DOCS)] == [copied, KEEPER]


class PushSuite(Suite):
    """Pushes that carried a key."""

    def test_a_push_is_found_under_its_senders_key_alone(self, store: Store) -> None:
        """[pushes-once] Of this index; a key is taken once."""
        with_index(store)
        with store.begin() as tx:
            tx.pushes.add(PUSH)
            tx.pushes.add(replace(PUSH, key="4712"))
        with pytest.raises(AlreadyExistsError), store.begin() as tx:
            tx.pushes.add(replace(PUSH, digest="11"))
        with pytest.raises(NotFoundError), store.begin() as tx:
            tx.pushes.add(replace(PUSH, index=IndexName("nope")))
        with store.read() as view:
            assert view.pushes.find(DOCS, ANNA, "4711") == PUSH
            assert view.pushes.find(DOCS, Actor("other"), "4711") is None

    def test_older_pushes_are_forgotten(self, store: Store) -> None:
        """[pushes-once] And younger ones stay."""
        with_index(store)
        with store.begin() as tx:
            tx.pushes.add(PUSH)
            tx.pushes.add(replace(PUSH, key="young", at=SOON))
            assert tx.pushes.forget(DOCS, before=SOON) == 1
        with store.read() as view:
            assert view.pushes.find(DOCS, ANNA, "4711") is None
            assert view.pushes.find(DOCS, ANNA, "young") is not None
