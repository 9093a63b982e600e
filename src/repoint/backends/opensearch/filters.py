"""Filters as OpenSearch's own, with the two-valued logic of ``domain.filters``.

A metadata field lives in one field for each type, named by its own name in hexadecimal: no
name is read as a path, and no comparison meets a value of another type. Numbers are doubles,
the infinite ones the largest there are. Text is ordered by its bytes, which is by code points.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
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

Query: TypeAlias = dict[str, object]

#: The condition of a slot that is not emptied.
FILLED: Final[Query] = {"term": {"filled": True}}

#: What stands before the name of a field, and what the database makes of such fields.
KINDS: Final[Mapping[FieldType, tuple[str, str]]] = MappingProxyType(
    {
        FieldType.TEXT: ("t_", "keyword"),
        FieldType.NUMBER: ("n_", "double"),
        FieldType.BOOLEAN: ("b_", "boolean"),
    }
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
    """Return what filters look at."""
    return {
        _name(field, kind): _stored(value)
        for field, value in metadata.items()
        if (kind := type_of(value)) in KINDS and isinstance(value, str | int | float | bool)
    }


def condition(filter_: Filter, *, at: str = "fields") -> Query:
    """Return a filter as one query on the fields that stand there."""
    match filter_:
        case Compare(field, comparison, value):
            return _compared(at, field, comparison, value)
        case In(field, values):
            return _any([_compared(at, field, Comparison.EQUAL, value) for value in values])
        case Not(part):
            return {"bool": {"must_not": [condition(part, at=at)]}}
        case And(parts):
            every = [condition(part, at=at) for part in parts]
            return {"bool": {"filter": every}} if every else {"match_all": {}}
        case Or(parts):
            return _any([condition(part, at=at) for part in parts])


def _compared(at: str, field: str, comparison: Comparison, value: Scalar) -> Query:
    name = f"{at}.{_name(field, type_of(value))}"
    equal: Query = {"term": {name: {"value": _stored(value)}}}
    if comparison is Comparison.EQUAL:
        return equal
    if comparison is Comparison.UNEQUAL:
        there: Query = {"exists": {"field": name}}
        return {"bool": {"filter": [there], "must_not": [equal]}}
    if isinstance(value, bool) and comparison in ORDERED:
        return {"match_none": {}}
    return {"range": {name: {_BOUNDS[comparison]: _stored(value)}}}


def _any(queries: list[Query]) -> Query:
    if not queries:
        return {"match_none": {}}
    return {"bool": {"should": queries, "minimum_should_match": 1}}


def _name(field: str, kind: FieldType) -> str:
    return KINDS[kind][0] + field.encode("utf-8", "surrogatepass").hex()


def _stored(value: Scalar) -> Scalar:
    if isinstance(value, str | bool):
        return value
    try:
        return max(-_LARGEST, min(_LARGEST, float(value)))
    except OverflowError:
        return _LARGEST if value > 0 else -_LARGEST
