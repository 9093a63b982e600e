"""Policies: what must hold before a release may answer."""

from __future__ import annotations

from repoint.domain.access import Action
from repoint.domain.ids import IndexName, ReleaseName, query_set_version
from repoint.domain.policy import Policy, PolicyVersion
from repoint.operations.evaluate.gating import measures_of
from repoint.operations.session import Session, authorise


def set_policy(
    session: Session, index: IndexName, policy: Policy, *, reason: str
) -> tuple[PolicyVersion, ReleaseName | None]:
    """Store a policy for the rollouts to come.

    Returns its version, and the release whose open rollout keeps the policy it began with.

    Raises:
        BadInputError: a gate names no measure, or the query set's name can be none; nothing
            was stored.
    """
    authorise(session, Action.POLICY, index, reason=reason)
    measures_of(policy)
    if policy.queries:
        query_set_version(policy.queries)
    now = session.clock.now()
    with session.store.begin() as tx:
        made = tx.policies.set(index, policy, actor=session.actor, reason=reason, at=now)
        rollout = tx.pointers.rollout(index)
        tx.audit.append(
            at=now,
            actor=session.actor,
            action=Action.POLICY,
            index=index,
            reason=reason,
            details={"version": made.version},
        )
    return made, None if rollout is None else rollout.release


def show(session: Session, index: IndexName, *, version: int | None = None) -> PolicyVersion:
    """Return one version, by default the newest; 0 is the built-in policy."""
    authorise(session, Action.READ, index)
    with session.store.read() as view:
        if version is None:
            return view.policies.newest(index)
        view.indexes.require(index)
        return view.policies.get(index, version)
