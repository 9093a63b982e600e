"""The pointer: every move raises the epoch by one, and only allowed moves exist (INV-4)."""

from __future__ import annotations

import pytest

from repoint.domain.errors import RefusedMoveError
from repoint.domain.ids import NEVER_MOVED, IndexName, ReleaseName
from repoint.domain.pointer import Pointer

DOCS = IndexName("docs")
V1, V2 = ReleaseName("v1"), ReleaseName("v2")


def test_the_first_promotion_has_no_way_back() -> None:
    first = Pointer.unset(DOCS).promoted(V1)
    assert (first.active, first.fallback, first.epoch) == (V1, None, 1)
    with pytest.raises(RefusedMoveError, match="v1 answers alone"):
        first.rolled_back()


def test_a_promotion_keeps_what_answered_as_the_fallback() -> None:
    second = Pointer.unset(DOCS).promoted(V1).promoted(V2)
    assert (second.active, second.fallback, second.epoch) == (V2, V1, 2)


def test_a_rollback_leaves_nothing_to_go_back_to_a_second_time() -> None:
    back = Pointer.unset(DOCS).promoted(V1).promoted(V2).rolled_back()
    assert (back.active, back.fallback, back.epoch) == (V1, None, 3)
    with pytest.raises(RefusedMoveError):
        back.rolled_back()


def test_accepting_lets_the_fallback_go_and_keeps_who_answers() -> None:
    accepted = Pointer.unset(DOCS).promoted(V1).promoted(V2).accepted()
    assert (accepted.active, accepted.fallback, accepted.epoch) == (V2, None, 3)


def test_what_is_active_cannot_be_promoted() -> None:
    with pytest.raises(RefusedMoveError, match="already active"):
        Pointer.unset(DOCS).promoted(V1).promoted(V1)


def test_an_index_that_nothing_was_promoted_in_cannot_go_back() -> None:
    unset = Pointer.unset(DOCS)
    assert unset.epoch == NEVER_MOVED
    with pytest.raises(RefusedMoveError, match="nothing was promoted"):
        unset.rolled_back()
    with pytest.raises(RefusedMoveError):
        unset.accepted()
