"""What differs between the databases that hold these tables, for the areas that use them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Final, cast

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import Insert
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

#: Set in a connection's ``info`` when rows were removed for good: the database may hold
#: their old pages somewhere, and whoever commits must see to it that they go.
FORGOTTEN: Final = "forgotten"

POSTGRES: Final = "postgresql"


def insert(connection: sa.Connection, table: sa.Table) -> Insert:  # type: ignore[explicit-any]  # its default
    """Return an insert that knows ``on_conflict_do_update``."""
    return insert_on(connection.dialect.name, table)


def insert_on(database: str, table: sa.Table) -> Insert:  # type: ignore[explicit-any]  # its default
    """Return such an insert for a kind of database."""
    if database != POSTGRES:
        return Insert(table)
    # Deferred: who keeps the store in a file need not load this.
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415

    # The two classes share no ancestor that has the method, and take the same arguments.
    return cast("Insert", postgresql.insert(table))


def members(texts: Iterable[str]) -> sa.Select[tuple[str]]:
    """Return the texts as a subselect for IN: one parameter, however many there are.

    A text that no key can be is left out: one with NUL, which a database would read as the
    text before it, and one with half a surrogate pair.
    """
    values = [text for text in texts if "\0" not in text and is_text(text)]
    given = sa.bindparam(None, values, type_=_Texts(), unique=True)
    return sa.select(_Each(given).table_valued("value").c.value)


def is_text(text: str) -> bool:
    """Return whether the text consists of characters: no half surrogate pair."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class _Texts(sa.types.TypeDecorator[Sequence[str]]):
    """Many texts in one parameter: an array, or JSON where there are no arrays."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[object]:
        """Return the type that the parameter is sent as."""
        sent = sa.ARRAY(sa.Text()) if dialect.name == POSTGRES else sa.Text()
        return cast("sa.types.TypeEngine[object]", sent)

    def process_bind_param(
        self, value: Sequence[str] | None, dialect: Dialect
    ) -> str | list[str]:
        """Return what is sent."""
        return list(value or ()) if dialect.name == POSTGRES else json.dumps(value or ())


class _Each(sa.sql.functions.GenericFunction[str]):
    """The texts of a parameter, a row each."""

    inherit_cache = True
    name = "json_each"
    type = sa.Text()


@compiles(_Each, POSTGRES)
def _each_of_an_array(element: _Each, compiler: SQLCompiler, **kw: object) -> str:
    return f"(SELECT unnest({compiler.process(element.clauses, **kw)}) AS value)"


@cache
def _compiler(database: str) -> Dialect:
    if database != POSTGRES:
        return sqlite.dialect()
    from sqlalchemy.dialects.postgresql.psycopg import dialect  # noqa: PLC0415 - as above

    return cast("Dialect", dialect(paramstyle="format"))  # type: ignore[no-untyped-call]  # its own


def positional(
    statement: sa.Insert, columns: Sequence[str], database: str
) -> tuple[str, list[int]]:
    """Return the statement's text and, for each of its places, the column's position.

    For many rows at once: compiled once, run as the driver's own executemany.
    """
    compiled = statement.compile(dialect=_compiler(database), column_keys=list(columns))
    places = compiled.positiontup or []
    return str(compiled), [columns.index(name) for name in places]
