"""One release's vectors as one table of an embedded LanceDB."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Final, TypeVar

import pyarrow as pa
from lancedb import AsyncConnection, AsyncTable
from lancedb.arrow import AsyncRecordBatchReader

from repoint.backends.lancedb import forgetting, indexes
from repoint.backends.lancedb.engine import run
from repoint.backends.lancedb.failures import FAILURES, may_pass, translated
from repoint.backends.lancedb.filters import NEVER, columns_of, sql, text_literal
from repoint.backends.lancedb.schema import (
    FILLED,
    KEY,
    field_columns,
    hit_columns,
    hits,
    rows,
    spec_of,
    stored_batch,
    stored_columns,
)
from repoint.domain.document import Entry
from repoint.domain.errors import (
    BackendUnavailableError,
    CorruptionError,
    FingerprintMismatchError,
    UnsupportedError,
)
from repoint.domain.filters import Filter
from repoint.domain.ids import DocumentId, Lsn
from repoint.domain.spec import Distance
from repoint.ports.backend import (
    CollectionSpec,
    Counts,
    FloatVector,
    Hit,
    SpaceMatrix,
    SpaceVector,
    StoredBatch,
)
from repoint.ports.spaces import chunk_rows, query_values

#: How often a write is tried while other writers are faster.
ATTEMPTS: Final = 6
#: Wait before the second attempt; doubled for each that follows.
PAUSE: Final = timedelta(milliseconds=50)
#: Rows of one batch of a scan.
BATCH: Final = 1024
#: Seconds for which a search trusts that the table is still this release's.
OWNED: Final = 0.5
#: Documents named in one condition.
NAMED: Final = 1000
#: Files of older versions are kept this long for readers that began before.
KEPT: Final = timedelta(minutes=10)

T = TypeVar("T")


class LanceCollection:
    """One table. A handle sees what other processes commit, at its next call."""

    def __init__(
        self, *, spec: CollectionSpec, table: AsyncTable, connection: AsyncConnection, at: Path
    ) -> None:
        self._spec = spec
        self._table = table
        self._connection = connection
        self._at = at
        # Writers of one process take turns: at once they would only conflict.
        self._writing = Lock()
        self._columns: frozenset[str] = frozenset()
        #: When the table was last seen to be this release's.
        self._owned = time.monotonic()

    @property
    def spec(self) -> CollectionSpec:
        """What it was made with, as the table's schema carries it."""
        return self._spec

    def put(self, entries: Sequence[Entry], vectors: SpaceMatrix) -> None:
        """Write whole documents in one commit, each slot unless a higher LSN stands there."""
        matrix = chunk_rows(self._spec, entries, vectors)
        if not entries:
            return
        wanted = field_columns(entries)
        with self._writing, translated(self._at):
            self._require_own(run(self._table.schema()))
            schema = self._schema_with(wanted)
            while True:
                # The data set is kept for all attempts: the same rows are the same writing.
                data = rows(entries, matrix, schema)
                run(persistently(partial(self._merge, data)))
                written_with, schema = schema, run(self._table.schema())
                # A column that another writer added meanwhile kept its old values in rows
                # that we replaced: write them again, with that column empty.
                if len(schema) == len(written_with):
                    return

    def search(
        self,
        query: SpaceVector,
        *,
        limit: int,
        where: Filter | None = None,
        exact: bool = False,
    ) -> list[Hit]:
        """Return the nearest chunks."""
        values = query_values(self._spec, query)
        with translated(self._at):
            if time.monotonic() - self._owned > OWNED:
                self._require_own(run(self._table.schema()))
            condition = self._condition(where)
            if limit <= 0 or condition == NEVER:
                return []
            ask = partial(self._nearest, values, limit=limit, condition=condition, exact=exact)
            found = run(_of_now(ask))
        distances = found["_distance"].to_pylist()
        if self._spec.distance is Distance.L2:
            scores = [-distance for distance in distances]
        else:
            scores = [1.0 - distance for distance in distances]
        return hits(found, scores, limit=limit)

    def search_text(self, text: str, *, limit: int, where: Filter | None = None) -> list[Hit]:
        """Return the chunks that match the words, by the engine's BM25."""
        if not self._spec.lexical:
            raise UnsupportedError(
                driver="lancedb",
                what=f"text search in {self._spec.name}",
                hint="give the release a hybrid section",
            )
        with translated(self._at):
            condition = self._condition(where)
            if limit <= 0 or condition == NEVER:
                return []
            ask = partial(self._matching, text, limit=limit, condition=condition)
            found = run(_of_now(ask))
        return hits(found, found["_score"].to_pylist(), limit=limit)

    def stored(
        self, documents: Sequence[DocumentId], *, with_vectors: bool = False
    ) -> StoredBatch:
        """Return what stands for these documents, in their order and that of the slots."""
        places = {document: place for place, document in enumerate(dict.fromkeys(documents))}
        with translated(self._at):
            self._require_own(run(self._table.schema()))
            found = run(_of_now(partial(self._named, list(places), with_vectors=with_vectors)))
        keys = zip(found["document"].to_pylist(), found["slot"].to_pylist(), strict=True)
        ranked = sorted(
            (places[document], slot, row) for row, (document, slot) in enumerate(keys)
        )
        order = pa.array([row for *_, row in ranked], pa.int64())
        return stored_batch(found.take(order), self._spec.dimensions)

    def scan(self, *, with_vectors: bool = False) -> Iterator[StoredBatch]:
        """Return an iterator over the chunks that stand now."""
        with translated(self._at):
            self._require_own(run(self._table.schema()))
            snapshot = run(self._snapshot())
            query = snapshot.query().where(FILLED)
            query = query.select(stored_columns(with_vectors=with_vectors))
            reader = run(query.to_batches(max_batch_length=BATCH))
            version = run(snapshot.version())
        return self._batches(reader, version)

    def counts(self) -> Counts:
        """Return how much it holds; a document is counted by its first slot."""
        with translated(self._at):
            everything, filled, first, covered = run(self._counted())
            size = sum(f.stat().st_size for f in self._at.rglob("*") if f.is_file())
        return Counts(
            documents=first,
            chunks=filled,
            emptied=everything - filled,
            bytes_on_disk=size,
            unindexed=covered.unindexed if covered else None,
        )

    def purge(
        self, documents: Sequence[DocumentId] = (), *, emptied_below: Lsn | None = None
    ) -> None:
        """Delete these documents' rows, and emptied slots below the LSN.

        Nothing reads them again. Their bytes stay in a file until ``optimise`` rewrites it,
        which it does for small files and for those of which a tenth is deleted, and
        ``KEPT`` longer; dropping the collection removes them at once.
        """
        conditions = [_among(part) for part in parts_of(documents)]
        if emptied_below is not None:
            conditions.append(f"text IS NULL AND lsn < {int(emptied_below)}")
        with self._writing, translated(self._at):
            for condition in conditions:
                run(persistently(partial(self._table.delete, condition)))

    def optimise(self, *, for_search: bool = True) -> None:
        """Build or extend the indexes, merge small files, let old versions go.

        Without ``for_search`` no index is built but that of the key, which writing needs.
        """
        with self._writing, translated(self._at):
            if self._spec.lexical and for_search:
                run(persistently(partial(indexes.add_text_index, self._table)))
            run(persistently(partial(indexes.merge, self._table, older_than=KEPT)))
            run(persistently(partial(indexes.index_documents, self._table)))
            if for_search:
                run(persistently(partial(indexes.index_vectors, self._table, self._spec)))

    def forget(self) -> int:
        """Let nothing that was replaced, emptied or purged stay in the table's files."""
        with self._writing, translated(self._at):
            again = partial(forgetting.rewrite_files, self._table, self._at, kept=KEPT)
            run(persistently(again))
            if self._spec.lexical:
                run(persistently(partial(forgetting.rewrite_text_index, self._table)))
            return run(persistently(partial(forgetting.prune, self._table, self._at)))

    def _schema_with(self, wanted: dict[str, pa.DataType]) -> pa.Schema:
        schema = run(self._table.schema())
        for _ in range(ATTEMPTS):
            missing = [pa.field(n, t) for n, t in wanted.items() if n not in schema.names]
            if not missing:
                break
            try:
                run(self._table.add_columns(missing))
            except (ValueError, *FAILURES) as error:
                # Another writer may have added one of them since we looked.
                if not may_pass(error):
                    raise
            schema = run(self._table.schema())
        return schema

    async def _merge(self, data: pa.Table) -> None:
        await (
            self._table.merge_insert(list(KEY))
            .when_matched_update_all(where="target.lsn <= source.lsn")
            .when_not_matched_insert_all()
            .execute(data, on_bad_vectors="null")
        )

    def _require_own(self, schema: pa.Schema) -> None:
        """Refuse a table that someone put in the place of this one (INV-1)."""
        found = spec_of(schema, self._spec.name)
        if found is None or found.fingerprint != self._spec.fingerprint:
            raise FingerprintMismatchError(
                collection=self._spec.name,
                expected=self._spec.fingerprint,
                found=found.fingerprint if found else None,
            )
        self._owned = time.monotonic()

    def _condition(self, where: Filter | None) -> str | None:
        if where is None:
            return None
        # Columns are never taken away, so only one that seems unknown needs a look.
        if not columns_of(where) <= self._columns:
            self._columns = frozenset(run(self._table.schema()).names)
        return sql(where, self._columns)

    def _hit(self, score: str) -> list[str] | dict[str, str]:
        """Return what a search asks for."""
        return hit_columns(score)

    def _vector_column(self) -> str:
        return "vector"

    async def _nearest(
        self, values: FloatVector, *, limit: int, condition: str | None, exact: bool
    ) -> pa.Table:
        ann = self._spec.ann.search
        nprobes = int(ann.get("nprobes", indexes.NPROBES))
        # By its buffer: made from an array it would import numpy.ma, 35 ms of a rollback.
        buffers = [None, pa.py_buffer(values)]
        question = pa.Array.from_buffers(pa.float32(), len(values), buffers)

        async def first(count: int) -> pa.Table:
            query = self._table.query().nearest_to(question).column(self._vector_column())
            query = query.distance_type(self._spec.distance.value).limit(count)
            if condition is not None:
                query = query.where(condition)
            if exact:
                query = query.bypass_vector_index()
            else:
                # No maximum: a filter that leaves few rows is followed to the last one.
                query = query.maximum_nprobes(0).minimum_nprobes(nprobes)
                if "ef" in ann:
                    query = query.ef(max(int(ann["ef"]), count))
            return await query.select(self._hit("_distance")).to_arrow()

        return await _whole_ties(first, limit=limit)

    async def _matching(self, text: str, *, limit: int, condition: str | None) -> pa.Table:
        query = self._table.query().nearest_to_text(text, columns="text").limit(limit)
        if condition is not None:
            query = query.where(condition)
        return await query.select(hit_columns("_score")).to_arrow()

    async def _named(self, documents: Sequence[DocumentId], *, with_vectors: bool) -> pa.Table:
        columns = stored_columns(with_vectors=with_vectors)
        found = [
            await self._table.query()
            .where(f"{FILLED} AND {_among(part)}")
            .select(columns)
            .to_arrow()
            for part in parts_of(documents)
        ]
        if not found:
            schema = await self._table.schema()
            return pa.schema([schema.field(name) for name in columns]).empty_table()
        return pa.concat_tables(found)

    async def _snapshot(self) -> AsyncTable:
        version = await self._table.version()
        table = await self._connection.open_table(self._at.stem)
        await table.checkout(version)
        return table

    def _batches(self, reader: AsyncRecordBatchReader, version: int) -> Iterator[StoredBatch]:
        for batch in self._read(reader, version):
            yield stored_batch(batch, self._spec.dimensions)

    def _read(self, reader: AsyncRecordBatchReader, version: int) -> Iterator[pa.RecordBatch]:
        while True:
            try:
                with translated(self._at):
                    batch = run(_next(reader))
            except CorruptionError as error:
                if run(self._table.version()) == version:
                    raise
                raise BackendUnavailableError(
                    f"a scan of {self._spec.name} was overtaken: what is rewritten "
                    f"meanwhile is kept for {KEPT.total_seconds() / 60:.0f} minutes",
                    hint="start it again",
                ) from error
            if batch is None:
                return
            if batch.num_rows:
                yield batch

    async def _counted(self) -> tuple[int, int, int, indexes.Coverage | None]:
        table = await self._snapshot()
        return (
            await table.count_rows(),
            await table.count_rows(FILLED),
            await table.count_rows(f"slot = 0 AND {FILLED}"),
            await indexes.coverage(table),
        )


async def _of_now(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask, and once more where the version that was being read is let go of meanwhile.

    ``forget`` keeps no older version; what is really gone fails the second time as well.
    """
    try:
        return await ask()
    except FAILURES:
        return await ask()


async def persistently(call: Callable[[], Awaitable[T]]) -> T:
    """Make a call that other writers' commits may defeat, again if need be."""
    for attempt in range(ATTEMPTS - 1):
        try:
            return await call()
        except FAILURES as error:
            if not may_pass(error):
                raise
        await asyncio.sleep(PAUSE.total_seconds() * 2**attempt)
    return await call()


async def _whole_ties(first: Callable[[int], Awaitable[pa.Table]], *, limit: int) -> pa.Table:
    """Return at least the first rows, with all that are equal to the last of them.

    Which of equal rows an engine puts first is its own affair; ours is the document's id.
    """
    count = limit + 1
    while True:
        found = await first(count)
        distances = found["_distance"]
        if found.num_rows < count or distances[limit - 1] != distances[count - 1]:
            return found
        count *= 2


async def _next(reader: AsyncRecordBatchReader) -> pa.RecordBatch | None:
    async for batch in reader:
        return batch
    return None


def parts_of(documents: Sequence[DocumentId]) -> list[Sequence[DocumentId]]:
    """Return the documents in parts that one condition may name."""
    return [documents[start : start + NAMED] for start in range(0, len(documents), NAMED)]


def _among(documents: Sequence[DocumentId]) -> str:
    return f"document IN ({', '.join(map(text_literal, documents))})"
