"""The errors: one tree, drawn at the top of its module, grouped by the caller's next step."""

from __future__ import annotations

import inspect
import re

import pytest

from repoint.domain import errors
from repoint.domain.errors import RepointError

FAMILIES = {
    errors.RefusedError: 3,
    errors.ConflictError: 4,
    errors.UnavailableError: 5,
    errors.CorruptionError: 6,
}


def all_classes() -> list[type[RepointError]]:
    return [
        item
        for _, item in inspect.getmembers(errors, inspect.isclass)
        if issubclass(item, RepointError)
    ]


def drawn_parents() -> dict[str, str]:
    parents: dict[str, str] = {}
    stack: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"^( {4,})([A-Z]\w+Error)\b", line)
        if match is None:
            continue
        depth, name = len(match[1]), match[2]
        while stack and stack[-1][0] >= depth:
            stack.pop()
        if stack:
            parents[name] = stack[-1][1]
        stack.append((depth, name))
    return parents


def test_the_picture_and_the_classes_agree() -> None:
    real = {
        item.__name__: item.__bases__[0].__name__
        for item in all_classes()
        if item is not RepointError
    }
    assert drawn_parents() == real


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [item.code for item in all_classes()]
    assert len(codes) == len(set(codes))
    assert all(re.fullmatch(r"[a-z][a-z-]+", code) for code in codes)


@pytest.mark.parametrize(("family", "status"), FAMILIES.items())
def test_the_exit_status_comes_from_the_family(family: type[RepointError], status: int) -> None:
    members = [item for item in all_classes() if issubclass(item, family)]
    assert members
    assert {item.exit_status for item in members} == {status}


def test_only_what_is_unavailable_may_be_tried_again_unchanged() -> None:
    for item in all_classes():
        assert item.retryable is issubclass(item, errors.UnavailableError)


def test_an_error_says_what_and_what_next_and_carries_its_fields() -> None:
    error = errors.StaleEpochError(index="docs", expected=4, found=5)
    assert "'docs' is at epoch 5, not 4" in str(error)
    assert "repoint history docs" in str(error)
    assert error.details() == {"index": "docs", "expected": 4, "found": 5}
