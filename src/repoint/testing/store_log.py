"""The promises of the document log and of the indexes that own one."""

from __future__ import annotations

import pytest

from repoint.domain.document import Document, FieldType, Json
from repoint.domain.errors import AlreadyExistsError, BadInputError, NotFoundError
from repoint.domain.ids import DocumentId, IndexName, Lsn
from repoint.domain.operation import Freeze
from repoint.ports.store import Appended, Store
from repoint.testing.conformance import Suite
from repoint.testing.store_samples import (
    ANNA,
    DOCS,
    LATER,
    NOW,
    SOON,
    ZERO,
    document,
    ids,
    undone,
    with_documents,
    with_index,
)

OTHER = IndexName("other")


class LogSuite(Suite):
    """What the log promises to writers and readers."""

    def test_rows_come_back_as_they_were_given(self, store: Store) -> None:
        """Every field of a row survives, odd characters and deep metadata included."""
        with_index(store)
        given = document(
            "ä/1 '\"",
            "naïve\0 👩\u200d🔬\r\n",
            text_="t",
            n=1.5,
            i=2**60,
            b=True,
            none=None,
            deep={"a": [1, {"b": None}]},
        )
        with store.begin() as tx:
            tx.log.append(DOCS, [given], at=NOW)
        with store.read() as tx:
            (row,) = tx.log.rows(DOCS, above=ZERO, upto=Lsn(9))

        assert (row.id, row.document, row.written_at) == (given.id, given, NOW)
        assert (row.lsn, row.first_lsn) == (1, 1)
        assert row.document is not None
        assert row.document.content_hash() == given.content_hash()

    def test_lsns_are_consecutive_in_order_of_commit(self, store: Store) -> None:
        """[commit-order-is-lsn-order] [no-gaps]."""
        with_index(store)
        with store.begin() as tx:
            first = tx.log.append(DOCS, [document("a"), document("b")], at=NOW)
            second = tx.log.append(DOCS, [document("c")], at=NOW)
            rows = tx.log.rows(DOCS, above=ZERO, upto=second.head)

        assert first == Appended(head=Lsn(2), written=2, unchanged=0)
        assert second == Appended(head=Lsn(3), written=1, unchanged=0)
        assert [(row.id, row.lsn) for row in rows] == [("a", 1), ("b", 2), ("c", 3)]

    def test_an_append_that_is_undone_leaves_no_gap(self, store: Store) -> None:
        """[no-gaps] [atomic]."""
        with_documents(store, 1)
        with undone(store) as tx:
            tx.log.append(DOCS, [document("lost")], at=NOW)
        with store.begin() as tx:
            assert tx.log.append(DOCS, [document("kept")], at=NOW).head == 2

    def test_unchanged_content_takes_no_lsn(self, store: Store) -> None:
        """[unchanged]."""
        with_documents(store, 2)
        with store.begin() as tx:
            again = tx.log.append(DOCS, [document("d1"), document("d2", "new")], at=NOW)

        assert again == Appended(head=Lsn(3), written=1, unchanged=1)

    def test_any_part_of_the_content_counts_as_changed(self, store: Store) -> None:
        """[unchanged] never hides a change of title, text or metadata."""
        with_index(store)
        with store.begin() as tx:
            for n, version in enumerate(
                (document("a"), document("a", "b"), document("a", "b", x=1)), 1
            ):
                assert tx.log.append(DOCS, [version], at=NOW).head == n

    def test_the_last_change_of_an_id_stands(self, store: Store) -> None:
        """One id several times in a call: one row, at the place of the last."""
        with_index(store)
        with store.begin() as tx:
            done = tx.log.append(
                DOCS, [document("a", "1"), document("b"), document("a", "2")], at=NOW
            )
            rows = tx.log.rows(DOCS, above=ZERO, upto=done.head)

        assert done.written == 2
        assert [row.id for row in rows] == ["b", "a"]
        assert rows[1].document == document("a", "2")

    def test_a_document_deleted_in_the_same_call_was_never_there(self, store: Store) -> None:
        """The last change stands, also when it deletes what the log never held."""
        with_index(store)
        with store.begin() as tx:
            done = tx.log.append(DOCS, [document("a"), DocumentId("a")], at=NOW)

        assert done == Appended(head=ZERO, written=0, unchanged=1)

    def test_a_tombstone_replaces_the_content(self, store: Store) -> None:
        """A delete is a row of its own and keeps nothing of the text."""
        with_documents(store, 1)
        with store.begin() as tx:
            tx.log.append(DOCS, ids("d1"), at=SOON)
            (row,) = tx.log.rows(DOCS, above=ZERO, upto=Lsn(9))

        assert (row.document, row.lsn, row.first_lsn, row.written_at) == (None, 2, 1, SOON)

    def test_deleting_what_is_absent_takes_no_lsn(self, store: Store) -> None:
        """[unchanged] for tombstones: unknown, and deleted already."""
        with_documents(store, 1)
        with store.begin() as tx:
            tx.log.append(DOCS, ids("d1"), at=NOW)
            again = tx.log.append(DOCS, ids("d1", "never"), at=NOW)

        assert again == Appended(head=Lsn(2), written=0, unchanged=2)

    def test_the_same_content_after_a_tombstone_is_a_change(self, store: Store) -> None:
        """What was deleted and comes back is written again, and keeps its first position."""
        with_documents(store, 1)
        with store.begin() as tx:
            tx.log.append(DOCS, ids("d1"), at=NOW)
            tx.log.append(DOCS, [document("d1")], at=NOW)
            row = tx.log.get(DOCS, ids("d1"))[DocumentId("d1")]

        assert (row.lsn, row.first_lsn, row.document) == (3, 1, document("d1"))

    def test_rows_are_a_half_open_stretch_in_order(self, store: Store) -> None:
        """``above`` is left out, ``upto`` is in it."""
        with_documents(store, 5)
        with store.read() as tx:
            rows = tx.log.rows(DOCS, above=Lsn(1), upto=Lsn(4))
            two = tx.log.rows(DOCS, above=Lsn(1), upto=Lsn(4), limit=2)

        assert [row.lsn for row in rows] == [2, 3, 4]
        assert two == rows[:2]

    @pytest.mark.parametrize(
        ("every", "expected"), [(1, [2, 3, 4, 6]), (2, [3, 6]), (3, [4, 6]), (9, [6])]
    )
    def test_bounds_cut_the_stretch_evenly(
        self, store: Store, every: int, expected: list[int]
    ) -> None:
        """Every so-many-th row that still exists, and the last."""
        with_documents(store, 5)
        with store.begin() as tx:
            tx.log.append(DOCS, [document("d5", "new")], at=NOW)  # LSN 5 was superseded
        with store.read() as tx:
            assert tx.log.bounds(DOCS, above=Lsn(1), upto=Lsn(6), every=every) == expected

    def test_an_empty_stretch_has_no_bounds(self, store: Store) -> None:
        """Nothing to cut."""
        with_documents(store, 2)
        with store.read() as tx:
            assert tx.log.bounds(DOCS, above=Lsn(2), upto=Lsn(2), every=2) == []

    def test_the_backlog_counts_rows_tombstones_and_characters(self, store: Store) -> None:
        """Characters are code points of title and text."""
        with_index(store)
        with store.begin() as tx:
            tx.log.append(DOCS, [document("a"), document("b", "äö\0ü👩")], at=NOW)
            tx.log.append(DOCS, ids("a"), at=NOW)
            backlog = tx.log.backlog(DOCS, above=ZERO, upto=Lsn(9))

        assert (backlog.upserts, backlog.tombstones, backlog.rows) == (1, 1, 2)
        assert backlog.characters == len("Title of b") + 5

    def test_get_leaves_out_what_is_unknown(self, store: Store) -> None:
        """Also odd ids that no document can have."""
        with_documents(store, 2)
        with store.read() as tx:
            found = tx.log.get(DOCS, ids("d2", "no", "d2\0", "\ud800", "d1", "d1"))
            nothing = tx.log.get(DOCS, [])

        assert sorted(found) == ["d1", "d2"]
        assert nothing == {}

    def test_scan_walks_every_row_once_in_id_order(self, store: Store) -> None:
        """A keyset scan with tombstones, page by page."""
        with_documents(store, 5)
        with store.begin() as tx:
            tx.log.append(DOCS, ids("d3"), at=NOW)
        seen = []
        after = None
        with store.read() as tx:
            while page := tx.log.scan(DOCS, after=after, limit=2):
                seen += [(row.id, row.document is None) for row in page]
                after = page[-1].id

        assert seen == [(f"d{n}", n == 3) for n in range(1, 6)]

    def test_forgetting_removes_rows_and_keeps_the_head(self, store: Store) -> None:
        """[head-never-falls]: a forgotten LSN is never taken again."""
        with_documents(store, 3)
        with store.begin() as tx:
            tx.log.forget(DOCS, ids("d3", "unknown"))
            assert tx.log.head(DOCS) == 3
            assert tx.log.get(DOCS, ids("d3")) == {}
            assert tx.log.append(DOCS, [document("d3")], at=NOW).head == 4
            row = tx.log.get(DOCS, ids("d3"))[DocumentId("d3")]

        assert row.first_lsn == 4

    def test_tombstones_are_those_whose_retention_is_over(self, store: Store) -> None:
        """Below the LSN and older than the moment; documents never."""
        with_documents(store, 4)
        with store.begin() as tx:
            tx.log.append(DOCS, ids("d2"), at=NOW)  # LSN 5
            tx.log.append(DOCS, ids("d1"), at=NOW)  # LSN 6
            tx.log.append(DOCS, ids("d3"), at=LATER)  # LSN 7

            def due(upto: int, limit: int = 9) -> list[DocumentId]:
                return tx.log.tombstones(DOCS, upto=Lsn(upto), written_before=SOON, limit=limit)

            assert due(9) == ["d2", "d1"]
            assert due(5) == ["d2"]
            assert due(9, limit=1) == ["d2"]

    def test_indexes_do_not_share_a_log(self, store: Store) -> None:
        """LSNs, rows and fields belong to one index."""
        with_documents(store, 2)
        with store.begin() as tx:
            tx.indexes.create(OTHER, at=NOW)
            tx.log.append(OTHER, [document("d1", "other", year="text here")], at=NOW)

            assert tx.log.head(OTHER) == 1
            assert tx.log.get(DOCS, ids("d1"))[DocumentId("d1")].document == document("d1")
            assert tx.log.fields(DOCS) == {}

    def test_an_unknown_index_is_named_with_those_there_are(self, store: Store) -> None:
        """For writers and readers alike."""
        with_index(store)
        with store.begin() as tx:
            with pytest.raises(NotFoundError, match="known: docs"):
                tx.log.append(OTHER, [document("a")], at=NOW)
            with pytest.raises(NotFoundError):
                tx.log.head(OTHER)
            with pytest.raises(NotFoundError):
                tx.indexes.require(OTHER)


class FieldSuite(Suite):
    """What the log promises about metadata fields and about what it cannot hold."""

    def test_fields_have_the_type_of_their_first_value(self, store: Store) -> None:
        """A null leaves the type open; lists and objects are opaque."""
        with_index(store)
        with store.begin() as tx:
            tx.log.append(
                DOCS,
                [
                    document("a", t="x", n=1, f=0.5, b=True, o=[1], d={}, later=None),
                    document("b", n=2.5, f=1, later="now known", never=None),
                ],
                at=NOW,
            )
            assert tx.log.fields(DOCS) == {
                "t": FieldType.TEXT,
                "n": FieldType.NUMBER,
                "f": FieldType.NUMBER,
                "b": FieldType.BOOLEAN,
                "o": FieldType.OPAQUE,
                "d": FieldType.OPAQUE,
                "later": FieldType.TEXT,
                "never": FieldType.OPAQUE,
            }
            tx.log.append(DOCS, [document("c", never=3)], at=NOW)
            assert tx.log.fields(DOCS)["never"] is FieldType.NUMBER

    @pytest.mark.parametrize("value", ["text", 1, 1.5, True, [1], {"a": 1}])
    def test_another_type_is_refused_before_anything_is_written(
        self,
        store: Store,
        value: Json,
    ) -> None:
        """The error names the document, the field and both types; the log stays."""
        with_index(store)
        first: str | bool = "text" if value is True or not isinstance(value, str) else True
        with store.begin() as tx:
            tx.log.append(DOCS, [document("first", field=first)], at=NOW)
            with pytest.raises(BadInputError, match=r"'bad'.*'field'") as caught:
                tx.log.append(
                    DOCS, [document("good", fresh=1), document("bad", field=value)], at=NOW
                )
            seen = FieldType.TEXT if first == "text" else FieldType.BOOLEAN
            assert f" {seen} " in str(caught.value)
            assert tx.log.head(DOCS) == 1
            assert list(tx.log.fields(DOCS)) == ["field"]

    def test_types_may_not_differ_within_one_call(self, store: Store) -> None:
        """The first value of the call fixes the type for the rest of it."""
        with_index(store)
        with store.begin() as tx:
            with pytest.raises(BadInputError, match=r"'b'.*boolean.*number"):
                tx.log.append(DOCS, [document("a", x=1), document("b", x=True)], at=NOW)
            assert tx.log.fields(DOCS) == {}

    def test_a_null_is_of_every_type(self, store: Store) -> None:
        """It neither conflicts nor changes the type."""
        with_index(store)
        with store.begin() as tx:
            tx.log.append(DOCS, [document("a", x=1), document("b", x=None)], at=NOW)
            assert tx.log.fields(DOCS) == {"x": FieldType.NUMBER}

    def test_half_a_surrogate_pair_is_refused_with_its_document(self, store: Store) -> None:
        """In title, text, metadata and id: no database holds it as text."""
        with_index(store)
        with store.begin() as tx:
            for bad in (
                document("here", "broken \ud83d text"),
                document("here", field="\udc00"),
                Document(id=DocumentId("here"), text="", metadata={"\udc00": 1}),
                document("here\ud800"),
            ):
                with pytest.raises(BadInputError, match="here"):
                    tx.log.append(DOCS, [document("good"), bad], at=NOW)
            assert tx.log.head(DOCS) == 0

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_numbers_that_json_lacks_are_refused(self, store: Store, value: float) -> None:
        """They would compare with nothing."""
        with_index(store)
        with store.begin() as tx, pytest.raises(BadInputError, match="'a'"):
            tx.log.append(DOCS, [document("a", x=value)], at=NOW)

    @pytest.mark.parametrize("name", ["", "a\0b"])
    def test_ids_that_no_key_holds_are_refused(self, store: Store, name: str) -> None:
        """An id is at least one character, none of them NUL."""
        with_index(store)
        with store.begin() as tx:
            with pytest.raises(BadInputError, match="id"):
                tx.log.append(DOCS, [document(name)], at=NOW)
            with pytest.raises(BadInputError, match="id"):
                tx.log.append(DOCS, ids(name), at=NOW)


class IndexSuite(Suite):
    """What the indexes promise."""

    def test_an_index_is_made_once(self, store: Store) -> None:
        """The second one is refused, and names come sorted."""
        with_index(store)
        with store.begin() as tx:
            tx.indexes.create(IndexName("a"), at=NOW)
            with pytest.raises(AlreadyExistsError):
                tx.indexes.create(DOCS, at=NOW)
            assert tx.indexes.names() == ["a", "docs"]
            tx.indexes.require(DOCS)

    def test_a_freeze_says_who_and_why_until_it_is_lifted(self, store: Store) -> None:
        """A later freeze replaces an earlier one."""
        with_index(store)
        first = Freeze(actor=ANNA, reason="looking into it", at=NOW)
        second = Freeze(actor=ANNA, reason="still", at=SOON)
        with store.begin() as tx:
            assert tx.indexes.frozen(DOCS) is None
            tx.indexes.freeze(DOCS, first)
            assert tx.indexes.frozen(DOCS) == first
            tx.indexes.freeze(DOCS, second)
            assert tx.indexes.frozen(DOCS) == second
            tx.indexes.freeze(DOCS, None)
            assert tx.indexes.frozen(DOCS) is None

    def test_a_freeze_of_an_unknown_index_is_refused(self, store: Store) -> None:
        """Asking is, too."""
        with store.begin() as tx:
            with pytest.raises(NotFoundError):
                tx.indexes.freeze(OTHER, None)
            with pytest.raises(NotFoundError):
                tx.indexes.frozen(OTHER)
