"""Filters on metadata: a small tree that every backend turns into its own syntax.

The logic has two values: a comparison with a field that a document lacks, or that is null,
is false; ``not`` turns false into true. ``parse`` reads the written form and ``matches``
is the definition that every backend is held to.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

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
