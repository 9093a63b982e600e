"""Freeze and unfreeze: nothing moves forward, going back stays possible."""

from __future__ import annotations

from repoint.domain.access import Action
from repoint.domain.errors import FrozenError
from repoint.domain.ids import IndexName
from repoint.domain.operation import Freeze
from repoint.operations.session import Session, authorise
from repoint.ports.store import Transaction


def freeze(session: Session, index: IndexName, *, reason: str) -> Freeze:
    """Stop backfill, promote, accept, retire and drop from moving forward; return the freeze.

    Freezing what is frozen keeps the first freeze and its reason.
    """
    authorise(session, Action.FREEZE, index, reason=reason)
    with session.store.begin() as tx:
        tx.indexes.require(index)
        standing = tx.indexes.frozen(index)
        if standing is not None:
            return standing
        made = Freeze(actor=session.actor, reason=reason, at=session.clock.now())
        tx.indexes.freeze(index, made)
        tx.audit.append(
            at=made.at, actor=session.actor, action=Action.FREEZE, index=index, reason=reason
        )
        return made


def unfreeze(session: Session, index: IndexName, *, reason: str = "") -> bool:
    """Let things move forward again; return False when nothing was frozen."""
    authorise(session, Action.UNFREEZE, index, reason=reason)
    with session.store.begin() as tx:
        tx.indexes.require(index)
        if tx.indexes.frozen(index) is None:
            return False
        tx.indexes.freeze(index, None)
        tx.audit.append(
            at=session.clock.now(),
            actor=session.actor,
            action=Action.UNFREEZE,
            index=index,
            reason=reason,
        )
        return True


def require_thawed(tx: Transaction, index: IndexName, *, action: str) -> None:
    """Return if things may move forward.

    Raises:
        FrozenError: they may not; it says who froze the index, when and why.
    """
    standing = tx.indexes.frozen(index)
    if standing is not None:
        raise FrozenError(
            index=index,
            action=action,
            since=standing.at.isoformat(timespec="seconds"),
            by=standing.actor,
            reason=standing.reason,
        )
