"""Filters on metadata: a small tree that every backend turns into its own syntax.

The logic has two values: a comparison with a field that a document lacks, or that is null,
is false, and so is one between values of two types; ``not`` turns false into true. Text is
ordered by code points; integers and floats are compared as numbers, and never with booleans.
``matches`` is the definition that every backend is held to; ``domain.filter_syntax`` reads
and writes filters as text.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

from repoint.domain.document import FieldType, Json, Metadata

#: What a field can be compared with.
Scalar: TypeAlias = str | float | int | bool


class Comparison(StrEnum):
    """How a field is compared with a value."""

    EQUAL = "="
    UNEQUAL = "!="
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="


@dataclass(frozen=True, slots=True)
class Compare:
    """``field op value``; order comparisons only on numbers and text of the same type."""

    field: str
    comparison: Comparison
    value: Scalar


@dataclass(frozen=True, slots=True)
class In:
    """``field in (v, …)``."""

    field: str
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """``not part``."""

    part: Filter


@dataclass(frozen=True, slots=True)
class And:
    """``part and …``; without parts it is true."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """``part or …``; without parts it is false."""

    parts: tuple[Filter, ...]


Filter: TypeAlias = Compare | In | Not | And | Or

#: The comparisons that ask for an order, which booleans do not have.
ORDERED: Final = frozenset(
    {Comparison.LESS, Comparison.AT_MOST, Comparison.MORE, Comparison.AT_LEAST}
)

_TEXT: Final = MappingProxyType[Comparison, Callable[[str, str], bool]](
    {
        Comparison.EQUAL: operator.eq,
        Comparison.UNEQUAL: operator.ne,
        Comparison.LESS: operator.lt,
        Comparison.AT_MOST: operator.le,
        Comparison.MORE: operator.gt,
        Comparison.AT_LEAST: operator.ge,
    }
)
_NUMBER: Final = MappingProxyType[Comparison, Callable[[float, float], bool]](
    {
        Comparison.EQUAL: operator.eq,
        Comparison.UNEQUAL: operator.ne,
        Comparison.LESS: operator.lt,
        Comparison.AT_MOST: operator.le,
        Comparison.MORE: operator.gt,
        Comparison.AT_LEAST: operator.ge,
    }
)


#: Databases compare numbers as doubles: beyond this, neighbours look equal.
EXACT: Final = 2**53


def type_of(value: Json) -> FieldType:
    """Return the type of a metadata value; lists, objects and null are opaque."""
    if isinstance(value, bool):  # asked first: Python's bool is an int
        return FieldType.BOOLEAN
    if isinstance(value, str):
        return FieldType.TEXT
    return FieldType.NUMBER if isinstance(value, int | float) else FieldType.OPAQUE


def matches(filter_: Filter, metadata: Metadata) -> bool:
    """Return whether a document with this metadata passes the filter."""
    match filter_:
        case Compare(field, comparison, value):
            return _holds(metadata.get(field), comparison, value)
        case In(field, values):
            found = metadata.get(field)
            return any(_holds(found, Comparison.EQUAL, value) for value in values)
        case Not(part):
            return not matches(part, metadata)
        case And(parts):
            return all(matches(part, metadata) for part in parts)
        case Or(parts):
            return any(matches(part, metadata) for part in parts)


def leaves(filter_: Filter) -> Iterator[Compare | In]:
    """Yield the comparisons of a filter, from left to right."""
    match filter_:
        case Compare() | In():
            yield filter_
        case Not(part):
            yield from leaves(part)
        case And(parts) | Or(parts):
            for part in parts:
                yield from leaves(part)


def orders_text(filter_: Filter) -> bool:
    """Return whether a filter asks which of two texts comes first."""
    return any(
        isinstance(leaf, Compare) and leaf.comparison in ORDERED and isinstance(leaf.value, str)
        for leaf in leaves(filter_)
    )


def fields_of(filter_: Filter) -> frozenset[str]:
    """Return the names of the fields that a filter looks at."""
    return frozenset(leaf.field for leaf in leaves(filter_))


def _holds(found: Json, comparison: Comparison, value: Scalar) -> bool:
    if isinstance(found, bool) or isinstance(value, bool):
        if not (isinstance(found, bool) and isinstance(value, bool)):
            return False
        return comparison not in ORDERED and _NUMBER[comparison](found, value)
    if isinstance(found, str) and isinstance(value, str):
        return _TEXT[comparison](found, value)
    if isinstance(found, int | float) and isinstance(value, int | float):
        return _NUMBER[comparison](found, value)
    return False
