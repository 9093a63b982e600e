"""Filters as Weaviate's own, with the two-valued logic of ``domain.filters``.

A metadata field lives in one property for each type, so no comparison meets a value of
another type. A property that a class does not have matches nothing. Numbers are doubles, the
infinite ones the largest there are.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from weaviate.classes.query import Filter as Where
from weaviate.collections.classes.filters import FilterReturn

from repoint.backends.weaviate.names import property_name, term
from repoint.domain.document import FieldType, Metadata
from repoint.domain.filters import (
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

#: A whole number on every chunk that is not emptied, evenly spread; and how many there are.
PART: Final = "part"
PARTS: Final = 2**16

_LARGEST: Final = sys.float_info.max
_FILTERED: Final = frozenset({FieldType.TEXT, FieldType.NUMBER, FieldType.BOOLEAN})


def fields(metadata: Metadata, *, prefix: str = "") -> dict[str, Scalar]:
    """Return the properties that filters look at; a team's class has them behind a prefix."""
    return {
        prefix + property_name(field, kind): _stored(value)
        for field, value in metadata.items()
        if (kind := type_of(value)) in _FILTERED and isinstance(value, str | int | float | bool)
    }


def properties_of(filter_: Filter, *, prefix: str = "") -> frozenset[str]:
    """Return the properties that a filter looks at, whether they exist or not."""
    return frozenset(
        prefix + property_name(leaf.field, type_of(value))
        for leaf in leaves(filter_)
        for value in ((leaf.value,) if isinstance(leaf, Compare) else leaf.values)
    )


def condition(filter_: Filter, known: AbstractSet[str], *, prefix: str = "") -> FilterReturn:
    """Return a filter as one condition on the properties that a class has."""
    match filter_:
        case Compare(field, comparison, value):
            return _compared(field, comparison, value, known, prefix)
        case In(field, values):
            equal = [
                _compared(field, Comparison.EQUAL, value, known, prefix) for value in values
            ]
            return Where.any_of(equal) if equal else never(prefix)
        case Not(part):
            return Where.not_(condition(part, known, prefix=prefix))
        case And(parts):
            every = [condition(part, known, prefix=prefix) for part in parts]
            return Where.all_of(every) if every else Where.not_(never(prefix))
        case Or(parts):
            some = [condition(part, known, prefix=prefix) for part in parts]
            return Where.any_of(some) if some else never(prefix)


def never(prefix: str = "") -> FilterReturn:
    """Return a condition that nothing meets."""
    return Where.by_property(prefix + PART).less_than(0)


def filled(*, begin: int = 0, end: int = PARTS, prefix: str = "") -> FilterReturn:
    """Return the condition of a chunk whose slot is not emptied, within a share of them."""
    beginning = Where.by_property(prefix + PART).greater_or_equal(begin)
    if end == PARTS:
        return beginning
    return Where.all_of([beginning, Where.by_property(prefix + PART).less_than(end)])


def _compared(
    field: str, comparison: Comparison, value: Scalar, known: AbstractSet[str], prefix: str
) -> FilterReturn:
    name = prefix + property_name(field, type_of(value))
    if name not in known:
        return never(prefix)
    stored = _stored(value)
    if isinstance(stored, bool):
        # A boolean has no order, and is unequal to the other one alone.
        stored = stored if comparison is Comparison.EQUAL else not stored
        if comparison not in {Comparison.EQUAL, Comparison.UNEQUAL}:
            return never(prefix)
        return Where.by_property(name).equal(stored)
    if comparison is Comparison.UNEQUAL:  # the server's own also finds those without the field
        return Where.any_of([_asked(name, less, stored) for less in _EITHER_SIDE])
    return _asked(name, comparison, stored)


def _asked(name: str, comparison: Comparison, value: str | float) -> FilterReturn:
    return _ASK[comparison](name, value)


_EITHER_SIDE: Final = (Comparison.LESS, Comparison.MORE)
_ASK: Final[Mapping[Comparison, Callable[[str, str | float], FilterReturn]]] = {
    Comparison.EQUAL: lambda name, value: Where.by_property(name).equal(value),
    Comparison.LESS: lambda name, value: Where.by_property(name).less_than(value),
    Comparison.AT_MOST: lambda name, value: Where.by_property(name).less_or_equal(value),
    Comparison.MORE: lambda name, value: Where.by_property(name).greater_than(value),
    Comparison.AT_LEAST: lambda name, value: Where.by_property(name).greater_or_equal(value),
}


def _stored(value: Scalar) -> str | float | bool:
    if isinstance(value, bool):
        return value
    return term(value) if isinstance(value, str) else _double(value)


def _double(number: float) -> float:
    try:
        # Adding nothing makes the negative zero, which has other bytes, the one there is.
        return max(-_LARGEST, min(_LARGEST, float(number))) + 0.0
    except OverflowError:
        return _LARGEST if number > 0 else -_LARGEST
