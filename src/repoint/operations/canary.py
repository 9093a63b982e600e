"""Canary: let a candidate answer a share of the live queries, more of them, or none again.

Each is a move of the pointer: one compare-and-set, one record, acknowledged by every process
(INV-4, INV-7). A key that is in stays in while the share grows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from repoint.domain.access import Action
from repoint.domain.canary import Canary, checked_shares
from repoint.domain.errors import ConflictError, NotReadyError, RefusedMoveError
from repoint.domain.ids import Epoch, IndexName, ReleaseName
from repoint.domain.operation import Operation, OperationKind
from repoint.domain.pointer import MoveKind, Pointer
from repoint.domain.readiness import Finding, Status, failures
from repoint.domain.rollout import Event
from repoint.operations import diff, moving, reconcile
from repoint.operations.checks import behaviour, standing
from repoint.operations.freeze import require_thawed
from repoint.operations.promote import catch_up_if_close
from repoint.operations.session import Session, authorise, in_turn
from repoint.operations.spaces import Space


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryReport:
    """What a change of the canary did."""

    index: IndexName
    epoch: Epoch
    #: None: it was ended.
    canary: Canary | None
    findings: list[Finding]


@in_turn
def set_(  # noqa: PLR0913 - what the operator says of the canary
    session: Session,
    index: IndexName,
    name: ReleaseName,
    *,
    share: float,
    tenants: Iterable[tuple[str, float]],
    interleaved: bool,
    reason: str,
    ack_timeout: timedelta,
) -> CanaryReport:
    """Let a candidate answer this share of the keys from now on.

    A change of shares goes on with the same canary: what was measured of it still counts.

    Raises:
        NotReadyError: the candidate could not answer; nothing moved.
        RefusedMoveError: it is active, nothing is, or a soak is under way; nothing moved.
        FrozenError: someone more would get its answers, and the index is frozen.
        ConflictError: another rollout or operation is under way, or the pointer moved.
    """
    authorise(session, Action.CANARY, index, reason=reason)
    share, rules = checked_shares(share, tenants)
    reconcile.clear_the_way(session, index)
    session.announce()
    with session.store.read() as view:
        release = view.releases.get(index, name)
        before = view.pointers.pointer(index)
    wanted = _wanted(before, name, share=share, tenants=rules, interleaved=interleaved)
    before.with_canary(wanted)  # refuses before anything is opened
    growing = wanted.grows_from(before.canary)
    live = standing.live(release)
    if live.status is not Status.OK:
        raise NotReadyError(
            index=index, release=name, findings=[f"{live.summary}; {live.remedy}"]
        )
    findings: list[Finding] = []
    if growing:
        first = wanted.since != (before.canary and before.canary.since)
        findings = _ready(session, session.spaces.confirm(release), first=first)
    broken = failures(findings)
    if broken:
        raise NotReadyError(
            index=index, release=name, findings=[finding.summary for finding in broken]
        )
    operation = _intend(session, before, name, reason=reason, growing=growing)
    with moving.attempt(session, operation):
        operation, after = moving.move(
            session,
            operation,
            kind=MoveKind.CANARY,
            event=Event.CANARY if growing else Event.END_CANARY,
            turn=lambda pointer: pointer.with_canary(wanted),
            findings=findings,
        )
    findings.append(moving.settle(session, operation, after, ack_timeout=ack_timeout))
    return CanaryReport(index=index, epoch=after.epoch, canary=wanted, findings=findings)


@in_turn
def stop(
    session: Session, index: IndexName, *, reason: str, ack_timeout: timedelta
) -> CanaryReport:
    """Let the active release answer everything again; the rollout goes on.

    Raises:
        RefusedMoveError: there is no canary.
    """
    authorise(session, Action.CANARY, index, reason=reason)
    reconcile.clear_the_way(session, index)
    session.announce()
    with session.store.read() as view:
        before = view.pointers.pointer(index)
    if before.canary is None:
        raise RefusedMoveError(index=index, why="there is no canary to end")
    operation = _intend(session, before, before.canary.release, reason=reason, growing=False)
    with moving.attempt(session, operation):
        operation, after = moving.move(
            session,
            operation,
            kind=MoveKind.END_CANARY,
            event=Event.END_CANARY,
            turn=Pointer.without_canary,
            findings=(),
        )
    told = moving.settle(session, operation, after, ack_timeout=ack_timeout)
    return CanaryReport(index=index, epoch=after.epoch, canary=None, findings=[told])


def _wanted(
    before: Pointer,
    name: ReleaseName,
    *,
    share: float,
    tenants: tuple[tuple[str, float], ...],
    interleaved: bool,
) -> Canary:
    """Return the canary; it goes on with the one there is if it tries the same in one way."""
    standing_ = before.canary
    goes_on = (
        standing_ is not None
        and standing_.release == name
        and standing_.interleaved == interleaved
    )
    return Canary(
        release=name,
        share=share,
        tenants=tenants,
        since=standing_.since if standing_ and goes_on else Epoch(before.epoch + 1),
        interleaved=interleaved,
    )


def _ready(session: Session, space: Space, *, first: bool) -> list[Finding]:
    """Return what decides whether the candidate may answer anyone, or more than before."""
    release = space.release
    catch_up_if_close(session, space)
    with session.store.read() as view:
        watermark = view.catchup.watermark(release.index, release.name)
        findings = [
            standing.live(release),
            standing.lag(view, release.index, release.name, allowed=0),
            standing.dead_letters(view, release.index, release.name),
        ]
    findings.append(behaviour.query_model(session, space))
    if first:  # it takes as long as the corpus is large
        findings.append(diff.clean(session.store, space, upto=watermark))
    return findings


def _intend(
    session: Session, before: Pointer, name: ReleaseName, *, reason: str, growing: bool
) -> Operation:
    index = before.index
    with session.store.begin() as tx:
        if growing:
            require_thawed(tx, index, action="canary")
        rollout = tx.pointers.rollout(index)
        if rollout is None:
            tx.pointers.open_rollout(index, name, at=session.clock.now())
        elif rollout.release != name:
            raise ConflictError(
                f"the rollout of {rollout.release} is {rollout.phase}",
                hint=f"end it first: repoint abort {index}",
            )
        tx.feedback.keep_secret(index, session.ids.new() + session.ids.new())
        return moving.intend(
            session,
            tx,
            kind=OperationKind.CANARY,
            pointer=before,
            release=name,
            reason=reason,
        )
