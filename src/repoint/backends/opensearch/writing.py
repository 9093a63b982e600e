"""Writing into a team's own index, and beside it.

A write goes into the team's row first and beside it second, a delete the other way round, and
each then looks at the other: whichever is older gives way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from http import HTTPStatus

from opensearchpy import OpenSearch
from opensearchpy.exceptions import RequestError

from repoint.backends.opensearch import refusals, rows
from repoint.backends.opensearch.documents import id_of as id_beside
from repoint.backends.opensearch.layouts import (
    LONGEST_ID,
    NOTES,
    Row,
    has_own_ids,
    source_of,
    state_of,
    vector_of,
)
from repoint.backends.opensearch.noting import fields_in, mapping_of_fields, notes_of
from repoint.backends.opensearch.rows import Change
from repoint.domain.adoption import Layout
from repoint.domain.document import Entry
from repoint.domain.errors import BackendUnavailableError, RowsRefusedError
from repoint.domain.ids import DocumentId, Lsn
from repoint.ports.adoption import Note
from repoint.ports.backend import FloatMatrix, FloatVector

#: Positions of one request.
_POSITIONS = 1_000


class Writing:
    """Writes rows of one team's index, and what is known of them in the index beside."""

    def __init__(self, *, layout: Layout, path: str, beside: str, cosine: bool) -> None:
        self._layout = layout
        self._path = path
        self._place = layout.collection
        self._beside = beside
        self._cosine = cosine
        self._mapped: set[str] = set()

    def find(
        self, client: OpenSearch, documents: Sequence[DocumentId]
    ) -> dict[DocumentId, Row]:
        """Return the rows of these documents as they stand."""
        return rows.find(client, self._layout, self._path, documents)

    def fill(self, client: OpenSearch, entries: Sequence[Entry], matrix: FloatMatrix) -> None:
        """Write documents with their vectors, unless a higher LSN is there."""
        new = {entry.document: entry for entry in entries}
        vectors: dict[DocumentId, FloatVector] = dict(zip(new, matrix, strict=True))
        refused: set[DocumentId] = set()

        def decide(name: DocumentId, row: Row | None) -> Change | None:
            if row is not None and row.lsn > new[name].lsn:
                return None
            source = self._filled(new[name], vectors[name], row)
            if row is not None:
                return "index", rows.place(self._place, row), source
            # Refused where another document of the team's has that id already.
            own = self._own_id(name, again=name in refused)
            refused.add(name)
            return "create", {"_index": self._place, "_id": own}, source

        self._map(client, entries)
        self._change(client, list(new), decide)
        self._position(client, entries, emptied=False)
        self._give_way(client, entries, unnoted=False)

    def empty(self, client: OpenSearch, entries: Sequence[Entry]) -> None:
        """Write tombstones; a document that cannot be taken leaves its row as it is."""
        self._position(client, entries, emptied=True)
        deleted = [entry for entry in entries if entry.content is None]
        # Also rows that nobody noted: they are deleted by whoever deletes the document.
        self._give_way(client, deleted, unnoted=True)
        kept = {entry.document: entry for entry in entries if entry.content is not None}
        self._map(client, list(kept.values()))

        def decide(name: DocumentId, row: Row | None) -> Change | None:
            if row is None or row.lsn > kept[name].lsn:
                return None
            source = self._with_notes(kept[name], row, source=_bare(row.source), zero=False)
            return "index", rows.place(self._place, row), source

        if kept:
            self._change(client, list(kept), decide)

    def note(self, client: OpenSearch, notes: Sequence[Note]) -> None:
        """Note rows that stand already, unless a higher LSN is noted."""
        by_name = {note.entry.document: note for note in notes}

        def decide(name: DocumentId, row: Row | None) -> Change | None:
            note = by_name[name]
            if row is None or row.lsn > note.entry.lsn:
                return None
            if row.lsn == note.entry.lsn and row.is_known and row.is_untouched:
                return None
            return "index", rows.place(self._place, row), self._noted(note, row)

        entries = [note.entry for note in notes]
        self._map(client, entries)
        self._change(client, list(by_name), decide)
        self._position(client, entries, emptied=False)

    def forget(self, client: OpenSearch, ids: Sequence[str]) -> None:
        """Take what was noted out of these rows again."""

        def look(names: Sequence[DocumentId]) -> dict[DocumentId, Row]:
            found = rows.find_own(client, self._place, names)
            return {name: row for name, row in found.items() if row.notes}

        def decide(name: DocumentId, row: Row | None) -> Change | None:
            del name
            if row is None:
                return None
            return "index", rows.place(self._place, row), _bare(row.source)

        wanted = [DocumentId(one) for one in ids]
        rows.change(client, wanted, look=look, decide=decide, about=self._place)

    # One row

    def _filled(self, entry: Entry, vector: FloatVector, row: Row | None) -> dict[str, object]:
        assert entry.content is not None  # noqa: S101 - ``put`` saw to it
        before: Mapping[str, object] = {} if row is None else row.source
        source = source_of(self._layout, entry.content, before)
        # Without a direction there is nothing to compare: the index refuses it.
        zero = self._cosine and not vector.any()
        source.pop(self._layout.vector, None)
        if not zero:
            source[self._layout.vector] = vector.tolist()
        return self._with_notes(entry, row, source=source, zero=zero)

    def _noted(self, note: Note, row: Row) -> dict[str, object]:
        source = _bare(row.source)
        vector = vector_of(self._layout, source)
        zero = vector is not None and not vector.any()
        made = self._with_notes(note.entry, row, source=source, zero=zero)
        if note.state != state_of(self._layout, source):  # written to since it was read
            of_it = made[NOTES]
            assert isinstance(of_it, dict)  # noqa: S101 - made above
            of_it.update(known=False, state=note.state)
        return made

    def _with_notes(
        self, entry: Entry, row: Row | None, *, source: dict[str, object], zero: bool
    ) -> dict[str, object]:
        was = None if row is None else row.notes.get("was", None if row.notes else row.seq_no)
        noted = notes_of(
            entry,
            state=state_of(self._layout, source),
            version=1 if row is None else row.version + 1,
            was=was,
            zero=zero,
        )
        return {**source, NOTES: noted}

    def _own_id(self, name: DocumentId, *, again: bool) -> str:
        """Return the id of a new row: the document's own, unless another row has it."""
        if has_own_ids(self._layout) or (not again and len(name.encode()) <= LONGEST_ID):
            return name
        return f"repoint-{blake2b(name.encode(), digest_size=16).hexdigest()}"

    # Many

    def _change(
        self, client: OpenSearch, names: Sequence[DocumentId], decide: rows.Decide
    ) -> None:
        rows.change(
            client,
            names,
            look=lambda asked: self.find(client, asked),
            decide=decide,
            about=self._place,
        )

    def _map(self, client: OpenSearch, entries: Sequence[Entry]) -> None:
        """Have the database know the fields that filters look at, before they are written."""
        wanted = {name for entry in entries for name in fields_in(entry)} - self._mapped
        if not wanted or not self._full(client, wanted):
            return
        refused: dict[str, str] = {}
        for entry in entries:  # each by itself: it may be one that has far too many
            fields = fields_in(entry) - self._mapped
            if fields and (why := self._full(client, fields)):
                refused[entry.document] = why
        if refused:
            raise RowsRefusedError.of(refused, driver="opensearch")

    def _full(self, client: OpenSearch, wanted: set[str]) -> str:
        """Let the mapping have these fields; return why not, where it has too many."""
        try:
            body = mapping_of_fields(sorted(wanted))
            client.indices.put_mapping(index=self._place, body=body)
        except RequestError as error:
            if not refusals.is_full(error):
                raise
            return refusals.told(error)
        self._mapped |= wanted
        return ""

    def _give_way(self, client: OpenSearch, entries: Sequence[Entry], *, unnoted: bool) -> None:
        """Delete rows that are older than a tombstone beside them."""
        gone = self._tombstones(client, [entry.document for entry in entries])

        def decide(name: DocumentId, row: Row | None) -> Change | None:
            if row is None or row.lsn > gone[name] or not (row.notes or unnoted):
                return None
            return "delete", rows.place(self._place, row), None

        if gone:
            self._change(client, list(gone), decide)

    def _tombstones(
        self, client: OpenSearch, names: Sequence[DocumentId]
    ) -> dict[DocumentId, Lsn]:
        found: dict[DocumentId, Lsn] = {}
        for start in range(0, len(names), rows.ASKED):
            ids = [id_beside(one, 0) for one in names[start : start + rows.ASKED]]
            for one in client.mget(index=self._beside, body={"ids": ids})["docs"]:
                if one["found"] and one["_source"]["emptied"]:
                    known = DocumentId(str(one["_source"]["document"]))
                    found[known] = Lsn(int(one["_source"]["lsn"]))
        return found

    def _position(self, client: OpenSearch, entries: Sequence[Entry], *, emptied: bool) -> None:
        """Write positions; the database itself refuses one below what stands."""
        for start in range(0, len(entries), _POSITIONS):
            lines: list[dict[str, object]] = []
            for entry in entries[start : start + _POSITIONS]:
                where = {
                    "_index": self._beside,
                    "_id": id_beside(entry.document, 0),
                    "version": entry.lsn,
                    "version_type": "external_gte",
                }
                made = {"document": entry.document, "lsn": entry.lsn, "emptied": emptied}
                lines += [{"index": where}, made]
            answer = client.bulk(body=lines, params={"refresh": "true"})
            refused: dict[str, str] = {}
            for item, made in zip(answer["items"], lines[1::2], strict=True):
                done = item["index"]
                if refusals.is_of_document(done):
                    refused[str(made["document"])] = refusals.reason(done)
                elif "error" in done and done["status"] != HTTPStatus.CONFLICT:
                    raise BackendUnavailableError(f"{self._beside}: {refusals.reason(done)}")
            if refused:
                raise RowsRefusedError.of(refused, driver="opensearch")


def _bare(source: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in source.items() if name != NOTES}
