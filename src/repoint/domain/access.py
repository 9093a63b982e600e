"""Who may do what: roles, the actions each allows, and the rule before the first grant."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Role(StrEnum):
    """What a person or a service is trusted with; each holds all that stands before it."""

    #: Reads: search, status, history, check, diff.
    VIEWER = "viewer"
    #: Changes documents, brings collections into step, measures releases.
    WRITER = "writer"
    #: Moves the pointer either way, freezes, retires, says what releases are measured with.
    OPERATOR = "operator"
    #: Also sets the policy, overrides a gate, drops collections, lifts a hold.
    APPROVER = "approver"
    #: Also grants roles and moves the control store.
    ADMIN = "admin"


class Action(StrEnum):
    """What can be permitted or denied."""

    READ = "read"
    WRITE = "write"
    SYNC = "sync"
    CREATE_INDEX = "create-index"
    CREATE_RELEASE = "create-release"
    JUDGE = "judge"
    EVALUATE = "evaluate"
    PROMOTE = "promote"
    OVERRIDE = "override"
    ROLLBACK = "rollback"
    ABORT = "abort"
    FREEZE = "freeze"
    UNFREEZE = "unfreeze"
    ACCEPT = "accept"
    REPAIR = "repair"
    RETIRE = "retire"
    HOLD = "hold"
    RELEASE_HOLD = "release-hold"
    DROP = "drop"
    ERASE = "erase"
    FIT_BRIDGE = "fit-bridge"
    ENABLE_BRIDGE = "enable-bridge"
    RECONCILE = "reconcile"
    POLICY = "policy"
    GRANT = "grant"
    MIGRATE_STORE = "migrate-store"


#: The least role that an action needs.
NEEDS: Final[Mapping[Action, Role]] = MappingProxyType(
    {
        Action.READ: Role.VIEWER,
        Action.WRITE: Role.WRITER,
        Action.SYNC: Role.WRITER,
        Action.CREATE_RELEASE: Role.WRITER,
        Action.EVALUATE: Role.WRITER,
        Action.CREATE_INDEX: Role.OPERATOR,
        Action.JUDGE: Role.OPERATOR,
        Action.PROMOTE: Role.OPERATOR,
        Action.ROLLBACK: Role.OPERATOR,
        Action.ABORT: Role.OPERATOR,
        Action.FREEZE: Role.OPERATOR,
        Action.UNFREEZE: Role.OPERATOR,
        Action.ACCEPT: Role.OPERATOR,
        Action.REPAIR: Role.OPERATOR,
        Action.RETIRE: Role.OPERATOR,
        Action.HOLD: Role.OPERATOR,
        Action.RECONCILE: Role.OPERATOR,
        Action.POLICY: Role.APPROVER,
        Action.OVERRIDE: Role.APPROVER,
        Action.RELEASE_HOLD: Role.APPROVER,
        Action.DROP: Role.APPROVER,
        Action.ERASE: Role.APPROVER,
        Action.FIT_BRIDGE: Role.OPERATOR,
        Action.ENABLE_BRIDGE: Role.APPROVER,
        Action.GRANT: Role.ADMIN,
        Action.MIGRATE_STORE: Role.ADMIN,
    }
)

_ORDER: Final = tuple(Role)


def permits(
    held: Collection[Role], action: Action, *, anyone_granted: bool, is_owner: bool
) -> bool:
    """Return whether someone with these roles may act.

    Until a first role is granted, whoever owns the control store may do everything and
    nobody else anything; afterwards roles alone decide.
    """
    if not anyone_granted:
        return is_owner
    needed = _ORDER.index(NEEDS[action])
    return any(_ORDER.index(role) >= needed for role in held)
