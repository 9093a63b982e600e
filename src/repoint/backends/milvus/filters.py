"""Filters as Milvus' expressions, with the two-valued logic of ``domain.filters``.

A metadata field lives in the JSON field ``fields``, under one key for each type, so no
comparison meets a value of another type. Names and texts are written in hexadecimal, which
keeps their order: nothing that a person wrote is ever part of an expression. Servers differ
in what a comparison with an absent key is, so each asks first whether it is there, and
``not`` is driven inwards. Numbers are doubles, the infinite ones the largest there are.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeAlias

from repoint.domain.document import FieldType, Metadata
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

#: An expression, or what it comes to for every row.
Where: TypeAlias = str | bool

#: The condition of a slot that is not emptied.
FILLED: Final = "filled == true"

_PREFIXES: Final[Mapping[FieldType, str]] = MappingProxyType(
    {FieldType.TEXT: "t_", FieldType.NUMBER: "n_", FieldType.BOOLEAN: "b_"}
)
_OPERATORS: Final = MappingProxyType(
    {
        Comparison.EQUAL: ("==", "!="),
        Comparison.UNEQUAL: ("!=", "=="),
        Comparison.LESS: ("<", ">="),
        Comparison.AT_MOST: ("<=", ">"),
        Comparison.MORE: (">", "<="),
        Comparison.AT_LEAST: (">=", "<"),
    }
)
_LARGEST: Final = sys.float_info.max


def fields(metadata: Metadata) -> dict[str, Scalar]:
    """Return what filters look at."""
    return {
        _key(field, kind): _stored(value)
        for field, value in metadata.items()
        if (kind := type_of(value)) in _PREFIXES and isinstance(value, str | int | float | bool)
    }


def condition(filter_: Filter, *, holds: bool = True) -> Where:
    """Return the expression of those for which the filter holds, or does not."""
    match filter_:
        case Compare(field, comparison, value):
            return _compared(field, comparison, value, holds=holds)
        case In(field, values):
            equal = [_compared(field, Comparison.EQUAL, one, holds=holds) for one in values]
            return joined(equal, every=not holds)
        case Not(part):
            return condition(part, holds=not holds)
        case And(parts):
            return joined([condition(part, holds=holds) for part in parts], every=holds)
        case Or(parts):
            return joined([condition(part, holds=holds) for part in parts], every=not holds)


def joined(conditions: Sequence[Where], *, every: bool) -> Where:
    """Return the condition that every one of these holds, or that any does."""
    if (not every) in conditions:
        return not every
    kept = [one for one in conditions if isinstance(one, str)]
    if len(kept) <= 1:
        return kept[0] if kept else every
    return f"({(' and ' if every else ' or ').join(kept)})"


def among(field: str, values: Iterable[str]) -> str:
    """Return the condition that a field has one of these values, all of them hexadecimal."""
    listed = ", ".join(f'"{value}"' for value in values)
    return f"{field} in [{listed}]"


def _compared(field: str, comparison: Comparison, value: Scalar, *, holds: bool) -> Where:
    if isinstance(value, bool) and comparison in ORDERED:
        return not holds
    key = f'fields["{_key(field, type_of(value))}"]'
    operator = _OPERATORS[comparison][0 if holds else 1]
    # In parentheses: to a 2.3 server ``exists a and b`` is ``exists (a and b)``.
    compared = f"{key} {operator} {_literal(value)}"
    if holds:
        return f"((exists {key}) and {compared})"
    return f"(not (exists {key}) or {compared})"


def _literal(value: Scalar) -> str:
    stored = _stored(value)
    if isinstance(stored, bool):
        return "true" if stored else "false"
    return f'"{stored}"' if isinstance(stored, str) else repr(stored)


def _key(field: str, kind: FieldType) -> str:
    return _PREFIXES[kind] + _hexadecimal(field)


def _stored(value: Scalar) -> Scalar:
    if isinstance(value, str):
        return _hexadecimal(value)
    return value if isinstance(value, bool) else _double(value)


def _hexadecimal(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").hex()


def _double(number: float) -> float:
    try:
        return max(-_LARGEST, min(_LARGEST, float(number)))
    except OverflowError:
        return _LARGEST if number > 0 else -_LARGEST
