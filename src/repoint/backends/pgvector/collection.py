"""One release's vectors as one table."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, TypeAlias

import numpy as np
from psycopg import errors, sql

from repoint.backends.pgvector import indexes, tables
from repoint.backends.pgvector.adopted import AdoptedTable
from repoint.backends.pgvector.connections import (
    EF_SEARCH,
    Connections,
    Link,
    Packed,
    translated,
)
from repoint.backends.pgvector.filters import Values, condition
from repoint.backends.pgvector.tables import look, rows_of, table_name
from repoint.backends.pgvector.text import escaped, plain
from repoint.domain.document import Entry, Metadata, digest_of
from repoint.domain.errors import (
    CollectionMissingError,
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

#: Rows of one batch of a scan.
BATCH: Final = 1024
#: Seconds for which a search trusts that the table is still this release's.
OWNED: Final = 0.5
#: The most that the index can keep in view.
MOST_EF: Final = 1000

Found: TypeAlias = tuple[str, int, int, str, int, int, Metadata, float]
Stored: TypeAlias = tuple[str, int, int, str | None, FloatVector | None, str | None]

_HIT: Final = sql.SQL('document, slot, lsn, text, "start", "end", metadata')
_OPERATORS: Final = {
    Distance.COSINE: sql.SQL("<=>"),
    Distance.DOT: sql.SQL("<#>"),
    Distance.L2: sql.SQL("<->"),
}
#: The words of a text, any of which may be found; each quoted, so none is syntax.
_ANY_WORD: Final = """
(SELECT coalesce(string_agg(
    '''' || replace(replace(word, '\\', '\\\\'), '''', '''''') || '''', ' | '), '')::tsquery
FROM unnest(tsvector_to_array(to_tsvector('pg_catalog.simple', %(text)s))) AS word)
"""


class PgvectorCollection:
    """One table. A handle sees what other processes commit, at its next call."""

    def __init__(
        self, *, spec: CollectionSpec, schema: str, connections: Connections, indexed: bool
    ) -> None:
        self._spec = spec
        self._schema = schema
        self._connections = connections
        self._table = sql.Identifier(schema, table_name(spec.name))
        #: None where repoint made the table itself.
        self._adopted = (
            AdoptedTable(spec, spec.adopted, schema=schema) if spec.adopted else None
        )
        #: What is searched.
        self._rows: sql.Composable = self._adopted.rows if self._adopted else self._table
        #: Whether there is an approximate index, and when that was last looked at.
        self._indexed = indexed
        self._owned = time.monotonic()

    @property
    def spec(self) -> CollectionSpec:
        """What it was made with, as the table's comment carries it."""
        return self._spec

    def put(self, entries: Sequence[Entry], vectors: SpaceMatrix) -> None:
        """Write whole documents in one transaction, each slot unless a higher LSN is there."""
        matrix = chunk_rows(self._spec, entries, vectors)
        if not entries:
            return

        def write(link: Link) -> None:
            if self._adopted:
                with self._owning(link):
                    self._adopted.write(link, self._adopted.rows_of(entries, matrix))
                return
            with suppress(errors.UniqueViolation), self._owning(link):
                if tables.insert(link, self._table, rows):
                    return
            tables.stage(link)
            with self._owning(link):
                tables.merge(link, self._table, rows)

        with translated(self._spec.name):
            rows = [] if self._adopted else list(rows_of(entries, matrix))
        self._connections.run(write, about=self._spec.name)

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
        if limit <= 0:
            return []
        found = self._connections.run(
            lambda link: self._nearest(link, values, limit=limit, where=where, exact=exact),
            about=self._spec.name,
        )
        return _hits(found, limit=limit)

    def search_text(self, text: str, *, limit: int, where: Filter | None = None) -> list[Hit]:
        """Return the chunks that share a word with the text, by the server's own rank."""
        if not self._spec.lexical:
            raise UnsupportedError(
                driver="pgvector",
                what=f"text search in {self._spec.name}",
                hint="give the release a hybrid section",
            )
        values: Values = {"text": escaped(text)}
        query = sql.SQL(
            "SELECT {hit}, ts_rank(words, wanted, 1)::float8 AS score "
            "FROM {table}, {any_word} AS asked (wanted) WHERE words @@ wanted AND {condition} "
            "ORDER BY score DESC, document, slot LIMIT {limit}"
        ).format(
            hit=_HIT,
            table=self._rows,
            any_word=sql.SQL(_ANY_WORD),
            condition=_filtered(where, values),
            limit=sql.Literal(max(limit, 0)),
        )
        found = self._connections.run(
            lambda link: link.connection.execute(query, values).fetchall(),
            about=self._spec.name,
        )
        return _hits(found, limit=limit)

    def stored(
        self, documents: Sequence[DocumentId], *, with_vectors: bool = False
    ) -> StoredBatch:
        """Return what stands for these documents, in their order and that of the slots."""
        places = {document: place for place, document in enumerate(dict.fromkeys(documents))}
        query = sql.SQL("{} AND document = ANY(%s)").format(self._stored(with_vectors))
        names = [escaped(one) for one in places]
        if self._adopted:
            query = self._adopted.stored_of(with_vectors=with_vectors)
            names = self._adopted.keys(places)

        def read(link: Link) -> list[Stored]:
            self._require_own(link)
            with link.connection.cursor(binary=True) as cursor:
                return cursor.execute(query, (names,)).fetchall()

        found = self._connections.run(read, about=self._spec.name)
        found.sort(key=lambda row: (places[DocumentId(plain(row[0]))], row[1]))
        return self._batch(found, with_vectors=with_vectors)

    def scan(self, *, with_vectors: bool = False) -> Iterator[StoredBatch]:
        """Return an iterator over the chunks that stand now; it holds a connection."""
        batches = self._batches(with_vectors=with_vectors)
        next(batches)  # from here on the snapshot stands
        return batches

    def counts(self) -> Counts:
        """Return how much it holds; a document is counted by its first slot."""
        if self._adopted:
            return self._connections.run(self._counted, about=self._spec.name)
        query = sql.SQL(
            "SELECT count(*), count(text), count(text) FILTER (WHERE slot = 0), "
            "pg_total_relation_size({}) FROM {}"
        ).format(sql.Literal(self._table.as_string()), self._table)

        def count(link: Link) -> tuple[int, ...]:
            self._require_own(link)
            return link.connection.execute(query).fetchone() or (0, 0, 0, 0)

        everything, filled, documents, size = self._connections.run(
            count, about=self._spec.name
        )
        return Counts(
            documents=documents,
            chunks=filled,
            emptied=everything - filled,
            bytes_on_disk=size,
            unindexed=0 if self._indexed else None,
        )

    def purge(
        self, documents: Sequence[DocumentId] = (), *, emptied_below: Lsn | None = None
    ) -> None:
        """Delete these documents' rows, and emptied slots below the LSN, in one transaction.

        Nothing reads them again. Their bytes are overwritten after ``optimise``, or after
        the server's own vacuum.
        """
        delete = sql.SQL("DELETE FROM {} WHERE ").format(self._table)

        def write(link: Link) -> None:
            with link.connection.transaction():
                if self._adopted:
                    self._adopted.purge(link, documents, emptied_below)
                    return
                if documents:
                    among = ([escaped(one) for one in documents],)
                    link.connection.execute(delete + sql.SQL("document = ANY(%s)"), among)
                if emptied_below is not None:
                    link.connection.execute(
                        delete + sql.SQL("text IS NULL AND lsn < %s"), (emptied_below,)
                    )

        self._connections.run(write, about=self._spec.name)

    def optimise(self, *, for_search: bool = True) -> None:
        """Build the indexes that are due, and let the server clear dead rows away."""

        def build(link: Link) -> None:
            indexes.bring_up(link, self._schema, self._spec, for_search=for_search)
            self._require_own(link)

        self._connections.run(build, about=self._spec.name)

    @contextmanager
    def _owning(self, link: Link) -> Iterator[None]:
        """Give a transaction before whose end nobody can put another table in this place."""
        with link.connection.transaction():
            link.connection.execute(
                sql.SQL("LOCK TABLE {} IN ROW EXCLUSIVE MODE").format(self._table)
            )
            self._require_own(link)
            yield

    def _nearest(
        self, link: Link, values: FloatVector, *, limit: int, where: Filter | None, exact: bool
    ) -> list[Found]:
        """Return at least the nearest, with all that are as near as the last of them.

        Where the index gives fewer than were asked for, every vector is compared.
        """
        if time.monotonic() - self._owned > OWNED:
            self._require_own(link)
        approximate = self._indexed and not exact
        count = limit + 1
        while True:
            found = self._selected(link, values, count=count, where=where, index=approximate)
            if approximate and len(found) < count:
                approximate = False
            elif len(found) < count or found[limit - 1][-1] != found[count - 1][-1]:
                break
            else:
                count *= 2
        return [(*row[:-1], self._score(row[-1])) for row in found]

    def _selected(
        self,
        link: Link,
        values: FloatVector,
        *,
        count: int,
        where: Filter | None,
        index: bool,
    ) -> list[Found]:
        parameters: Values = {}
        distance = sql.SQL("embedding {} %(query)s").format(_OPERATORS[self._spec.distance])
        if index:
            ef = int(self._spec.ann.search.get("ef", EF_SEARCH))
            _keep_in_view(link, min(max(ef, count), MOST_EF))
        elif self._spec.distance is Distance.COSINE:
            # Not what is indexed, so no index answers. A vector of zeros has no direction:
            # its similarity is 0.
            distance = sql.SQL("coalesce(nullif({}, 'NaN'), 1)").format(distance)
        else:
            distance = sql.SQL("({}) + 0").format(distance)
        query = sql.SQL(
            "SELECT {hit}, {distance} AS distance FROM {table} "
            "WHERE embedding IS NOT NULL AND text IS NOT NULL AND {condition} "
            "ORDER BY distance LIMIT {count}"
        ).format(
            hit=_HIT,
            distance=distance,
            table=self._rows,
            condition=_filtered(where, parameters),
            count=sql.Literal(count),
        )
        asked = {**parameters, "query": Packed.of(values)}
        return link.connection.execute(query, asked).fetchall()

    def _score(self, distance: float) -> float:
        if self._spec.distance is Distance.COSINE:
            return 1.0 - distance
        return -distance if self._spec.distance is Distance.DOT else -distance * distance

    def _batches(self, *, with_vectors: bool) -> Iterator[StoredBatch]:
        with (
            translated(self._spec.name),
            self._connections.use() as link,
            link.connection.transaction(),
            link.connection.cursor("repoint_scan", binary=True) as cursor,
        ):
            self._require_own(link)
            cursor.execute(self._stored(with_vectors))
            yield self._batch([], with_vectors=with_vectors)
            while found := cursor.fetchmany(BATCH):
                yield self._batch(found, with_vectors=with_vectors)

    def _counted(self, link: Link) -> Counts:
        self._require_own(link)
        assert self._adopted is not None  # noqa: S101 - only asked of an adopted one
        return self._adopted.counts(link, indexed=self._indexed)

    def _stored(self, with_vectors: bool) -> sql.Composed:  # noqa: FBT001 - one of two queries
        if self._adopted:
            return self._adopted.stored(with_vectors=with_vectors)
        vector = sql.SQL("embedding, text" if with_vectors else "NULL, ''")
        return sql.SQL(
            "SELECT document, slot, lsn, digest, {} FROM {} WHERE text IS NOT NULL"
        ).format(vector, self._table)

    def _batch(self, rows: Sequence[Stored], *, with_vectors: bool) -> StoredBatch:
        """Return rows as a batch.

        Where the text is there, its digest is taken from it and not from what was noted when
        it was written, so that a text changed behind repoint's back shows.
        """
        vectors = None
        digests = [row[3] or "" for row in rows]
        if with_vectors:
            vectors = np.full((len(rows), self._spec.dimensions), np.nan, dtype=np.float32)
            for place, row in enumerate(rows):
                if row[4] is not None:
                    vectors[place] = row[4]
            digests = [
                digest if row[5] is None else digest_of(plain(row[5]))
                for digest, row in zip(digests, rows, strict=True)
            ]
        return StoredBatch(
            documents=[DocumentId(plain(row[0])) for row in rows],
            slots=np.array([row[1] for row in rows], dtype=np.int32),
            lsns=np.array([row[2] for row in rows], dtype=np.int64),
            digests=digests,
            vectors=vectors,
        )

    def _require_own(self, link: Link) -> None:
        """Refuse a table that someone put in the place of this one (INV-1)."""
        seen = look(link, self._schema, self._spec.name)
        if seen is None:
            raise CollectionMissingError(collection=self._spec.name)
        if seen.spec is None or seen.spec.fingerprint != self._spec.fingerprint:
            raise FingerprintMismatchError(
                collection=self._spec.name,
                expected=self._spec.fingerprint,
                found=seen.spec.fingerprint if seen.spec else None,
            )
        self._indexed, self._owned = seen.indexed, time.monotonic()


def _keep_in_view(link: Link, ef: int) -> None:
    if link.ef_search != ef:
        link.connection.execute(sql.SQL("SET hnsw.ef_search TO {}").format(sql.Literal(ef)))
        link.ef_search = ef


def _filtered(where: Filter | None, values: Values) -> sql.Composable:
    return sql.SQL("true") if where is None else condition(where, values)


def _hits(found: Sequence[Found], *, limit: int) -> list[Hit]:
    """Return the best rows as hits, equal scores by document id and slot."""
    ranked = sorted(found, key=lambda row: (-row[-1], plain(row[0]), row[1]))
    return [
        Hit(
            document=DocumentId(plain(document)),
            slot=slot,
            lsn=Lsn(lsn),
            score=score,
            text=plain(text),
            start=start,
            end=end,
            metadata=metadata,
        )
        for document, slot, lsn, text, start, end, metadata, score in ranked[:limit]
    ]
