"""Where two release specs differ, field by field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from repoint.domain.spec import NOT_FINGERPRINTED, ReleaseSpec, as_tree

_ABSENT: Final = object()


class Difference(NamedTuple):
    """One field that two specs hold differently; None where one lacks its section or key."""

    field: str
    a: object
    b: object
    #: It changes answers, and so the fingerprint.
    matters: bool


def spec_diff(a: ReleaseSpec, b: ReleaseSpec) -> list[Difference]:
    """Return the fields in which the specs differ, in the order of a spec file.

    A section that one spec does not have is one difference for each of its fields.
    """
    return [
        Difference(field, left, right, not _is_about_the_place(field))
        for field, left, right in _differences("", as_tree(a), as_tree(b))
    ]


def _differences(field: str, a: object, b: object) -> Iterator[tuple[str, object, object]]:
    if isinstance(a, dict) or isinstance(b, dict):
        left = a if isinstance(a, dict) else {}
        right = b if isinstance(b, dict) else {}
        for name in (*left, *(key for key in right if key not in left)):
            place = f"{field}.{name}" if field else str(name)
            yield from _differences(place, left.get(name, _ABSENT), right.get(name, _ABSENT))
        if left == right and a != b:  # an empty section against none at all
            yield field, _shown(a), _shown(b)
    elif a != b or type(a) is not type(b):
        yield field, _shown(a), _shown(b)


def _shown(value: object) -> object:
    return None if value is _ABSENT else value


def _is_about_the_place(field: str) -> bool:
    return field in {f"model.{name}" for name in NOT_FINGERPRINTED}
