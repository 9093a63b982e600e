"""Ends: accept a soak, abort a rollout, retire a release, drop its collection (INV-8)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from repoint.domain.access import Action
from repoint.domain.audit import Outcome
from repoint.domain.errors import HeldError, RefusedMoveError
from repoint.domain.ids import IndexName, ReleaseName
from repoint.domain.operation import Operation, OperationKind, Step
from repoint.domain.pointer import MoveKind, Pointer
from repoint.domain.readiness import Finding
from repoint.domain.release import Release, ReleaseState
from repoint.domain.rollout import Event
from repoint.operations import moving, reconcile
from repoint.operations.acknowledge import is_alive
from repoint.operations.freeze import require_thawed
from repoint.operations.session import Session, authorise, in_turn, record
from repoint.ports.store import Transaction


@in_turn
def accept(
    session: Session,
    index: IndexName,
    name: ReleaseName,
    *,
    reason: str,
    ack_timeout: timedelta,
) -> tuple[Pointer, Finding]:
    """End the soak: the release stays, its fallback is let go and may be retired.

    Raises:
        RefusedMoveError: the release is not the one in soak; nothing changed.
        FrozenError: the index is frozen; nothing changed.
    """
    authorise(session, Action.ACCEPT, index, reason=reason)
    reconcile.clear_the_way(session, index)
    session.announce()
    with session.store.begin() as tx:
        require_thawed(tx, index, action="accept")
        pointer = tx.pointers.pointer(index)
        if pointer.active is None:
            raise RefusedMoveError(
                index=index, why="nothing was promoted yet, so there is no soak to end"
            )
        if pointer.active != name:
            raise RefusedMoveError(index=index, why=f"{pointer.active} is active, not {name}")
        pointer.accepted()  # refuses when there is no soak
        operation = moving.intend(
            session, tx, kind=OperationKind.ACCEPT, pointer=pointer, release=name, reason=reason
        )
    with moving.attempt(session, operation):
        operation, after = moving.move(
            session,
            operation,
            kind=MoveKind.ACCEPT,
            event=Event.ACCEPT,
            turn=Pointer.accepted,
            findings=(),
        )
    return after, moving.settle(session, operation, after, ack_timeout=ack_timeout)


@in_turn
def abort(session: Session, index: IndexName, *, reason: str) -> ReleaseName:
    """End the open rollout before any move; its release stays as it is. Return its name.

    Raises:
        RefusedMoveError: no rollout is open.
        TransitionRefusedError: the release was promoted already: roll it back instead.
    """
    authorise(session, Action.ABORT, index, reason=reason)
    reconcile.clear_the_way(session, index)
    with session.store.begin() as tx:
        rollout = tx.pointers.rollout(index)
        if rollout is None:
            raise RefusedMoveError(index=index, why="no rollout is open to abort")
        tx.pointers.advance(rollout, Event.ABORT, at=session.clock.now())
        tx.audit.append(
            at=session.clock.now(),
            actor=session.actor,
            action=Action.ABORT,
            index=index,
            reason=reason,
            details={"release": rollout.release},
        )
        return rollout.release


@in_turn
def retire(session: Session, index: IndexName, name: ReleaseName, *, reason: str) -> None:
    """Stop keeping a release in step, so that it may be dropped.

    Raises:
        HeldError: it answers, it is the fallback, or its rollout is open.
        FrozenError: the index is frozen.
    """
    authorise(session, Action.RETIRE, index, reason=reason)
    reconcile.clear_the_way(session, index)
    with session.store.begin() as tx:
        require_thawed(tx, index, action="retire")
        release = tx.releases.get(index, name)
        holders = _roles(tx, index, name)
        if holders:
            raise HeldError(index=index, release=name, holders=holders)
        if release.state in {ReleaseState.RETIRED, ReleaseState.DROPPED}:
            return
        tx.releases.set_state(index, name, ReleaseState.RETIRED)
        tx.audit.append(
            at=session.clock.now(),
            actor=session.actor,
            action=Action.RETIRE,
            index=index,
            reason=reason,
            details={"release": name},
        )


@in_turn
def drop(session: Session, index: IndexName, name: ReleaseName, *, reason: str) -> None:
    """Physically delete a retired release's collection; its spec and records stay.

    Raises:
        HeldError: something still needs it; the error names each thing (INV-8).
        FrozenError: the index is frozen.
    """
    authorise(session, Action.DROP, index, reason=reason)
    reconcile.clear_the_way(session, index)
    session.announce()
    with session.store.read() as view:
        release = view.releases.get(index, name)
    aliased = _aliased(session, release)
    operation: Operation | None = None
    with session.store.begin() as tx:
        require_thawed(tx, index, action="drop")
        release = tx.releases.get(index, name)
        holders = [*_holders(session, tx, release), *aliased]
        if not holders:
            if release.state is ReleaseState.DROPPED:
                return
            operation = moving.intend(
                session,
                tx,
                kind=OperationKind.DROP,
                pointer=tx.pointers.pointer(index),
                release=name,
                reason=reason,
            )
    if operation is None:
        record(
            session,
            Action.DROP,
            index,
            reason=reason,
            outcome=Outcome.REFUSED,
            details={"release": name, "holders": list(holders)},
        )
        raise HeldError(index=index, release=name, holders=holders)
    with moving.attempt(session, operation):
        session.spaces.backend(release).drop(release.collection)
        session.spaces.forget(release)
        with session.store.begin() as tx:
            tx.releases.set_state(index, name, ReleaseState.DROPPED)
            tx.operations.reach(operation, Step.DONE)
            tx.audit.append(
                at=session.clock.now(),
                actor=session.actor,
                action=Action.DROP,
                index=index,
                reason=reason,
                details={"release": name, "collection": release.collection},
            )


def lift_holds(session: Session, index: IndexName, name: ReleaseName, *, reason: str) -> int:
    """Let a held release be dropped; return how many holds there were."""
    authorise(session, Action.RELEASE_HOLD, index, reason=reason)
    with session.store.begin() as tx:
        tx.releases.get(index, name)
        count = tx.access.lift_holds(index, name)
        tx.audit.append(
            at=session.clock.now(),
            actor=session.actor,
            action=Action.RELEASE_HOLD,
            index=index,
            reason=reason,
            details={"release": name, "holds": count},
        )
        return count


def _roles(tx: Transaction, index: IndexName, name: ReleaseName) -> list[str]:
    pointer, rollout = tx.pointers.pointer(index), tx.pointers.rollout(index)
    held: list[str] = []
    if pointer.active == name:
        held.append("it is active")
    if pointer.fallback == name:
        held.append(f"it is the fallback of {pointer.active}, which is in soak")
    if rollout is not None and rollout.release == name and pointer.active != name:
        held.append(f"its rollout is open ({rollout.phase}): repoint abort {index}")
    return held


def _holders(session: Session, tx: Transaction, release: Release) -> Sequence[str]:
    index, name = release.index, release.name
    holders = _roles(tx, index, name)
    if release.state not in {ReleaseState.RETIRED, ReleaseState.DROPPED}:
        holders.append(f"it is {release.state}: repoint retire {index} {name}")
    holders.extend(
        f"hold by {hold.actor}: {hold.reason} (lift it: repoint hold lift {index} {name})"
        for hold in tx.access.holds(index)
        if hold.release == name
    )
    by_epoch = {move.after.epoch: move.after.active for move in tx.pointers.moves(index)}
    holders.extend(
        f"process {process.program} {process.host}:{process.pid} still serves it"
        for process in tx.processes.all()
        if index in process.serves
        and by_epoch.get(process.serves[index]) == name
        and is_alive(process, session)
    )
    return holders


def _aliased(session: Session, release: Release) -> list[str]:
    backend, alias = session.spaces.backend(release), session.spaces.alias(release)
    if not backend.capabilities.aliases or backend.alias_target(alias) != release.collection:
        return []
    return [f"the database's alias {alias!r} points at it: repoint reconcile"]
