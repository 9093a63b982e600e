"""A team's own table as a collection: its rows stay, what repoint knows stands beside them.

Beside the team's table stands one of repoint's, with a row for each document: its position
in the log, its digest, its metadata. Searches join the two; the team's index on its vectors
is the one that is used. A row that repoint does not know of is found by no search, and by
``bypassed``. The team's columns are written only when a document is written through repoint.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from psycopg import sql

from repoint.backends.pgvector.connections import Link, Packed
from repoint.backends.pgvector.describing import table_of
from repoint.backends.pgvector.filters import fields
from repoint.backends.pgvector.tables import parts_of, table_name
from repoint.backends.pgvector.text import escaped
from repoint.domain.adoption import Field, FieldKind, Layout
from repoint.domain.document import Document, Entry, Json
from repoint.domain.errors import UnsupportedError
from repoint.domain.ids import DocumentId, Lsn
from repoint.ports.adoption import Note
from repoint.ports.backend import CollectionSpec, Counts, FloatMatrix

#: A text with something to read.
_READABLE: Final = sql.SQL("{text} ~ '[^[:space:]]'")

Row: TypeAlias = tuple[
    str, str | None, int, str | None, Packed | None, str | None, int | None, int | None,
    str | None, str, str | None, str | None, str | None,
]  # fmt: skip

_BESIDE: Final = """
CREATE TABLE {beside} AS SELECT
    NULL::text COLLATE "C" AS document, 0 AS slot, 0::bigint AS lsn, NULL::text AS digest,
    {id} AS key, NULL::text AS text, 0 AS "start", 0 AS "end", NULL::json AS metadata,
    '{{}}'::jsonb AS fields, NULL::tsvector AS words, NULL::text AS state, NULL::text AS made
FROM {table} AS t WITH NO DATA
"""
_KEYS: Final = """
ALTER TABLE {beside} ADD PRIMARY KEY (document, slot), ADD UNIQUE (key),
    ALTER lsn SET NOT NULL, ALTER fields SET NOT NULL
"""
_STAGE: Final = """
CREATE TEMPORARY TABLE repoint_adopted_stage (
    document text COLLATE "C", key text, lsn bigint, digest text, embedding vector, text text,
    "start" integer, "end" integer, metadata text, fields text, state text, content text,
    searched text
) ON COMMIT DELETE ROWS
"""
_STAGE_TYPES: Final = (
    "text", "text", "int8", "text", "vector", "text", "int4", "int4", "text", "text", "text",
    "text", "text",
)  # fmt: skip
_MERGE: Final = """
INSERT INTO {beside} AS target (document, slot, lsn, digest, key, text, "start", "end",
    metadata, fields, words, state, made)
SELECT document, 0, lsn, digest, key::{type}, text, "start", "end", metadata::json,
    fields::jsonb, to_tsvector('pg_catalog.simple', searched),
    split_part(state, ' ', 1), split_part(state, ' ', 2)
FROM pg_temp.repoint_adopted_stage ORDER BY document COLLATE "C"
ON CONFLICT (document, slot) DO UPDATE SET
    lsn = excluded.lsn, digest = excluded.digest, key = excluded.key, text = excluded.text,
    "start" = excluded."start", "end" = excluded."end", metadata = excluded.metadata,
    fields = excluded.fields, words = excluded.words, state = excluded.state,
    made = excluded.made
WHERE target.lsn <= excluded.lsn
RETURNING document
"""
#: Rows that stand are changed first, so that what is theirs alone stays.
_CHANGE: Final = """
UPDATE {table} AS t SET {sets}, {vector} = s.embedding
FROM pg_temp.repoint_adopted_stage s,
    LATERAL jsonb_populate_record(NULL::{table}, s.content::jsonb) AS r
WHERE s.document = ANY(%s) AND s.digest IS NOT NULL AND t.{id} = r.{id}
"""
_FILL: Final = """
INSERT INTO {table} AS t ({columns}, {vector})
SELECT {values}, s.embedding FROM pg_temp.repoint_adopted_stage s,
    LATERAL jsonb_populate_record(NULL::{table}, s.content::jsonb) AS r
WHERE s.document = ANY(%s) AND s.digest IS NOT NULL
ON CONFLICT ({id}) DO NOTHING
"""
#: What the database puts into columns without a value.
_DEFAULTS: Final = """
SELECT a.attname, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d
JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
JOIN pg_class c ON c.oid = d.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s AND a.attname = ANY(%s)
"""
_EMPTY: Final = """
DELETE FROM {table} AS t USING pg_temp.repoint_adopted_stage s
WHERE s.document = ANY(%s) AND s.digest IS NULL AND s.content IS NULL
    AND t.{id} = s.key::{type}
"""
#: As the rows are once they are written: the team's own triggers may have had their say.
_NOTE: Final = """
UPDATE {beside} AS b SET state = {state}, made = {made} FROM {table} AS t
WHERE t.{id} = b.key AND b.document = ANY(%s)
"""


#: A row that is not as repoint left it has a digest that no chunk has.
_STORED: Final = """
SELECT coalesce(b.document, t.{id}::text), coalesce(b.slot, 0), coalesce(b.lsn, 0),
    CASE WHEN b.digest IS NOT NULL AND b.state = {state} THEN b.digest ELSE 'bypassed' END,
    $VECTOR, NULL::text
FROM {table} AS t LEFT JOIN {beside} AS b ON b.key = t.{id}
WHERE (b.digest IS NOT NULL OR (b.state IS DISTINCT FROM {state} AND {readable}))
"""


class AdoptedTable:
    """The statements of one adopted table."""

    def __init__(self, spec: CollectionSpec, layout: Layout, *, schema: str) -> None:
        self._layout = layout
        self._lexical = spec.lexical
        self._table = table_of(layout)
        self.beside = sql.Identifier(schema, table_name(spec.name))
        self._type = sql.SQL(type_of(layout.id))
        self._names = {
            "beside": self.beside,
            "table": self._table,
            "id": sql.Identifier(layout.id.name),
            "vector": sql.Identifier(layout.vector),
            "text": sql.Identifier("t", layout.text.name),
            "type": self._type,
            "state": state_of(layout),
            "made": made_of(layout),
        }
        #: What searches read, as if it were a table.
        self.rows = self._sql(
            '(SELECT b.document, b.slot, b.lsn, coalesce(b.text, {text} COLLATE "default") '
            'AS text, b."start", b."end", b.metadata, b.fields, b.words, '
            "t.{vector} AS embedding FROM {beside} AS b JOIN {table} AS t ON t.{id} = b.key "
            "WHERE b.digest IS NOT NULL) AS standing"
        )

    def make(self, link: Link) -> None:
        """Make the table beside the team's, within the caller's transaction."""
        names = {**self._names, "id": sql.Identifier("t", self._layout.id.name)}
        link.connection.execute(sql.SQL(_BESIDE).format(**names))
        link.connection.execute(self._sql(_KEYS))

    def stored(self, *, with_vectors: bool) -> sql.Composed:
        """Return the query of everything that stands, whether repoint knows of it or not."""
        vector = "CASE WHEN b.made = {made} THEN t.{vector} END" if with_vectors else "NULL"
        return self._sql(_STORED.replace("$VECTOR", vector))

    def stored_of(self, *, with_vectors: bool) -> sql.Composed:
        """Return the same of named documents: one parameter, their keys."""
        return self.stored(with_vectors=with_vectors) + self._sql(
            " AND t.{id} = ANY(%s::{type}[])"
        )

    def keys(self, documents: Iterable[DocumentId]) -> list[str]:
        """Return the documents that can have a row there."""
        return [one for one in documents if not self._layout.id.refuses_id(one)]

    def write(self, link: Link, rows: Iterable[Row]) -> None:
        """Write rows, each unless a higher LSN is noted; needs a transaction."""
        won = self.put_beside(link, rows)
        link.connection.execute(self._change(), (won,))
        link.connection.execute(self._fill(self._defaults(link)), (won,))
        link.connection.execute(self._sql(_EMPTY), (won,))
        link.connection.execute(self._sql(_NOTE), (won,))

    def put_beside(self, link: Link, rows: Iterable[Row]) -> list[str]:
        """Write what is known of rows, and return those that were not newer already."""
        if not link.adopting:
            link.connection.execute(_STAGE)
            link.adopting = True
        with link.connection.cursor() as cursor:
            copying = "COPY pg_temp.repoint_adopted_stage FROM STDIN (FORMAT BINARY)"
            with cursor.copy(copying) as copy:
                copy.set_types(_STAGE_TYPES)
                for row in rows:
                    copy.write_row(row)
            done = cursor.execute(self._sql(_MERGE)).fetchall()
        return [str(document) for (document,) in done]

    def purge(
        self, link: Link, documents: Sequence[DocumentId], emptied_below: Lsn | None
    ) -> None:
        """Delete rows that repoint wrote or noted, and what it knows of them."""
        among = ([escaped(one) for one in documents],)
        if documents:
            link.connection.execute(
                self._sql(
                    "DELETE FROM {table} AS t USING {beside} AS b WHERE t.{id} = b.key "
                    "AND b.digest IS NOT NULL AND b.document = ANY(%s)"
                ),
                among,
            )
            link.connection.execute(
                self._sql("DELETE FROM {beside} WHERE document = ANY(%s)"), among
            )
        if emptied_below is not None:
            link.connection.execute(
                self._sql("DELETE FROM {beside} WHERE digest IS NULL AND lsn < %s"),
                (emptied_below,),
            )

    def counts(self, link: Link, *, indexed: bool) -> Counts:
        """Return how much of it repoint knows."""
        query = sql.SQL(
            "SELECT count(*), count(digest), pg_total_relation_size({}) "
            "+ pg_total_relation_size({}) FROM {}"
        ).format(
            sql.Literal(self.beside.as_string()),
            sql.Literal(self._table.as_string()),
            self.beside,
        )
        row = link.connection.execute(query).fetchone() or (0, 0, 0)
        return Counts(
            documents=row[1],
            chunks=row[1],
            emptied=row[0] - row[1],
            bytes_on_disk=row[2],
            unindexed=0 if indexed else None,
        )

    def rows_of(self, entries: Sequence[Entry], matrix: FloatMatrix) -> Iterator[Row]:
        """Yield rows for whole documents.

        Raises:
            UnsupportedError: a document has more than one chunk, or none to write it from.
        """
        vectors = iter(matrix)
        for entry in entries:
            if len(entry.chunks) > 1 or (entry.chunks and entry.content is None):
                raise UnsupportedError(
                    driver="pgvector",
                    what=f"document {entry.document!r} with {len(entry.chunks)} chunks in an "
                    "adopted table, which has one vector a row",
                )
            vector = Packed.of(next(vectors)) if entry.chunks else None
            yield self._row(entry, vector, state=None)

    def noted(self, notes: Sequence[Note]) -> Iterator[Row]:
        """Yield rows for what is noted of rows that stand already."""
        for note in notes:
            yield self._row(note.entry, None, state=note.state)

    def _row(self, entry: Entry, vector: Packed | None, *, state: str | None) -> Row:
        document, content = entry.document, entry.content
        key = None if self._layout.id.refuses_id(document) else document
        written = None if content is None else _written(content_of(self._layout, content))
        if not entry.chunks:
            return (
                escaped(document), key, entry.lsn, None, None, None, None, None, None, "{}",
                state, None if content is None else "{}", None,
            )  # fmt: skip
        (chunk,) = entry.chunks
        kept = chunk.text if content is None or chunk.text != content.text else None
        return (
            escaped(document), key, entry.lsn, chunk.digest, vector, kept, chunk.start,
            chunk.end, _written(dict(entry.metadata)), fields(entry.metadata), state, written,
            chunk.text if self._lexical else None,
        )  # fmt: skip

    def _change(self) -> sql.Composed:
        layout = self._layout
        filled = {field.name for field in layout.metadata if field.filled}
        sets = [
            self._kept()
            if name == layout.object
            else sql.SQL(
                "{0} = coalesce(r.{0}, t.{0})" if name in filled else "{0} = r.{0}"
            ).format(sql.Identifier(name))
            for name in _columns(layout)[1:]
        ]
        return sql.SQL(_CHANGE).format(**self._names, sets=sql.SQL(", ").join(sets))

    def _kept(self) -> sql.Composed:
        """Return how the object is set: keys that were left out stay as they are."""
        return sql.SQL(
            "{0} = r.{0}::jsonb || coalesce((SELECT jsonb_object_agg(e.key, e.value) "
            "FROM jsonb_each(t.{0}::jsonb) AS e WHERE e.key = ANY({1})), '{{}}')"
        ).format(sql.Identifier(self._layout.object), sql.Literal(list(self._layout.left_out)))

    def _fill(self, defaults: Mapping[str, str]) -> sql.Composed:
        names = _columns(self._layout)
        values = [
            sql.SQL("coalesce(r.{}, {})").format(
                sql.Identifier(name),
                sql.SQL(defaults[name]),  # the database's own words
            )
            if name in defaults
            else sql.Identifier("r", name)
            for name in names
        ]
        return sql.SQL(_FILL).format(
            **self._names,
            columns=sql.SQL(", ").join(map(sql.Identifier, names)),
            values=sql.SQL(", ").join(values),
        )

    def _defaults(self, link: Link) -> dict[str, str]:
        filled = [field.name for field in self._layout.metadata if field.filled]
        if not filled:
            return {}
        place = parts_of(self._layout.collection)
        found = link.connection.execute(_DEFAULTS, (*place, filled)).fetchall()
        return {str(name): str(value).replace("%", "%%") for name, value in found}

    def _sql(self, text: str) -> sql.Composed:
        readable = _READABLE.format(text=self._names["text"])
        return sql.SQL(text).format(**self._names, readable=readable)


def state_of(layout: Layout) -> sql.Composed:
    """Return what tells whether a row ``t`` has another content than before."""
    names = _columns(layout)[1:]
    columns = sql.SQL(", ").join(sql.Identifier("t", name) for name in names)
    return sql.SQL("md5(ROW({})::text)").format(columns)


def made_of(layout: Layout) -> sql.Composed:
    """Return what tells whether a row ``t`` has another vector than before."""
    return sql.SQL("md5({}::text)").format(sql.Identifier("t", layout.vector))


def type_of(key: Field) -> str:
    """Return the type that a key is cast to when it is looked up."""
    if key.kind is FieldKind.INTEGER:
        return f"int{key.size}"
    return key.kind.value


def content_of(layout: Layout, document: Document) -> dict[str, Json]:
    """Return a document as the columns of the team's table."""
    row: dict[str, Json] = {layout.id.name: document.id, layout.text.name: document.text}
    if layout.title is not None:
        row[layout.title.name] = document.title or None
    row |= {field.name: document.metadata.get(field.name) for field in layout.metadata}
    if layout.object:
        row[layout.object] = layout.object_of(document)
    return row


def _columns(layout: Layout) -> list[str]:
    titles = [layout.title.name] if layout.title is not None else []
    objects = [layout.object] if layout.object else []
    metadata = [field.name for field in layout.metadata]
    return [layout.id.name, layout.text.name, *titles, *metadata, *objects]


def _written(tree: dict[str, Json]) -> str:
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
