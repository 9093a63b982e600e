"""Sync: the one mechanism that brings collections into step with the log (DESIGN section 3)."""

from repoint.operations.sync.at_once import (
    AppliedNow,
    PendingDeletes,
    apply_deletes_first,
    apply_now,
)
from repoint.operations.sync.engine import sync
from repoint.operations.sync.follow import Follower
from repoint.operations.sync.plan import SyncPlan, plan
from repoint.operations.sync.retention import purge_tombstones
from repoint.operations.sync.upkeep import Upkeep
from repoint.operations.sync.values import Limits, Progress, Stopped, SyncReport

__all__ = [
    "AppliedNow",
    "Follower",
    "Limits",
    "PendingDeletes",
    "Progress",
    "Stopped",
    "SyncPlan",
    "SyncReport",
    "Upkeep",
    "apply_deletes_first",
    "apply_now",
    "plan",
    "purge_tombstones",
    "sync",
]
