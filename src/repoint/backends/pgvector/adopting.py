"""Taking over a team's own table (``ports.adoption.Adopter``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
from psycopg import sql

from repoint.backends.pgvector.adopted import AdoptedTable, made_of, state_of
from repoint.backends.pgvector.connections import Connections, Link, translated
from repoint.backends.pgvector.describing import describe, table_of
from repoint.backends.pgvector.tables import claim, look, note_spec, table_name
from repoint.backends.pgvector.text import plain
from repoint.domain.adoption import Bypass, BypassKind, FieldKind, Layout
from repoint.domain.document import Document, Json, Metadata
from repoint.domain.errors import (
    AlreadyExistsError,
    CollectionMissingError,
    FingerprintMismatchError,
    UnsupportedError,
)
from repoint.domain.ids import CollectionName, DocumentId, Lsn
from repoint.ports.adoption import Foreign, ForeignPage, ForeignRow, Note, Wish
from repoint.ports.backend import CollectionSpec, FloatMatrix, FloatVector

#: Rows that are read at once where nobody says how many.
BATCH: Final = 1024

_NOT_FINITE: Final = frozenset({"NaN", "Infinity", "-Infinity"})


class PgvectorAdopter:
    """Takes over tables of one database."""

    def __init__(
        self, connections: Connections, *, schema: str, install: Callable[[Link], None]
    ) -> None:
        self._connections = connections
        self._schema = schema
        self._install = install

    def look(self, wish: Wish, *, alias: str) -> Foreign:
        """Return what stands there."""
        return self._connections.run(
            lambda link: describe(link, wish, schema=self._schema, alias=alias),
            about=wish.collection,
        )

    def sample(self, layout: Layout, *, count: int, seed: int) -> ForeignPage:
        """Return rows that have a vector, drawn by a hash of their ids."""
        query = _reading(layout, with_vectors=True) + sql.SQL(
            " WHERE t.{} IS NOT NULL ORDER BY md5(%s || t.{}::text) LIMIT %s"
        ).format(sql.Identifier(layout.vector), sql.Identifier(layout.id.name))
        return self._read(layout, query, (str(seed), count), with_vectors=True)

    def read(self, layout: Layout, *, after: str, limit: int) -> ForeignPage:
        """Return the rows that follow in the order of their ids."""
        key = sql.Identifier("t", layout.id.name)
        condition = sql.SQL(" WHERE {} > %s").format(key) if after else sql.SQL("")
        query = (
            _reading(layout, with_vectors=False)
            + condition
            + sql.SQL(" ORDER BY {} LIMIT %s").format(key)
        )
        given: tuple[str | int, ...] = (after, limit) if after else (limit,)
        return self._read(layout, query, given, limit=limit)

    def begin(self, spec: CollectionSpec) -> None:
        """Make the table beside the team's."""
        layout = _layout(spec)
        beside = AdoptedTable(spec, layout, schema=self._schema)

        def make(link: Link) -> None:
            self._install(link)
            with claim(link, self._schema):
                seen = look(link, self._schema, spec.name)
                if seen is None:
                    self._require_free(link, layout)
                    beside.make(link)
                    note_spec(link, self._schema, spec)
                elif seen.spec is None or seen.spec.fingerprint != spec.fingerprint:
                    raise FingerprintMismatchError(
                        collection=spec.name,
                        expected=spec.fingerprint,
                        found=seen.spec.fingerprint if seen.spec else None,
                    )

        self._connections.run(make, about=layout.collection)

    def note(self, name: CollectionName, notes: Sequence[Note]) -> None:
        """Note rows in one transaction."""
        if not notes:
            return

        def write(link: Link) -> None:
            beside = self._adopted(link, name)[0]
            with link.connection.transaction():
                beside.put_beside(link, beside.noted(notes))

        self._connections.run(write, about=name)

    def bypassed(self, name: CollectionName) -> Iterator[Bypass]:
        """Yield what is not as it was noted, in the order in which the server finds it."""
        with translated(name), self._connections.use() as link, link.connection.transaction():
            beside, layout = self._adopted(link, name)
            with link.connection.cursor("repoint_bypassed") as cursor:
                cursor.execute(_bypassed(beside, layout))
                while found := cursor.fetchmany(BATCH):
                    for row in found:
                        yield _bypass(layout, row)

    def destroy(self, name: CollectionName) -> None:
        """Drop the team's table and what stands beside it, both or neither."""

        def drop(link: Link) -> None:
            seen = look(link, self._schema, name)
            if seen is None or seen.spec is None:
                return
            with link.connection.transaction():
                beside = sql.Identifier(self._schema, table_name(name))
                link.connection.execute(sql.SQL("DROP TABLE {}").format(beside))
                table = table_of(_layout(seen.spec))
                link.connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table))

        self._connections.run(drop, about=name)

    def _require_free(self, link: Link, layout: Layout) -> None:
        query = (
            "SELECT obj_description(c.oid, 'pg_class')::json -> 'repoint' ->> 'name' "
            "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = %s AND c.relkind = 'r' "
            "AND obj_description(c.oid, 'pg_class') LIKE '{{%%' "
            "AND obj_description(c.oid, 'pg_class')::json -> 'repoint' -> 'adopted' "
            "->> 'collection' = %s"
        ).replace("{{", "{")
        found = link.connection.execute(query, (self._schema, layout.collection)).fetchone()
        if found is not None:
            raise AlreadyExistsError(
                what="adoption of", name=f"{layout.collection} as {found[0]}"
            )

    def _adopted(self, link: Link, name: CollectionName) -> tuple[AdoptedTable, Layout]:
        seen = look(link, self._schema, name)
        if seen is None or seen.spec is None or seen.spec.adopted is None:
            raise CollectionMissingError(collection=name)
        layout = seen.spec.adopted
        return AdoptedTable(seen.spec, layout, schema=self._schema), layout

    def _read(
        self,
        layout: Layout,
        query: sql.Composed,
        given: tuple[str | int, ...],
        *,
        limit: int = 0,
        with_vectors: bool = False,
    ) -> ForeignPage:
        def read(link: Link) -> list[tuple[object, ...]]:
            with link.connection.cursor(binary=with_vectors) as cursor:
                found: list[tuple[object, ...]] = cursor.execute(query, given).fetchall()
                return found

        found = self._connections.run(read, about=layout.collection)
        pairs = [(row, _document(layout, row)) for row in found]
        whole = [(row, one) for row, one in pairs if one.text.strip() and one.id]
        return ForeignPage(
            rows=[
                ForeignRow(document=one, state=str(row[0]), bare=str(row[0]).endswith(" "))
                for row, one in whole
            ],
            vectors=_matrix([row[1] for row, _ in whole]) if with_vectors else None,
            without_text=len(pairs) - len(whole),
            cursor=str(found[-1][2]) if limit and len(found) == limit else None,
        )


def _layout(spec: CollectionSpec) -> Layout:
    if spec.adopted is None:
        raise UnsupportedError(driver="pgvector", what=f"adopting {spec.name} without a layout")
    return spec.adopted


def _columns(layout: Layout) -> sql.Composed:
    """Return what ``_document`` reads: id, text, title, then metadata, each as JSON."""
    title = sql.Identifier("t", layout.title.name) if layout.title else sql.SQL("NULL")
    metadata = [
        sql.SQL("to_jsonb({})").format(sql.Identifier("t", name))
        for name in [*(field.name for field in layout.metadata), layout.object]
        if name
    ]
    return sql.SQL(", ").join(
        [
            sql.SQL("{}::text").format(sql.Identifier("t", layout.id.name)),
            sql.SQL("{}::text").format(sql.Identifier("t", layout.text.name)),
            sql.SQL("{}::text").format(title),
            *metadata,
        ]
    )


def _reading(layout: Layout, *, with_vectors: bool) -> sql.Composed:
    return sql.SQL("SELECT {} || ' ' || coalesce({}, ''), {}, {} FROM {} AS t").format(
        state_of(layout),
        made_of(layout),
        sql.Identifier("t", layout.vector) if with_vectors else sql.SQL("NULL"),
        _columns(layout),
        table_of(layout),
    )


def _bypassed(beside: AdoptedTable, layout: Layout) -> sql.Composed:
    names = {
        "columns": _columns(layout),
        "table": table_of(layout),
        "beside": beside.beside,
        "id": sql.Identifier(layout.id.name),
        "text": sql.Identifier("t", layout.text.name),
        "state": state_of(layout),
    }
    return sql.SQL(
        "SELECT b.document, b.lsn, b.digest IS NULL AND b.state IS NULL, {columns} "
        "FROM {table} AS t FULL JOIN {beside} AS b ON b.key = t.{id} WHERE "
        "(t.{id} IS NOT NULL AND b.state IS DISTINCT FROM {state} "
        "AND (b.digest IS NOT NULL OR {text} ~ '[^[:space:]]')) "
        "OR (t.{id} IS NULL AND b.digest IS NOT NULL)"
    ).format(**names)


def _bypass(layout: Layout, row: tuple[object, ...]) -> Bypass:
    known, noted, emptied, *columns = row
    lsn = None if noted is None else Lsn(int(str(noted)))
    if columns[0] is None:
        document = DocumentId(plain(str(known)))
        return Bypass(document=document, kind=BypassKind.DELETED, noted=lsn, content=None)
    content = _document(layout, ("", None, *columns))
    return Bypass.of(content, noted=lsn, emptied=bool(emptied))


def _document(layout: Layout, row: Sequence[object]) -> Document:
    _, _, key, text, title, *values = row
    return Document(
        id=DocumentId("" if key is None else str(key)),
        text="" if text is None else str(text),
        title="" if title is None else str(title),
        metadata=_metadata(layout, values),
    )


def _metadata(layout: Layout, values: Sequence[object]) -> Metadata:
    found: dict[str, Json] = {}
    for field, value in zip(layout.metadata, values, strict=False):
        if value is None or (field.kind is FieldKind.NUMBER and value in _NOT_FINITE):
            continue
        found[field.name] = value  # type: ignore[assignment]  # what JSON can hold
    if layout.object and isinstance(values[-1], dict):
        known = {field.name for field in layout.metadata} | set(layout.left_out)
        found |= {name: value for name, value in values[-1].items() if name not in known}
    return found


def _matrix(vectors: Sequence[object]) -> FloatMatrix:
    rows: list[FloatVector] = [one for one in vectors if isinstance(one, np.ndarray)]
    return np.stack(rows) if rows else np.empty((0, 0), dtype=np.float32)
