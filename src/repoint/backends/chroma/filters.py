"""Filters as Chroma's own, with the two-valued logic of ``domain.filters``.

A metadata field lives in one key for each type, named by its own name in hexadecimal, so no
comparison meets a value of another type. ``not`` is driven inwards, as Chroma has none: it
meets ``$ne``, which a record without the key passes, or an order turned round; there a mark
beside the key says whether the record has it. Numbers are doubles, the infinite ones the
largest there are. Text has no order here.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeAlias

from repoint.domain.document import FieldType, Metadata
from repoint.domain.errors import UnsupportedError
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

#: A condition, or what it comes to for every record.
Where: TypeAlias = "dict[str, object] | bool"

_PREFIXES: Final[Mapping[FieldType, str]] = MappingProxyType(
    {FieldType.TEXT: "t_", FieldType.NUMBER: "n_", FieldType.BOOLEAN: "b_"}
)
#: Stands before a key to make that of the mark.
_MARK: Final = "has_"
#: Each order, and its opposite among those that have the key.
_BOUNDS: Final = MappingProxyType(
    {
        Comparison.LESS: ("$lt", "$gte"),
        Comparison.AT_MOST: ("$lte", "$gt"),
        Comparison.MORE: ("$gt", "$lte"),
        Comparison.AT_LEAST: ("$gte", "$lt"),
    }
)
_LARGEST: Final = sys.float_info.max


def fields(metadata: Metadata) -> dict[str, Scalar]:
    """Return the keys that filters look at."""
    keys: dict[str, Scalar] = {}
    for field, value in metadata.items():
        kind = type_of(value)
        if kind in _PREFIXES and isinstance(value, str | int | float | bool):
            key = _key(field, kind)
            keys[key] = _stored(value)
            keys[_MARK + key] = True
    return keys


def condition(filter_: Filter, *, holds: bool = True) -> Where:
    """Return the condition of those for which the filter holds, or does not.

    Raises:
        UnsupportedError: it asks which of two texts comes first.
    """
    match filter_:
        case Compare():
            return _compared(filter_, holds=holds)
        case In(field, values):
            equal = [
                _equal(_key(field, type_of(value)), value, holds=holds) for value in values
            ]
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
    kept = [one for one in conditions if not isinstance(one, bool)]
    if len(kept) <= 1:
        return kept[0] if kept else every
    return {"$and" if every else "$or": kept}


def _compared(asked: Compare, *, holds: bool) -> Where:
    key, value = _key(asked.field, type_of(asked.value)), asked.value
    if asked.comparison is Comparison.EQUAL:
        return _equal(key, value, holds=holds)
    if asked.comparison is Comparison.UNEQUAL:
        parts: list[Where] = [_present(key, holds=holds), _equal(key, value, holds=not holds)]
        return joined(parts, every=holds)
    if isinstance(value, str):
        raise UnsupportedError(
            driver="chroma",
            what=f"the filter {asked.field} {asked.comparison} with text",
            hint="text can be compared with =, != and in",
        )
    if isinstance(value, bool) and asked.comparison in ORDERED:
        return not holds
    within, beyond = _BOUNDS[asked.comparison]
    if holds:
        return {key: {within: _double(value)}}
    return joined([_present(key, holds=False), {key: {beyond: _double(value)}}], every=False)


def _equal(key: str, value: Scalar, *, holds: bool) -> Where:
    return {key: {"$eq" if holds else "$ne": _stored(value)}}


def _present(key: str, *, holds: bool) -> Where:
    return {_MARK + key: {"$eq" if holds else "$ne": True}}


def _key(field: str, kind: FieldType) -> str:
    return _PREFIXES[kind] + field.encode("utf-8", "surrogatepass").hex()


def _stored(value: Scalar) -> Scalar:
    return value if isinstance(value, str | bool) else _double(value)


def _double(number: float) -> float:
    try:
        return max(-_LARGEST, min(_LARGEST, float(number)))
    except OverflowError:
        return _LARGEST if number > 0 else -_LARGEST
