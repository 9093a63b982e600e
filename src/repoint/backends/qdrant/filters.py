"""Filters as Qdrant's own, with the two-valued logic of ``domain.filters``.

A metadata field lives in one payload field for each type, named by its own name in
hexadecimal: no name is read as a path, and no comparison meets a value of another type.
Numbers are doubles, the infinite ones the largest there are. Text has no order here.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from qdrant_client import models

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

Condition: TypeAlias = "models.Condition"

_PREFIXES: Final[Mapping[FieldType, str]] = MappingProxyType(
    {FieldType.TEXT: "t_", FieldType.NUMBER: "n_", FieldType.BOOLEAN: "b_"}
)
_BOUNDS: Final = MappingProxyType(
    {
        Comparison.LESS: "lt",
        Comparison.AT_MOST: "lte",
        Comparison.MORE: "gt",
        Comparison.AT_LEAST: "gte",
    }
)
_LARGEST: Final = sys.float_info.max


def fields(metadata: Metadata) -> dict[str, Scalar]:
    """Return the payload fields that filters look at."""
    return {
        _key(field, kind): _stored(value)
        for field, value in metadata.items()
        if (kind := type_of(value)) in _PREFIXES and isinstance(value, str | int | float | bool)
    }


def condition(filter_: Filter, *, within: str = "") -> Condition:
    """Return a filter as one condition on the fields that stand at ``within``.

    Raises:
        UnsupportedError: it asks which of two texts comes first.
    """
    match filter_:
        case Compare(field, comparison, value):
            return _compared(within + _key(field, type_of(value)), comparison, field, value)
        case In(field, values):
            return _any([_equal(within + _key(field, type_of(one)), one) for one in values])
        case Not(part):
            return models.Filter(must_not=[condition(part, within=within)])
        case And(parts):
            every = [condition(part, within=within) for part in parts]
            return models.Filter(must=every) if every else models.Filter(must_not=[_never()])
        case Or(parts):
            return _any([condition(part, within=within) for part in parts])


def _compared(key: str, comparison: Comparison, field: str, value: Scalar) -> Condition:
    if comparison is Comparison.EQUAL:
        return _equal(key, value)
    if comparison is Comparison.UNEQUAL:
        absent = models.IsEmptyCondition(is_empty=models.PayloadField(key=key))
        return models.Filter(must_not=[absent, _equal(key, value)])
    if isinstance(value, str):
        raise UnsupportedError(
            driver="qdrant",
            what=f"the filter {field} {comparison} with text",
            hint="text can be compared with =, != and in",
        )
    if isinstance(value, bool) and comparison in ORDERED:
        return _never()
    bounds = {_BOUNDS[comparison]: _double(value)}
    return models.FieldCondition(key=key, range=models.Range(**bounds))


def _equal(key: str, value: Scalar) -> Condition:
    if isinstance(value, str | bool):
        return models.FieldCondition(key=key, match=models.MatchValue(value=value))
    number = _double(value)
    return models.FieldCondition(key=key, range=models.Range(gte=number, lte=number))


def _any(conditions: list[Condition]) -> Condition:
    return models.Filter(should=conditions) if conditions else _never()


def _never() -> Condition:
    return models.HasIdCondition(has_id=[])


def _key(field: str, kind: FieldType) -> str:
    return _PREFIXES[kind] + field.encode("utf-8", "surrogatepass").hex()


def _stored(value: Scalar) -> Scalar:
    return value if isinstance(value, str | bool) else _double(value)


def _double(number: float) -> float:
    try:
        return max(-_LARGEST, min(_LARGEST, float(number)))
    except OverflowError:
        return _LARGEST if number > 0 else -_LARGEST
