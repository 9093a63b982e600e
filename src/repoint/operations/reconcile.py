"""Reconcile: finish what a crash left half done, and bring the database into line.

An operation whose process is gone is finished or abandoned by the rule of ``Step``, its alias
included; processes that are dead leave the registry. What needs no help is left alone, so it
may run at any time and as often as one likes. An alias that was moved past repoint is told,
and pointed back only where that was asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from repoint.domain.access import Action
from repoint.domain.errors import OperationInProgressError, RepointError
from repoint.domain.ids import IndexName
from repoint.domain.operation import OperationKind
from repoint.operations import acknowledge, alias, moving, rollback
from repoint.operations.session import Session, authorise, in_turn, may

_HOW: Final = "to point it back: repoint reconcile --repair-alias"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """One thing that was brought to its end."""

    index: IndexName | None
    what: str


@in_turn
def clear_the_way(session: Session, index: IndexName) -> Mended | None:
    """Finish what a dead process left on an index, before something new is begun there.

    Raises:
        OperationInProgressError: a live process is at it; wait for it.
    """
    operation, alive = moving.unfinished(session, index)
    if operation is None:
        return None
    if alive:
        raise moving.refuse_if_under_way(operation)
    if operation.kind is OperationKind.ROLLBACK:
        rollback.resume(session, operation)
    else:
        moving.recover(session, operation)
    return Mended(
        index=index, what=f"{operation.kind} of {operation.release} by {operation.actor}"
    )


@in_turn
def reconcile(
    session: Session, *, repair_alias: bool = False, reason: str = ""
) -> tuple[list[Mended], list[str]]:
    """Mend every index; return what was mended and what was not, in words."""
    mine = _permitted(session)
    mended: list[Mended] = []
    left: list[str] = []
    gone = acknowledge.sweep(session)
    if gone:
        mended.append(Mended(index=None, what=f"{gone} dead processes left the registry"))
    for index in mine:
        try:
            done = clear_the_way(session, index)
            if done is not None:
                mended.append(done)
            mended += _erasures(session, index)
            drifted = _drifted(session, index)
            if drifted and not repair_alias:
                left.append(f"{index}: {drifted}; {_HOW}")
            elif drifted:
                alias.repair(session, index, reason=reason)
                mended.append(Mended(index=index, what=f"alias: {drifted}"))
        except OperationInProgressError as error:
            left.append(error.message)
        except RepointError as error:
            left.append(f"{index}: {error}")
    return mended, left


def _erasures(session: Session, index: IndexName) -> list[Mended]:
    from repoint.domain.erasure import Stage  # noqa: PLC0415 - a rollback needs none

    with session.store.read() as view:
        is_done = all(one.stage is Stage.DONE for one in view.erasures.all(index))
    if is_done or not may(session, Action.ERASE, index):
        return []
    from repoint.operations.erase import finish_open  # noqa: PLC0415 - a rollback needs none

    done = finish_open(session, index, abandoned_only=True)
    return [
        Mended(index=index, what=f"an erasure of {one.documents} documents")
        for one in done
        if one.verified
    ]


def _permitted(session: Session) -> list[IndexName]:
    with session.store.read() as view:
        names = view.indexes.names()
    mine = [name for name in names if may(session, Action.RECONCILE, name)]
    if not mine:
        authorise(session, Action.RECONCILE, None)
    return mine


def _drifted(session: Session, index: IndexName) -> str | None:
    """Return in words how the alias differs from the pointer; None where it does not."""
    found = alias.look(session, index)
    return None if found is None or found.agrees else found.sentence()
