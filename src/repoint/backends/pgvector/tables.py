"""How a collection lies in a table: names, columns, its spec in the table's comment.

One row a slot. An emptied slot is a row without text and vector, which no search finds; its
LSN stands guard. The comment belongs to the table itself, so a table that somebody puts in
the place of another does not carry the other's fingerprint.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, TypeAlias

from psycopg import sql

from repoint.backends.pgvector.connections import Link, packed
from repoint.backends.pgvector.filters import fields
from repoint.backends.pgvector.text import escaped
from repoint.domain.adoption import layout_of, layout_tree
from repoint.domain.document import Entry
from repoint.domain.errors import UnsupportedError
from repoint.domain.ids import CollectionName, Fingerprint
from repoint.domain.spec import AnnKind, AnnSpec, Distance
from repoint.ports.backend import CollectionSpec, FloatMatrix

Row: TypeAlias = tuple[
    str,
    int,
    int,
    str | None,
    bytes | None,
    str | None,
    int | None,
    int | None,
    str | None,
    str,
]

#: The schema of a team's table that is named without one.
PUBLIC: Final = "public"
#: The longest name that the server keeps; a longer one it would cut.
LONGEST: Final = 63
#: The most dimensions that a column of vectors takes.
MOST_DIMENSIONS: Final = 16_000

COLUMNS: Final = (
    "document", "slot", "lsn", "digest", "embedding", "text", "start", "end", "metadata",
    "fields",
)  # fmt: skip

_STAGE: Final = """
CREATE TEMPORARY TABLE repoint_stage (
    document text, slot integer, lsn bigint, digest text, embedding vector,
    text text, "start" integer, "end" integer, metadata text, fields text
) ON COMMIT DELETE ROWS
"""
#: Vectors come packed, as any bytes.
_STAGE_TYPES: Final = (
    "text", "int4", "int8", "text", "bytea", "text", "int4", "int4", "text", "text",
)  # fmt: skip
#: Into the table itself, JSON as its text; that of ``jsonb`` has a version before it.
_TABLE_TYPES: Final = (*_STAGE_TYPES[:-1], "bytea")
_JSONB: Final = b"\x01"
#: Made once: an encoder costs more than most metadata takes to encode.
_ENCODED: Final = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False
).encode

_TABLE: Final = """
CREATE TABLE {table} (
    document text COLLATE "C" NOT NULL,
    slot integer NOT NULL,
    lsn bigint NOT NULL,
    digest text,
    embedding vector({dimensions}),
    text text,
    "start" integer,
    "end" integer,
    metadata json,
    fields jsonb NOT NULL DEFAULT '{{}}',
    words tsvector {words},
    PRIMARY KEY (document, slot)
)
"""
#: Without a language: no stop words, no stems, so any word of any text is found.
_WORDS: Final = (
    "GENERATED ALWAYS AS (to_tsvector('pg_catalog.simple', coalesce(text, ''))) STORED"
)

_MERGE: Final = """
INSERT INTO {table} AS target
    (document, slot, lsn, digest, embedding, text, "start", "end", metadata, fields)
SELECT document, slot, lsn, digest, embedding, text, "start", "end",
    metadata::json, fields::jsonb
FROM pg_temp.repoint_stage ORDER BY document COLLATE "C", slot
ON CONFLICT (document, slot) DO UPDATE SET
    lsn = excluded.lsn, digest = excluded.digest, embedding = excluded.embedding,
    text = excluded.text, "start" = excluded."start", "end" = excluded."end",
    metadata = excluded.metadata, fields = excluded.fields
WHERE target.lsn <= excluded.lsn
"""

#: The comment, the length of vectors, and whether an index for searching them is ready.
_LOOK: Final = """
SELECT obj_description(c.oid, 'pg_class'), a.atttypmod, EXISTS (
    SELECT FROM pg_index i
    JOIN pg_class x ON x.oid = i.indexrelid
    JOIN pg_am m ON m.oid = x.relam
    WHERE i.indrelid = c.oid AND m.amname = 'hnsw' AND i.indisvalid
)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute a
    ON a.attrelid = c.oid AND a.attname = 'embedding' AND NOT a.attisdropped
WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p')
"""

#: Whether an index for searching the vectors of somebody else's table is ready.
_INDEXED: Final = """
SELECT FROM pg_index i
JOIN pg_class x ON x.oid = i.indexrelid
JOIN pg_am m ON m.oid = x.relam
JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
WHERE n.nspname = %s AND c.relname = %s AND a.attname = %s
    AND m.amname = 'hnsw' AND i.indisvalid
LIMIT 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What stands in a collection's place."""

    #: None where the table carries none of ours.
    spec: CollectionSpec | None
    indexed: bool


def table_name(name: str) -> str:
    """Return a collection's table: its name, or a shorter one that is as unique."""
    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST - 13]}_{blake2b(name.encode(), digest_size=6).hexdigest()}"


def look(link: Link, schema: str, name: CollectionName) -> Seen | None:
    """Return what stands in a collection's place, None for nothing."""
    found = link.connection.execute(_LOOK, (schema, table_name(name))).fetchone()
    if found is None:
        return None
    spec = spec_of(found[0], dimensions=found[1], name=name)
    indexed = bool(found[2])
    if spec is not None and spec.adopted is not None:
        place = (*parts_of(spec.adopted.collection), spec.adopted.vector)
        indexed = link.connection.execute(_INDEXED, place).fetchone() is not None
    return Seen(spec=spec, indexed=indexed)


def make(link: Link, schema: str, spec: CollectionSpec) -> None:
    """Make the table with its comment, within the caller's transaction.

    Raises:
        UnsupportedError: its vectors are too long.
    """
    if spec.dimensions > MOST_DIMENSIONS:
        raise UnsupportedError(
            driver="pgvector",
            what=f"{spec.dimensions} dimensions",
            hint=f"at most {MOST_DIMENSIONS:,}",
        )
    table = sql.Identifier(schema, table_name(spec.name))
    link.connection.execute(
        sql.SQL(_TABLE).format(
            table=table,
            dimensions=sql.Literal(spec.dimensions),
            words=sql.SQL(_WORDS) if spec.lexical else sql.SQL(""),
        )
    )
    note_spec(link, schema, spec)


def note_spec(link: Link, schema: str, spec: CollectionSpec) -> None:
    """Let a table carry its collection's spec, within the caller's transaction."""
    table = sql.Identifier(schema, table_name(spec.name))
    link.connection.execute(
        sql.SQL("COMMENT ON TABLE {} IS {}").format(table, sql.Literal(_comment(spec)))
    )


@contextmanager
def claim(link: Link, schema: str) -> Iterator[None]:
    """Give a transaction in which nobody else makes anything in the schema."""
    with link.connection.transaction():
        link.connection.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"repoint:{schema}",)
        )
        yield


def stage(link: Link) -> None:
    """Make the table through which a connection writes, once for each connection."""
    if not link.staged:
        link.connection.execute(_STAGE)
        link.staged = True


def insert(link: Link, table: sql.Identifier, rows: Sequence[Row]) -> bool:
    """Write rows of documents of which nothing stands; False when something does.

    There is nothing to compare, so they go straight into the table. Its key still decides:
    where another writer puts one of them there meanwhile, the server refuses them all, and
    the caller's transaction with them.

    Raises:
        UniqueViolation: that came about; write them by ``merge``.
    """
    documents = list({row[0] for row in rows})
    standing = sql.SQL("SELECT FROM {} WHERE document = ANY(%s) LIMIT 1").format(table)
    if link.connection.execute(standing, (documents,)).fetchone() is not None:
        return False
    columns = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
    copying = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(table, columns)
    with link.connection.cursor() as cursor, cursor.copy(copying) as copy:
        copy.set_types(_TABLE_TYPES)
        for row in rows:
            copy.write_row((*row[:-1], _JSONB + row[-1].encode()))
    return True


def merge(link: Link, table: sql.Identifier, rows: Sequence[Row]) -> None:
    """Write rows, each unless a higher LSN stands in its place, through the staging table."""
    with link.connection.cursor() as cursor:
        with cursor.copy("COPY pg_temp.repoint_stage FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(_STAGE_TYPES)
            for row in rows:
                copy.write_row(row)
        cursor.execute(sql.SQL(_MERGE).format(table=table))


def rows_of(entries: Sequence[Entry], matrix: FloatMatrix) -> Iterator[Row]:
    """Yield the table's rows for whole documents: their chunks, then their emptied slots."""
    vectors = packed(matrix)
    for entry in entries:
        document = escaped(entry.document)
        metadata = _ENCODED(dict(entry.metadata))
        filterable = fields(entry.metadata)
        for slot, chunk in enumerate(entry.chunks):
            yield (
                document, slot, entry.lsn, chunk.digest, next(vectors),
                escaped(chunk.text), chunk.start, chunk.end, metadata, filterable,
            )  # fmt: skip
        for slot in range(len(entry.chunks), entry.slots):
            yield document, slot, entry.lsn, None, None, None, None, None, None, "{}"


def spec_of(
    comment: object, *, dimensions: object, name: CollectionName
) -> CollectionSpec | None:
    """Return the spec that a table's comment carries, None if it carries none of ours."""
    try:
        tree = json.loads(str(comment))["repoint"]
        adopted = tree.get("adopted")
        if adopted is not None:
            dimensions = tree["dimensions"]
        if tree["name"] != name or not isinstance(dimensions, int):
            return None
        return CollectionSpec(
            name=name,
            fingerprint=Fingerprint(tree["fingerprint"]),
            dimensions=dimensions,
            distance=Distance(tree["distance"]),
            ann=AnnSpec(
                kind=AnnKind(tree["ann"]["kind"]),
                build=tree["ann"]["build"],
                search=tree["ann"]["search"],
            ),
            lexical=tree["lexical"],
            adopted=None if adopted is None else layout_of(adopted),
        )
    except (KeyError, ValueError, TypeError):
        return None


def parts_of(collection: str) -> tuple[str, str]:
    """Return the schema and the table of a team's own collection."""
    schema, dot, table = collection.partition(".")
    return (schema, table) if dot else (PUBLIC, collection)


def name_of(comment: str | None) -> CollectionName | None:
    """Return the collection that a table is, None if it is none of ours."""
    try:
        return CollectionName(json.loads(comment or "")["repoint"]["name"])
    except (KeyError, ValueError, TypeError):
        return None


def _comment(spec: CollectionSpec) -> str:
    tree: dict[str, object] = {
        "name": spec.name,
        "fingerprint": spec.fingerprint,
        "distance": spec.distance,
        "ann": {
            "kind": spec.ann.kind,
            "build": dict(spec.ann.build),
            "search": dict(spec.ann.search),
        },
        "lexical": spec.lexical,
    }
    if spec.adopted is not None:
        tree |= {"adopted": layout_tree(spec.adopted), "dimensions": spec.dimensions}
    return json.dumps({"repoint": tree}, sort_keys=True)
