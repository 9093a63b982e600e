"""What a team's own table looks like, and which of its columns can be taken over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from psycopg import sql

from repoint.backends.pgvector.connections import Link
from repoint.backends.pgvector.tables import parts_of
from repoint.domain.adoption import Field, FieldKind, Layout
from repoint.domain.errors import NotFoundError, UnsupportedError
from repoint.ports.adoption import Foreign, Wish

_KINDS: Final[Mapping[str, tuple[FieldKind, int | None]]] = MappingProxyType(
    {
        "text": (FieldKind.TEXT, None),
        "varchar": (FieldKind.TEXT, None),
        "int2": (FieldKind.INTEGER, 2),
        "int4": (FieldKind.INTEGER, 4),
        "int8": (FieldKind.INTEGER, 8),
        "float4": (FieldKind.NUMBER, None),
        "float8": (FieldKind.NUMBER, None),
        "numeric": (FieldKind.NUMBER, None),
        "bool": (FieldKind.BOOLEAN, None),
        "uuid": (FieldKind.UUID, None),
        "timestamptz": (FieldKind.MOMENT, None),
        "timestamp": (FieldKind.MOMENT, None),
        "date": (FieldKind.DAY, None),
        "json": (FieldKind.JSON, None),
        "jsonb": (FieldKind.JSON, None),
    }
)
_IDS: Final = frozenset({"text", "varchar", "int2", "int4", "int8", "uuid"})
_TEXTS: Final = frozenset({"text", "varchar"})

_COLUMNS: Final = """
SELECT a.attname, t.typname, a.atttypmod, a.attnotnull,
    a.atthasdef OR a.attidentity <> '', a.attgenerated <> '',
    EXISTS (
        SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid
            AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum
            AND i.indpred IS NULL AND i.indexprs IS NULL
    ),
    c.reltuples::bigint
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p')
ORDER BY a.attnum
"""
_TABLES: Final = """
SELECT n.nspname || '.' || c.relname FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid AND t.typname = 'vector'
WHERE c.relkind IN ('r', 'p') AND n.nspname <> %s
GROUP BY 1 ORDER BY 1 LIMIT 20
"""
_TAKEN: Final = """
SELECT CASE c.relkind WHEN 'v' THEN 'view' ELSE 'table' END FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s
    AND NOT (c.relkind = 'v' AND EXISTS (
        SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'lsn'))
"""


@dataclass(frozen=True, slots=True)
class _Column:
    """A row of ``_COLUMNS``, without its last column."""

    name: str
    type: str
    modifier: int
    required: bool
    filled: bool
    generated: bool
    unique: bool

    def field(self) -> Field | None:
        """Return it as a field, None where its type cannot be taken."""
        known = _KINDS.get(self.type)
        if known is None or self.generated:
            return None
        kind, size = known
        if self.type == "varchar" and self.modifier > 0:
            size = self.modifier - 4
        return Field(name=self.name, kind=kind, required=self.required, size=size)


def table_of(layout: Layout) -> sql.Identifier:
    """Return the team's table."""
    return sql.Identifier(*parts_of(layout.collection))


def describe(link: Link, wish: Wish, *, schema: str, alias: str) -> Foreign:
    """Return what a table holds, every column accounted for."""
    place = parts_of(wish.collection)
    found = link.connection.execute(_COLUMNS, place).fetchall()
    if not found:
        known = link.connection.execute(_TABLES, (schema,)).fetchall()
        raise NotFoundError(
            what="table", name=".".join(place), known=[str(name) for (name,) in known]
        )
    table = _Table(wish, {str(row[0]): _Column(*row[:-1]) for row in found})
    layout = table.layout(".".join(place))
    estimated = int(found[0][-1])
    taken = link.connection.execute(_TAKEN, (schema, alias)).fetchone()
    return Foreign(
        layout=layout,
        rows=estimated if estimated > 100_000 else _counted(link, layout),  # noqa: PLR2004 - quick
        dimensions=table.dimensions(link, layout),
        name_taken_by=f"{taken[0]} {schema}.{alias}" if taken else "",
        left_out=table.left_out(layout),
    )


class _Table:
    """One table's columns, and what is wished of them."""

    def __init__(self, wish: Wish, columns: Mapping[str, _Column]) -> None:
        self._wish = wish
        self._columns = columns

    def layout(self, collection: str) -> Layout:
        wish = self._wish
        key = self._of_type(wish.id_field, _IDS, "the id")
        if not (key.unique and key.required):
            raise UnsupportedError(
                driver="pgvector",
                what=f"ids in {key.name!r}, which is not unique and NOT NULL by itself",
                hint="name the primary key, or make it so: ALTER TABLE … ADD UNIQUE",
            )
        layout = Layout(
            collection=collection,
            id=self._whole(key),
            text=self._whole(self._of_type(wish.text_field, _TEXTS, "the text")),
            title=self._whole(self._of_type(wish.title_field, _TEXTS, "the title"))
            if wish.title_field
            else None,
            vector=self._vector(),
            object=self._object(),
            left_out=wish.left_out,
        )
        return self._with_metadata(layout)

    def dimensions(self, link: Link, layout: Layout) -> int:
        declared = self._columns[layout.vector].modifier
        if declared > 0:
            return declared
        vector = sql.Identifier(layout.vector)
        query = sql.SQL("SELECT vector_dims({}) FROM {} WHERE {} IS NOT NULL LIMIT 1")
        row = link.connection.execute(query.format(vector, table_of(layout), vector)).fetchone()
        return int(row[0]) if row else 0

    def left_out(self, layout: Layout) -> dict[str, str]:
        used = {layout.id.name, layout.text.name, layout.vector, layout.object}
        used |= {field.name for field in layout.metadata}
        used |= {layout.title.name} if layout.title else set()
        return {
            name: "its values are computed by the database"
            if column.generated
            else f"values of type {column.type} are no metadata"
            if column.field() is None
            else "nobody named it"
            for name, column in self._columns.items()
            if name not in used
        }

    def _column(self, name: str) -> _Column:
        if name not in self._columns:
            raise NotFoundError(what="column", name=name, known=list(self._columns))
        return self._columns[name]

    def _of_type(self, name: str, types: frozenset[str], what: str) -> _Column:
        column = self._column(name)
        if column.type not in types or column.generated:
            how = "computed" if column.generated else column.type
            raise UnsupportedError(
                driver="pgvector",
                what=f"{what} in a column of type {how}: {name!r}",
                hint=f"it must be one of: {', '.join(sorted(types))}",
            )
        return column

    @staticmethod
    def _whole(column: _Column) -> Field:
        field = column.field()
        assert field is not None  # noqa: S101 - its type was checked
        return field

    def _vector(self) -> str:
        if self._wish.vector_field:
            return self._of_type(self._wish.vector_field, frozenset({"vector"}), "vectors").name
        named = [column.name for column in self._columns.values() if column.type == "vector"]
        if len(named) != 1:
            raise UnsupportedError(
                driver="pgvector",
                what=f"a table with {len(named)} columns of type vector",
                hint=f"name one: --vector-field {named[0]}"
                if named
                else "vectors of type halfvec or bit are not adopted",
            )
        return named[0]

    def _object(self) -> str:
        name = self._wish.object_field
        return (
            self._of_type(name, frozenset({"json", "jsonb"}), "metadata").name if name else ""
        )

    def _with_metadata(self, layout: Layout) -> Layout:
        used = {layout.id.name, layout.text.name, layout.vector, layout.object}
        used |= {layout.title.name} if layout.title else set()
        named = self._wish.metadata
        chosen = [
            self._metadata(name, asked=named is not None)
            for name in (self._columns if named is None else named)
            if name not in used and name not in self._wish.left_out
        ]
        fields = tuple(field for field in chosen if field is not None)
        self._require_writable(used | {field.name for field in fields})
        return Layout(
            collection=layout.collection,
            id=layout.id,
            text=layout.text,
            title=layout.title,
            vector=layout.vector,
            metadata=fields,
            object=layout.object,
            left_out=layout.left_out,
        )

    def _metadata(self, name: str, *, asked: bool) -> Field | None:
        column = self._column(name)
        field = column.field()
        if field is None and asked:
            raise UnsupportedError(
                driver="pgvector",
                what=f"metadata in a column of type {column.type}: {name!r}",
                hint=f"known: {', '.join(sorted(_KINDS))}",
            )
        if field is not None and column.filled:
            return Field(name=field.name, kind=field.kind, size=field.size, filled=True)
        return field

    def _require_writable(self, used: set[str]) -> None:
        missing = [
            column.name
            for column in self._columns.values()
            if column.required
            and not (column.filled or column.generated)
            and column.name not in used
        ]
        if missing:
            raise UnsupportedError(
                driver="pgvector",
                what=f"new rows without a value for {missing[0]!r}, which must have one",
                hint=f"take it as metadata: --metadata-field {missing[0]}; or give the column "
                "a default",
            )


def _counted(link: Link, layout: Layout) -> int:
    row = link.connection.execute(
        sql.SQL("SELECT count(*) FROM {}").format(table_of(layout))
    ).fetchone()
    return int(row[0]) if row else 0
