"""Ends: accept a soak, abort a rollout, retire a release, drop its collection (INV-8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from repoint.domain.access import Action
from repoint.domain.adoption import Adoption, AdoptionState
from repoint.domain.audit import Outcome
from repoint.domain.document import Json
from repoint.domain.errors import HeldError, RefusedMoveError, RetiredError
from repoint.domain.ids import IndexName, ReleaseName
from repoint.domain.operation import Hold, Operation, OperationKind, Step
from repoint.domain.pointer import MoveKind, Pointer
from repoint.domain.readiness import Finding
from repoint.domain.release import Release, ReleaseState
from repoint.domain.rollout import Event
from repoint.operations import moving, reconcile
from repoint.operations.acknowledge import is_alive
from repoint.operations.freeze import require_thawed
from repoint.operations.session import (
    Session,
    authorise,
    in_turn,
    record,
    require_reason,
)
from repoint.ports.store import Transaction

#: How long an abort waits until every process has ended a canary.
_ACK_TIMEOUT: Final = timedelta(seconds=5)


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
    """End the open rollout, and a canary of it; its release stays as it is. Return its name.

    Raises:
        RefusedMoveError: no rollout is open.
        TransitionRefusedError: the release was promoted already: roll it back instead.
    """
    authorise(session, Action.ABORT, index, reason=reason)
    reconcile.clear_the_way(session, index)
    _end_canary(session, index, reason=reason)
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


def _end_canary(session: Session, index: IndexName, *, reason: str) -> None:
    """Let the active release answer everything again, if a candidate answers some."""
    session.announce()
    with session.store.begin() as tx:
        pointer = tx.pointers.pointer(index)
        if pointer.canary is None:
            return
        operation = moving.intend(
            session,
            tx,
            kind=OperationKind.CANARY,
            pointer=pointer,
            release=pointer.canary.release,
            reason=reason,
        )
    with moving.attempt(session, operation):
        operation, after = moving.move(
            session,
            operation,
            kind=MoveKind.END_CANARY,
            event=Event.END_CANARY,
            turn=Pointer.without_canary,
            findings=(),
        )
    moving.settle(session, operation, after, ack_timeout=_ACK_TIMEOUT)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of an adopted collection, which is the team's own."""

    #: It stays; only what repoint noted of it goes.
    keep: bool = False
    #: Its name, as a proof that it is meant to be deleted.
    delete: str | None = None


@in_turn
def drop(
    session: Session,
    index: IndexName,
    name: ReleaseName,
    *,
    reason: str,
    fate: Fate | None = None,
) -> None:
    """Physically delete a retired release's collection; its spec and records stay.

    An adopted collection is only touched as its ``fate`` says.

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
        adoption = tx.adoptions.get(index, name)
        holders = [*_holders(session, tx, release), *aliased]
        if adoption is not None and release.state is not ReleaseState.DROPPED:
            holders += _of_the_team(adoption, fate or Fate())
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
        deletes = fate is not None and fate.delete is not None
        if adoption is not None and deletes:
            session.spaces.adopter(adoption.backend).destroy(release.collection)
        else:
            session.spaces.backend(release).drop(release.collection)
        session.spaces.forget(release)
        with session.store.begin() as tx:
            if adoption is not None:
                now = session.clock.now()
                tx.adoptions.set_state(index, name, AdoptionState.LET_GO, at=now)
            tx.releases.set_state(index, name, ReleaseState.DROPPED)
            tx.operations.reach(operation, Step.DONE)
            tx.audit.append(
                at=session.clock.now(),
                actor=session.actor,
                action=Action.DROP,
                index=index,
                reason=reason,
                details=_dropped(release, adoption, deletes=deletes),
            )


def place_hold(session: Session, index: IndexName, name: ReleaseName, *, reason: str) -> Hold:
    """Forbid deleting a release's collection until somebody lifts it (INV-8).

    Raises:
        BadInputError: no reason is given; nothing was placed.
        RetiredError: its collection is gone already.
    """
    require_reason(reason, of="a hold")
    authorise(session, Action.HOLD, index, reason=reason)
    with session.store.begin() as tx:
        release = tx.releases.get(index, name)
        if release.state is ReleaseState.DROPPED:
            raise RetiredError(index=index, release=name, state=release.state)
        hold = Hold(
            index=index,
            release=name,
            reason=reason,
            actor=session.actor,
            at=session.clock.now(),
        )
        tx.access.place_hold(hold)
        tx.audit.append(
            at=hold.at,
            actor=session.actor,
            action=Action.HOLD,
            index=index,
            reason=reason,
            details={"release": name},
        )
        return hold


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
    if pointer.canary is not None and pointer.canary.release == name:
        held.append(f"its canary is on: repoint canary {index} --stop")
    if rollout is not None and rollout.release == name and pointer.active != name:
        held.append(f"its rollout is open ({rollout.phase}): repoint abort {index}")
    shadow = tx.shadows.get(index)
    if shadow is not None and shadow.release == name:
        held.append(f"it gets live queries as a shadow: repoint shadow {index} --stop")
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


def _of_the_team(adoption: Adoption, fate: Fate) -> list[str]:
    """Return why an adopted collection may not be dropped as it was asked."""
    own = adoption.layout.collection
    if fate.keep and fate.delete is None:
        return []
    if fate.delete == own and not fate.keep:
        return []
    typed = f"repoint drop {adoption.index} {adoption.release}"
    if fate.delete is not None and not fate.keep:
        return [f"its collection is {own!r}, not {fate.delete!r}"]
    why = (
        f"its collection {own!r} is not repoint's own; to leave it and forget what was noted: "
    )
    what = (
        f"{typed} --keep-collection; to delete it for good: {typed} --delete-collection {own}"
    )
    return [why + what]


def _dropped(release: Release, adoption: Adoption | None, *, deletes: bool) -> dict[str, Json]:
    found: dict[str, Json] = {"release": release.name, "collection": release.collection}
    if adoption is not None:
        found |= {"adopted": adoption.layout.collection, "deleted": deletes}
    return found


def _aliased(session: Session, release: Release) -> list[str]:
    backend, alias = session.spaces.backend(release), session.spaces.alias(release)
    if not backend.capabilities.aliases or backend.alias_target(alias) != release.collection:
        return []
    return [f"the database's alias {alias!r} points at it: repoint reconcile"]
