"""Roles: each holds all that stands before it; before the first grant the owner decides."""

from __future__ import annotations

import pytest

from repoint.domain.access import NEEDS, Action, Role, permits


@pytest.mark.parametrize("action", Action)
def test_every_action_needs_a_role(action: Action) -> None:
    assert action in NEEDS


@pytest.mark.parametrize("action", Action)
def test_before_the_first_grant_only_the_owner_may_act(action: Action) -> None:
    assert permits((), action, anyone_granted=False, is_owner=True)
    assert not permits((), action, anyone_granted=False, is_owner=False)


@pytest.mark.parametrize("action", Action)
def test_after_the_first_grant_owning_the_folder_counts_for_nothing(action: Action) -> None:
    assert not permits((), action, anyone_granted=True, is_owner=True)


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("role", Role)
def test_a_role_permits_what_needs_it_or_less(role: Role, action: Action) -> None:
    order = list(Role)
    expected = order.index(role) >= order.index(NEEDS[action])
    assert permits({role}, action, anyone_granted=True, is_owner=False) is expected


@pytest.mark.parametrize(
    ("action", "least"),
    [
        (Action.PROMOTE, Role.OPERATOR),
        (Action.ROLLBACK, Role.OPERATOR),
        (Action.FREEZE, Role.OPERATOR),
        (Action.DROP, Role.APPROVER),
        (Action.POLICY, Role.APPROVER),
        (Action.GRANT, Role.ADMIN),
    ],
)
def test_what_can_hurt_needs_its_role(action: Action, least: Role) -> None:
    assert NEEDS[action] is least
