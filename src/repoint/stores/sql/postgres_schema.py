"""Where the tables are in a PostgreSQL database, and which version they have.

A schema of their own holds them, and in it ``store_state``: one row that marks it as
repoint's, says the version and the oldest code that may still work with it, and counts
commits for whoever watches.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import psycopg
import sqlalchemy as sa
from psycopg import sql

from repoint.domain.errors import BadInputError, UnsupportedError
from repoint.stores.sql import schema
from repoint.stores.sql.postgres_url import Place

#: Where the tables are unless the workspace says otherwise.
SCHEMA: Final = "repoint"
#: Short enough for the name of a channel made of it; no letters that need quoting.
_NAME: Final = re.compile("[a-z_][a-z0-9_]{0,47}")
#: The first with row triggers on partitions and 64-bit transaction ids.
_OLDEST_SERVER: Final = 130_000

_STATE: Final = """CREATE TABLE store_state (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    version integer NOT NULL,
    oldest integer NOT NULL,
    commits bigint NOT NULL,
    standing text NOT NULL CHECK (standing IN ('live', 'copied'))
)"""

Connection = psycopg.Connection[tuple[object, ...]]


class Standing(StrEnum):
    """Whether a store is in use."""

    LIVE = "live"
    #: Filled from another store, which is still the one in use.
    COPIED = "copied"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What the row says."""

    version: int
    oldest: int
    standing: Standing


def checked_name(name: str) -> str:
    """Return the schema's name if it can be one.

    Raises:
        BadInputError: it cannot.
    """
    if not _NAME.fullmatch(name) or name.startswith("pg_"):
        raise BadInputError(
            f"{name!r} cannot name the schema of a control store",
            hint="use at most 48 lower-case letters, digits and '_'",
        )
    return name


def require_fit(connection: Connection, place: Place) -> None:
    """Return if a store can live on this server at all.

    Raises:
        UnsupportedError: the server is too old, or the database cannot hold every text.
    """
    if connection.info.server_version < _OLDEST_SERVER:
        raise UnsupportedError(
            driver="the control store",
            what=f"PostgreSQL {connection.info.server_version // 10_000}",
            hint="use version 13 or newer",
        )
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise UnsupportedError(
            driver="the control store",
            what=f"the database {place.shown}, whose encoding is {encoding}",
            hint="make one with the encoding UTF8",
        )


def state(connection: Connection, name: str, place: Place) -> State | None:
    """Return what the schema says of itself; None: there is nothing yet.

    Raises:
        BadInputError: another program's tables are in it.
    """
    tables = {
        str(row[0])
        for row in connection.execute(
            "SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = %s", [name]
        )
    }
    if not tables:
        return None
    if "store_state" not in tables:
        raise BadInputError(
            f"the schema {name!r} of {place.shown} holds another program's tables",
            hint="name another one: schema_name in the table [store] of repoint.toml",
        )
    row = connection.execute(
        sql.SQL("SELECT version, oldest, standing FROM {}.store_state").format(
            sql.Identifier(name)
        )
    ).fetchone()
    assert row is not None  # noqa: S101 - written with the table
    return State(
        version=int(str(row[0])), oldest=int(str(row[1])), standing=Standing(str(row[2]))
    )


def is_current(found: State | None, place: Place) -> bool:
    """Return whether this code can work with the schema as it is.

    Raises:
        UnsupportedError: a newer repoint changed what this code relies on.
    """
    if found is None:
        return False
    if found.oldest > schema.VERSION:
        raise UnsupportedError(
            driver="this repoint",
            what=f"schema {found.version} of {place.shown}; it knows {schema.VERSION}",
            hint="a newer repoint changed it: use that one",
        )
    return found.version >= schema.VERSION


def upgrade(connection: sa.Connection, name: str, found: State | None) -> None:
    """Make the schema or apply the missing revisions, within the caller's transaction."""
    if found is None:
        connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {name}")
        connection.exec_driver_sql(_STATE)
        connection.exec_driver_sql("INSERT INTO store_state VALUES (true, 0, 0, 0, 'live')")
    schema.upgrade(connection)
    connection.exec_driver_sql(
        "UPDATE store_state SET version = %s, oldest = greatest(oldest, %s)",
        (schema.VERSION, schema.OLDEST),
    )


def remove(connection: sa.Connection, name: str) -> None:
    """Remove all tables and guards; the schema stays, with the rights that it has."""
    tables = connection.exec_driver_sql(
        "SELECT format('DROP TABLE IF EXISTS %%I.%%I CASCADE', schemaname, tablename) "
        "FROM pg_catalog.pg_tables WHERE schemaname = %s",
        (name,),
    ).scalars()
    functions = connection.exec_driver_sql(
        "SELECT format('DROP FUNCTION %%s', p.oid::regprocedure) FROM pg_catalog.pg_proc p "
        "JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = %s",
        (name,),
    ).scalars()
    for statement in [*tables, *functions]:
        connection.exec_driver_sql(statement)
