"""Filters as conditions on the column ``fields``, with the logic of ``domain.filters``.

``fields`` holds a document's text, numbers and booleans as one JSON object whose keys begin
with the value's type, so a comparison never meets a value of another type. A number stands
there as its double's digits, which has a form for infinity. Equality is containment, which
an index can answer; no condition here is ever unknown. Values and names of fields travel
as parameters: none can be read as SQL.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from psycopg import sql

from repoint.backends.pgvector.text import escaped
from repoint.domain.document import FieldType, Metadata, compact
from repoint.domain.filters import (
    ORDERED,
    And,
    Compare,
    Comparison,
    Filter,
    In,
    Not,
    Or,
    Scalar,
    type_of,
)

#: Parameters by name.
Values: TypeAlias = dict[str, str | float]

_PREFIXES: Final[Mapping[FieldType, str]] = MappingProxyType(
    {FieldType.TEXT: "t ", FieldType.NUMBER: "n ", FieldType.BOOLEAN: "b "}
)
_OPERATORS: Final = MappingProxyType(
    {
        Comparison.LESS: sql.SQL("<"),
        Comparison.AT_MOST: sql.SQL("<="),
        Comparison.MORE: sql.SQL(">"),
        Comparison.AT_LEAST: sql.SQL(">="),
    }
)
_NEVER: Final = sql.SQL("false")
_ALWAYS: Final = sql.SQL("true")


def fields(metadata: Metadata) -> str:
    """Return what the column holds for a document with this metadata."""
    return compact(
        {
            _key(field, kind): _stored(value)
            for field, value in metadata.items()
            if (kind := type_of(value)) in _PREFIXES
            and isinstance(value, str | int | float | bool)
        }
    )


def condition(filter_: Filter, values: Values) -> sql.Composable:
    """Return the condition, its parameters put into ``values``."""
    match filter_:
        case Compare(field, comparison, value):
            return _compared(field, comparison, value, values)
        case In(field, options):
            return _any([_equal(field, option, values) for option in options])
        case Not(part):
            return sql.SQL("(NOT {})").format(condition(part, values))
        case And(parts):
            conditions = [condition(part, values) for part in parts]
            return _ALWAYS if not conditions else _joined(" AND ", conditions)
        case Or(parts):
            return _any([condition(part, values) for part in parts])


def _compared(
    field: str, comparison: Comparison, value: Scalar, values: Values
) -> sql.Composable:
    kind = type_of(value)
    if comparison is Comparison.EQUAL:
        return _equal(field, value, values)
    name = _parameter(_key(field, kind), values)
    if comparison is Comparison.UNEQUAL:
        return sql.SQL("(jsonb_exists(fields, {}) AND NOT {})").format(
            name, _equal(field, value, values)
        )
    if kind is FieldType.BOOLEAN and comparison in ORDERED:
        return _NEVER
    if isinstance(value, str):
        template = 'coalesce((fields ->> {}) COLLATE "C" {} {}, false)'
        wanted = _parameter(escaped(value), values)
    else:
        template = "coalesce((fields ->> {})::float8 {} {}::float8, false)"
        wanted = _parameter(_double(value), values)
    return sql.SQL(template).format(name, _OPERATORS[comparison], wanted)


def _equal(field: str, value: Scalar, values: Values) -> sql.Composable:
    pair = {_key(field, type_of(value)): _stored(value)}
    wanted = _parameter(json.dumps(pair, ensure_ascii=False), values)
    return sql.SQL("fields @> {}::jsonb").format(wanted)


def _any(conditions: list[sql.Composable]) -> sql.Composable:
    return _NEVER if not conditions else _joined(" OR ", conditions)


def _joined(word: str, conditions: list[sql.Composable]) -> sql.Composable:
    return sql.SQL("({})").format(
        sql.SQL(" AND " if word == " AND " else " OR ").join(conditions)
    )


def _parameter(value: str | float, values: Values) -> sql.Placeholder:
    name = f"f{len(values)}"
    values[name] = value
    return sql.Placeholder(name)


def _key(field: str, kind: FieldType) -> str:
    return _PREFIXES[kind] + escaped(field)


def _stored(value: Scalar) -> str | bool:
    if isinstance(value, bool):
        return value
    return escaped(value) if isinstance(value, str) else repr(_double(value))


def _double(number: float) -> float:
    """Return the double that stands for a number; one too large becomes infinite."""
    try:
        return float(number) + 0.0  # the two zeros are equal, and so must be their digits
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")
