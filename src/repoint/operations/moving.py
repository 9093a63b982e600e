"""Moves of the pointer: intent, one compare-and-set, effects, done (DESIGN section 4).

An operation records its intent first. The transaction that appends the move is the only
moment of truth; it also advances the rollout, writes the audit record and marks the
operation as moved. What follows (alias, acknowledgements, verification) can be done again
by ``reconcile`` or by the next command, after a crash at any point.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta

from repoint.domain.audit import Outcome
from repoint.domain.document import Json
from repoint.domain.errors import OperationInProgressError, RepointError, StaleEpochError
from repoint.domain.ids import IndexName, ReleaseName
from repoint.domain.operation import Operation, OperationKind, Step
from repoint.domain.pointer import Move, MoveKind, Pointer
from repoint.domain.readiness import Finding
from repoint.domain.rollout import FORWARD, Event
from repoint.operations import acknowledge
from repoint.operations.acknowledge import is_alive
from repoint.operations.freeze import require_thawed
from repoint.operations.session import Session
from repoint.ports.store import Transaction


def intend(  # noqa: PLR0913 - one keyword a field of the intent
    session: Session,
    tx: Transaction,
    *,
    kind: OperationKind,
    pointer: Pointer,
    release: ReleaseName,
    reason: str,
    notes: Mapping[str, Json] | None = None,
) -> Operation:
    """Record within the transaction what is about to be done, and by whom."""
    operation = Operation(
        id=session.ids.new(),
        index=pointer.index,
        kind=kind,
        release=release,
        actor=session.actor,
        reason=reason,
        owner=session.process.id,
        step=Step.INTENDED,
        epoch=pointer.epoch,
        started_at=session.clock.now(),
        notes=notes or {},
    )
    tx.operations.begin(operation)
    return operation


def move(  # noqa: PLR0913 - what turns, what was checked, and what still is
    session: Session,
    operation: Operation,
    *,
    kind: MoveKind,
    event: Event,
    turn: Callable[[Pointer], Pointer],
    findings: Iterable[Finding],
    guard: Callable[[Transaction], None] | None = None,
) -> tuple[Operation, Pointer]:
    """Move the pointer, or change nothing.

    ``guard`` runs within the transaction of the move, while nobody else can write.

    Raises:
        StaleEpochError: someone moved it after the intent was recorded (INV-4).
        ConflictError: the operation was taken over or abandoned meanwhile.
        FrozenError: the move is forward and the index was frozen meanwhile.
    """
    checked: dict[str, Json] = {
        finding.check: {"status": finding.status, "summary": finding.summary}
        for finding in findings
    }
    with session.store.begin() as tx:
        before = tx.pointers.pointer(operation.index)
        if before.epoch != operation.epoch:
            raise StaleEpochError(
                index=operation.index, expected=operation.epoch, found=before.epoch
            )
        if event in FORWARD:
            require_thawed(tx, operation.index, action=kind)
        if guard is not None:
            guard(tx)
        after, now = turn(before), session.clock.now()
        tx.pointers.move(
            Move(
                kind=kind,
                before=before,
                after=after,
                actor=operation.actor,
                reason=operation.reason,
                at=now,
                checked=checked,
            )
        )
        rollout = tx.pointers.rollout(operation.index)
        if rollout is not None:
            tx.pointers.advance(rollout, event, at=now)
        tx.audit.append(
            at=now,
            actor=operation.actor,
            action=kind,
            index=operation.index,
            reason=operation.reason,
            details={
                "epoch": after.epoch,
                "from": before.active,
                "to": after.active,
                **_tried(after),
                "checked": checked,
            },
        )
        return tx.operations.reach(operation, Step.MOVED), after


def _tried(after: Pointer) -> dict[str, Json]:
    """Return what the record of a move says of its canary; nothing where there is none."""
    canary = after.canary
    if canary is None:
        return {}
    return {
        "canary": {
            "release": canary.release,
            "share": canary.share,
            "tenants": dict(canary.tenants),
            "interleaved": canary.interleaved,
        }
    }


def align_alias(session: Session, pointer: Pointer) -> None:
    """Make the database's own name point where the pointer does, where it has one."""
    if pointer.active is None:
        return
    with session.store.read() as view:
        release = view.releases.get(pointer.index, pointer.active)
    backend, alias = session.spaces.backend(release), session.spaces.alias(release)
    if backend.capabilities.aliases and backend.alias_target(alias) != release.collection:
        backend.set_alias(alias, release.collection)


def abandon(session: Session, operation: Operation, *, why: str) -> None:
    """End an operation that moved nothing, and record why; a freeze of its own goes with it.

    Raises:
        ConflictError: it has moved, it ended, or another process has it.
    """
    with session.store.begin() as tx:
        tx.operations.reach(operation, Step.ABANDONED)
        if operation.notes.get("froze") is True:
            tx.indexes.freeze(operation.index, None)
        tx.audit.append(
            at=session.clock.now(),
            actor=operation.actor,
            action=operation.kind,
            index=operation.index,
            outcome=Outcome.ABANDONED,
            reason=operation.reason,
            details={"why": why},
        )


def finish(
    session: Session, operation: Operation, *, notes: Mapping[str, Json] | None = None
) -> Operation:
    """Mark an operation whose effects all stand as done."""
    with session.store.begin() as tx:
        return tx.operations.reach(operation, Step.DONE, notes=notes)


def settle(
    session: Session, operation: Operation, pointer: Pointer, *, ack_timeout: timedelta
) -> Finding:
    """Do what follows a move, again if need be: alias, acknowledgements, done."""
    align_alias(session, pointer)
    told = acknowledge.wait_for(session, pointer.index, pointer.epoch, timeout=ack_timeout)
    finish(session, operation, notes={"acknowledged_ms": round(told.waited_ms, 1)})
    return told.finding()


def recover(session: Session, operation: Operation) -> None:
    """Bring an operation other than a rollback to its end, for an owner that cannot.

    Before its move it is abandoned: what made it safe to go forward may no longer hold.
    After it, its effects are done again.
    """
    taken = take_over(session, operation)
    if taken.step is Step.INTENDED:
        abandon(session, taken, why=f"its process ended; recovered by {session.actor}")
        return
    with session.store.read() as view:
        pointer = view.pointers.pointer(taken.index)
    settle(session, taken, pointer, ack_timeout=timedelta(0))


def take_over(session: Session, operation: Operation) -> Operation:
    """Become the owner of an operation.

    Raises:
        ConflictError: it ended, or someone else took it over first.
    """
    session.announce()
    with session.store.begin() as tx:
        return tx.operations.adopt(operation, session.process.id)


def unfinished(session: Session, index: IndexName) -> tuple[Operation | None, bool]:
    """Return the operation under way on an index, and whether its owner may still be at it."""
    with session.store.read() as view:
        operation = view.operations.unfinished(index)
        owners = {process.id: process for process in view.processes.all()}
    if operation is None:
        return None, False
    owner = owners.get(operation.owner)
    alive = owner is not None and owner.id != session.process.id and is_alive(owner, session)
    return operation, alive


def refuse_if_under_way(operation: Operation) -> OperationInProgressError:
    """Return the error that names an operation which another live process is doing."""
    return OperationInProgressError(
        index=operation.index,
        kind=operation.kind,
        actor=operation.actor,
        since=operation.started_at.isoformat(timespec="seconds"),
    )


@contextlib.contextmanager
def attempt(session: Session, operation: Operation) -> Iterator[None]:
    """Abandon the operation if the block fails before its move, keeping the error in front.

    A crash does not come through here: what it leaves is recovered by the next command.
    """
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:
        why = error.message if isinstance(error, RepointError) else type(error).__name__
        try:
            abandon(session, operation, why=why)
        except RepointError as second:
            error.add_note(f"left for `repoint reconcile`: {second.message}")
        raise
