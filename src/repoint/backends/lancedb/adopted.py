"""A team's own table as a collection: a few columns are added, its own stay as they are.

LanceDB joins no tables, so what a search needs stands in the team's rows, in columns whose
names begin with ``repoint_`` and in those of metadata fields. Beside the table stands one of
repoint's with a row for each document that it knows of: positions, and tombstones, which
never stand among the team's rows.

A write goes into the team's rows first and beside them second, a delete the other way round,
and each then looks at the other: whichever is older gives way.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from lancedb import AsyncConnection, AsyncTable

from repoint.backends.lancedb import indexes
from repoint.backends.lancedb.collection import (
    BATCH,
    KEPT,
    LanceCollection,
    parts_of,
    persistently,
)
from repoint.backends.lancedb.describing import (
    columns_of,
    document_of,
    made_of,
    state_of,
)
from repoint.backends.lancedb.engine import run
from repoint.backends.lancedb.failures import translated
from repoint.backends.lancedb.filters import text_literal
from repoint.backends.lancedb.noting import (
    BESIDE,
    BYPASSED,
    NOTES,
    TEAM,
    added_fields,
    known,
    matrix_of,
    typed,
)
from repoint.backends.lancedb.schema import field_columns
from repoint.domain.adoption import FieldKind, Layout
from repoint.domain.document import Entry
from repoint.domain.errors import FingerprintMismatchError, UnsupportedError
from repoint.domain.filters import Filter
from repoint.domain.ids import DocumentId, Lsn
from repoint.ports.adoption import Note
from repoint.ports.backend import CollectionSpec, Counts, FloatMatrix, SpaceMatrix, StoredBatch
from repoint.ports.spaces import chunk_rows

_KNOWN: Final = "repoint_digest IS NOT NULL"


class AdoptedLanceCollection(LanceCollection):
    """One table of a team, and what is known of its rows."""

    def __init__(
        self,
        *,
        spec: CollectionSpec,
        layout: Layout,
        table: AsyncTable,
        beside: AsyncTable,
        connection: AsyncConnection,
        at: Path,
    ) -> None:
        super().__init__(spec=spec, table=table, connection=connection, at=at)
        self._layout = layout
        self._beside = beside

    def put(self, entries: Sequence[Entry], vectors: SpaceMatrix) -> None:
        """Write whole documents into the team's own rows, each unless a higher LSN is there."""
        matrix = chunk_rows(self._spec, entries, vectors)
        filled = [entry for entry in entries if entry.chunks]
        for entry in filled:
            if len(entry.chunks) > 1 or entry.content is None:
                raise UnsupportedError(
                    driver="lancedb",
                    what=f"document {entry.document!r} with {len(entry.chunks)} chunks in an "
                    "adopted table, which has one vector a row",
                )
        with self._writing, translated(self._at):
            if filled:
                self._fill(filled, matrix)
            if emptied := [entry for entry in entries if not entry.chunks]:
                self._empty(emptied)

    def note(self, notes: Sequence[Note]) -> None:
        """Note rows that stand already."""
        entries = [note.entry for note in notes]
        states = [tuple(note.state.split(" ")) for note in notes]
        with self._writing, translated(self._at):
            self._require_own(run(self._table.schema()))
            schema = self._schema_with(field_columns(entries))
            keys = {self._layout.id.name: self._keys(entries)}
            written = {
                **keys,
                **known(entries, states, schema, fields=self._field_columns(schema)),
            }
            self._update(written, schema)
            self._position(entries, emptied=False)

    def stored(
        self, documents: Sequence[DocumentId], *, with_vectors: bool = False
    ) -> StoredBatch:
        """Return what stands for these documents, in their order."""
        places = {document: place for place, document in enumerate(dict.fromkeys(documents))}
        found: list[pa.Table] = []
        with translated(self._at):
            self._require_own(run(self._table.schema()))
            columns = self._stored_columns()
            for part in parts_of(self._held(places)):
                query = self._table.query().where(self._among(part)).select(columns)
                found.append(run(query.to_arrow()))
        if not found:
            return self._batch([], None, with_vectors=with_vectors)
        table = pa.concat_tables(found)
        names = [str(key) for key in table[self._layout.id.name].to_pylist()]
        order = sorted(range(len(names)), key=lambda row: places[DocumentId(names[row])])
        return self._of_table(
            table.take(pa.array(order, pa.int64())), with_vectors=with_vectors
        )

    def scan(self, *, with_vectors: bool = False) -> Iterator[StoredBatch]:
        """Return an iterator over the rows that stand now, known to repoint or not."""
        with translated(self._at):
            self._require_own(run(self._table.schema()))
            snapshot = run(self._snapshot())
            version = run(snapshot.version())
            reader = run(
                snapshot.query()
                .select(self._stored_columns())
                .to_batches(max_batch_length=BATCH)
            )
        return (
            self._of_table(pa.Table.from_batches([batch]), with_vectors=with_vectors)
            for batch in self._read(reader, version)
        )

    def counts(self) -> Counts:
        """Return how much of it repoint knows."""
        with translated(self._at):
            self._require_own(run(self._table.schema()))
            known = run(self._table.count_rows(_KNOWN))
            emptied = run(self._beside.count_rows("emptied"))
            covered = run(indexes.coverage(self._table, self._layout.vector))
            size = sum(f.stat().st_size for f in self._at.rglob("*") if f.is_file())
        return Counts(
            documents=known,
            chunks=known,
            emptied=emptied,
            bytes_on_disk=size,
            unindexed=covered.unindexed if covered else None,
        )

    def purge(
        self, documents: Sequence[DocumentId] = (), *, emptied_below: Lsn | None = None
    ) -> None:
        """Delete rows that repoint wrote or noted, and what it knows of them."""
        with self._writing, translated(self._at):
            for part in parts_of(self._held(documents)):
                condition = f"{self._among(part)} AND {_KNOWN}"
                run(persistently(partial(self._table.delete, condition)))
            for part in parts_of(documents):
                run(persistently(partial(self._beside.delete, _named(part))))
            if emptied_below is not None:
                condition = f"emptied AND lsn < {int(emptied_below)}"
                run(persistently(partial(self._beside.delete, condition)))

    def optimise(self, *, for_search: bool = True) -> None:
        """Let the team's indexes cover what was written; no version of theirs is removed."""
        del for_search
        with self._writing, translated(self._at):
            run(persistently(partial(self._table.optimize, cleanup_older_than=KEPT * 10**6)))
            run(persistently(partial(self._beside.optimize, cleanup_older_than=KEPT)))

    def positions(self) -> dict[DocumentId, tuple[Lsn, bool]]:
        """Return the position of each document that is known, and whether it was emptied."""
        with translated(self._at):
            found = run(self._beside.query().to_arrow())
        return {
            DocumentId(name): (Lsn(lsn), emptied)
            for name, lsn, emptied in zip(
                found["document"].to_pylist(),
                found["lsn"].to_pylist(),
                found["emptied"].to_pylist(),
                strict=True,
            )
        }

    # What the team's table holds in another form

    def _hit(self, score: str) -> dict[str, str]:
        text = self._layout.text.name
        return {
            "document": f"CAST({self._layout.id.name} AS STRING)",
            "slot": "CAST(0 AS INT)",
            "lsn": "repoint_lsn",
            "text": f"coalesce(repoint_text, {text})",
            "start": "repoint_start",
            "end": "repoint_end",
            "metadata": "repoint_metadata",
            score: score,
        }

    def _condition(self, where: Filter | None) -> str:
        found = super()._condition(where)
        return _KNOWN if found is None else f"({_KNOWN}) AND ({found})"

    def _vector_column(self) -> str:
        return self._layout.vector

    def _require_own(self, schema: pa.Schema) -> None:
        """Refuse a table that the team made anew: what was known of it is gone."""
        if "repoint_lsn" not in schema.names:
            raise FingerprintMismatchError(
                collection=self._spec.name, expected=self._spec.fingerprint, found=None
            )

    # Writing

    def _fill(self, entries: Sequence[Entry], matrix: FloatMatrix) -> None:
        schema = self._schema_with(field_columns(entries))
        self._require_own(schema)
        team = typed(self._layout, entries, matrix, schema)
        rows = team.to_pylist()
        states = [
            (state_of(self._layout, row), made_of(vector))
            for row, vector in zip(rows, matrix, strict=True)
        ]
        noted = known(entries, states, schema, fields=self._field_columns(schema))
        written = {name: team[name].combine_chunks() for name in team.schema.names}
        self._update({**written, **noted}, schema)
        whole = pa.table(
            [
                {**written, **noted}.get(one.name, pa.nulls(len(entries), one.type))
                for one in schema
            ],
            schema=schema,
        )
        run(persistently(partial(self._insert, whole)))
        self._position(entries, emptied=False)
        self._give_way(entries)

    def _empty(self, entries: Sequence[Entry]) -> None:
        """Write tombstones; a document that cannot be taken leaves its row as it is."""
        self._position(entries, emptied=True)
        deleted = [entry for entry in entries if entry.content is None]
        # Also rows that nobody noted: they are deleted by whoever deletes the document.
        self._give_way(deleted, also="repoint_lsn IS NULL OR")
        refused = [entry for entry in entries if entry.content is not None]
        held = self._held([entry.document for entry in refused])
        for entry in refused:
            if entry.document in held:
                mine = f"{self._among([entry.document])} AND repoint_lsn <= {entry.lsn}"
                clear = {"repoint_digest": "NULL", "repoint_lsn": str(entry.lsn)}
                run(persistently(partial(self._table.update, clear, where=mine)))

    def _give_way(self, entries: Sequence[Entry], *, also: str = "") -> None:
        """Delete rows that are older than a tombstone beside them."""
        for part in parts_of([entry.document for entry in entries]):
            query = self._beside.query().where(f"emptied AND {_named(part)}")
            found = run(query.to_arrow())
            for name, lsn in zip(
                found["document"].to_pylist(), found["lsn"].to_pylist(), strict=True
            ):
                if self._held([DocumentId(name)]):
                    mine = self._among([DocumentId(name)])
                    older = f"({also} repoint_lsn <= {lsn})"
                    run(persistently(partial(self._table.delete, f"{mine} AND {older}")))

    def _position(self, entries: Sequence[Entry], *, emptied: bool) -> None:
        data = pa.table(
            [
                [entry.document for entry in entries],
                [entry.lsn for entry in entries],
                [emptied] * len(entries),
            ],
            schema=BESIDE,
        )

        async def merge() -> None:
            await (
                self._beside.merge_insert("document")
                .when_matched_update_all(where="target.lsn <= source.lsn")
                .when_not_matched_insert_all()
                .execute(data)
            )

        run(persistently(merge))

    def _update(self, columns: Mapping[str, pa.Array], schema: pa.Schema) -> None:
        """Write columns of rows that stand, each unless a higher LSN is noted there."""
        part = pa.schema([schema.field(name) for name in columns])
        data = pa.table([pa.array(one) for one in columns.values()], schema=part)

        async def merge() -> None:
            await (
                self._table.merge_insert(self._layout.id.name)
                .when_matched_update_all(
                    where="target.repoint_lsn IS NULL OR "
                    "target.repoint_lsn <= source.repoint_lsn"
                )
                .execute(data)
            )

        run(persistently(merge))

    async def _insert(self, data: pa.Table) -> None:
        await (
            self._table.merge_insert(self._layout.id.name)
            .when_not_matched_insert_all()
            .execute(data)
        )

    def _field_columns(self, schema: pa.Schema) -> list[str]:
        team = json.loads((run(self._beside.schema()).metadata or {})[TEAM])
        return added_fields(schema.names, team)

    # Reading

    def _stored_columns(self) -> list[str]:
        return [*columns_of(self._layout), self._layout.vector, *NOTES.names]

    def _of_table(self, table: pa.Table, *, with_vectors: bool) -> StoredBatch:
        vectors = matrix_of(table[self._layout.vector], self._spec.dimensions)
        wanted = [*columns_of(self._layout), *NOTES.names]
        rows = table.select(wanted).to_pylist()
        kept = [
            place
            for place, row in enumerate(rows)
            if row["repoint_digest"] is not None
            or (
                row["repoint_state"] != state_of(self._layout, row)
                and document_of(self._layout, row).text.strip()
            )
        ]
        return self._batch([rows[p] for p in kept], vectors[kept], with_vectors=with_vectors)

    def _batch(
        self,
        rows: Sequence[Mapping[str, object]],
        vectors: FloatMatrix | None,
        *,
        with_vectors: bool,
    ) -> StoredBatch:
        given = np.empty((0, self._spec.dimensions), np.float32) if vectors is None else vectors
        for place, row in enumerate(rows):
            if row["repoint_made"] != made_of(given[place]):
                given[place] = np.nan  # another vector than the one that was noted
        return StoredBatch(
            documents=[DocumentId(str(row[self._layout.id.name])) for row in rows],
            slots=np.zeros(len(rows), dtype=np.int32),
            lsns=np.array([int(str(row["repoint_lsn"] or 0)) for row in rows], dtype=np.int64),
            digests=[
                str(row["repoint_digest"])
                if row["repoint_digest"] is not None
                and row["repoint_state"] == state_of(self._layout, row)
                else BYPASSED
                for row in rows
            ],
            vectors=given if with_vectors else None,
        )

    def _held(self, documents: Iterable[DocumentId]) -> list[DocumentId]:
        """Return the documents that can have a row there."""
        return [one for one in documents if not self._layout.id.refuses_id(one)]

    def _keys(self, entries: Sequence[Entry]) -> pa.Array:
        whole = self._layout.id.kind is FieldKind.INTEGER
        kind = run(self._table.schema()).field(self._layout.id.name).type
        return pa.array([int(e.document) if whole else e.document for e in entries], kind)

    def _among(self, documents: Sequence[DocumentId]) -> str:
        whole = self._layout.id.kind is FieldKind.INTEGER
        values = [one if whole else text_literal(one) for one in documents]
        return f"{self._layout.id.name} IN ({', '.join(values)})"


def _named(documents: Sequence[DocumentId]) -> str:
    return f"document IN ({', '.join(map(text_literal, documents))})"
