"""What differs between the databases that hold these tables; so far only SQLite does."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import Insert, dialect

#: Many rows at once: compiled once, run as the driver's own executemany.
COMPILER: Final = dialect()

#: Set in a connection's ``info`` when rows were removed for good: the database may hold
#: their old pages somewhere, and whoever commits must see to it that they go.
FORGOTTEN: Final = "forgotten"


def insert(table: sa.Table) -> Insert:  # type: ignore[explicit-any]  # its default
    """Return an insert that knows ``on_conflict_do_update``."""
    return Insert(table)


def members(texts: Iterable[str]) -> sa.Select[tuple[str]]:
    """Return the texts as a subselect for IN: one parameter, however many there are.

    A text with NUL is left out: no key holds one, and the database would read it as the
    text before the NUL.
    """
    values = json.dumps([text for text in texts if "\0" not in text])
    return sa.select(sa.func.json_each(values).table_valued("value").c.value)


def positional(statement: sa.Insert, columns: Sequence[str]) -> tuple[str, list[int]]:
    """Return the statement's text and, for each of its places, the column's position."""
    compiled = statement.compile(dialect=COMPILER, column_keys=list(columns))
    places = compiled.positiontup or []
    return str(compiled), [columns.index(name) for name in places]
