"""Which policy counts for a release: the one that its rollout began with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from repoint.domain.ids import IndexName, ReleaseName
    from repoint.domain.policy import PolicyVersion
    from repoint.ports.store import Transaction


def policy_for(view: Transaction, index: IndexName, release: ReleaseName) -> PolicyVersion:
    """Return the policy of the release's open rollout, else the newest."""
    rollout = view.pointers.rollout(index)
    if rollout is not None and rollout.release == release:
        return view.policies.get(index, rollout.policy)
    return view.policies.newest(index)
