"""Filters as the engine's SQL, with the two-valued logic of ``domain.filters``.

A metadata field lives in one column for each type that was seen of it, so a comparison
never meets a value of another type. A column's name is the field's in hexadecimal: no field
name can be read as SQL. Numbers are compared as doubles: whole numbers above 2**53 that
differ by less than their double's spacing count as equal.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

from repoint.domain.document import FieldType
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
    leaves,
    type_of,
)

#: What stands before the hexadecimal name of a field's column.
PREFIXES: Final[Mapping[FieldType, str]] = MappingProxyType(
    {FieldType.TEXT: "t_", FieldType.NUMBER: "n_", FieldType.BOOLEAN: "b_"}
)

NEVER: Final = "false"
ALWAYS: Final = "true"

_BY_TYPE: Final = (FieldType.TEXT, FieldType.NUMBER, FieldType.BOOLEAN)


def column(field: str, kind: FieldType) -> str:
    """Return the name of the column that holds a field's values of this type."""
    return PREFIXES[kind] + field.encode("utf-8", "surrogatepass").hex()


def text_literal(text: str) -> str:
    """Return the text as an SQL literal: only the quote has a meaning inside one."""
    return "'" + text.replace("'", "''") + "'"


def columns_of(filter_: Filter) -> frozenset[str]:
    """Return the columns that a filter looks into, whether a table has them or not."""
    return frozenset(
        column(leaf.field, type_of(value))
        for leaf in leaves(filter_)
        for value in (leaf.values if isinstance(leaf, In) else (leaf.value,))
    )


def sql(filter_: Filter, columns: Collection[str]) -> str:
    """Return the condition for a table that has these columns."""
    match filter_:
        case Compare(field, comparison, value):
            return _compared(field, comparison, value, columns)
        case In(field, values):
            return _among(field, values, columns)
        case Not(Not(part)):
            return sql(part, columns)
        case Not(part):
            return _negated(sql(part, columns))
        case And(parts):
            conditions = {sql(part, columns): None for part in parts}
            return _joined(conditions, " AND ", neutral=ALWAYS, absorbing=NEVER)
        case Or(parts):
            conditions = {sql(part, columns): None for part in parts}
            return _joined(conditions, " OR ", neutral=NEVER, absorbing=ALWAYS)


def _compared(
    field: str, comparison: Comparison, value: Scalar, columns: Collection[str]
) -> str:
    kind = type_of(value)
    name = column(field, kind)
    if name not in columns or (kind is FieldType.BOOLEAN and comparison in ORDERED):
        return NEVER
    # Without the first half an absent value would make the whole unknown, not false.
    return f"({name} IS NOT NULL AND {name} {comparison.value} {_literal(value)})"


def _among(field: str, values: tuple[Scalar, ...], columns: Collection[str]) -> str:
    conditions: dict[str, None] = {}
    for kind in _BY_TYPE:
        name = column(field, kind)
        literals = [_literal(value) for value in values if type_of(value) is kind]
        if literals and name in columns:
            among = ", ".join(dict.fromkeys(literals))
            conditions[f"({name} IS NOT NULL AND {name} IN ({among}))"] = None
    return _joined(conditions, " OR ", neutral=NEVER, absorbing=ALWAYS)


def _negated(condition: str) -> str:
    return {NEVER: ALWAYS, ALWAYS: NEVER}.get(condition, f"(NOT {condition})")


def _joined(conditions: dict[str, None], word: str, *, neutral: str, absorbing: str) -> str:
    if absorbing in conditions:
        return absorbing
    kept = [condition for condition in conditions if condition != neutral]
    if len(kept) <= 1:
        return kept[0] if kept else neutral
    return "(" + word.join(kept) + ")"


def _literal(value: Scalar) -> str:
    if isinstance(value, bool):
        return ALWAYS if value else NEVER
    if isinstance(value, str):
        return text_literal(value)
    # A double's own digits; a cast, because SQL has no literal for infinity.
    return f"CAST('{as_double(value)!r}' AS DOUBLE)"


def as_double(number: float) -> float:
    """Return the double that is stored for a number; one too large becomes infinite."""
    try:
        return float(number)
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")
