"""Promote: bring the pointer to a candidate, with its way back checked first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from repoint.domain import drills, gates
from repoint.domain.access import Action
from repoint.domain.audit import Outcome
from repoint.domain.errors import ConflictError, NotReadyError, RepointError
from repoint.domain.ids import Epoch, IndexName, ReleaseName
from repoint.domain.operation import Operation, OperationKind
from repoint.domain.pointer import MoveKind, Pointer
from repoint.domain.readiness import Finding, Status, failures
from repoint.domain.release import Release
from repoint.domain.rollout import FINAL, Event
from repoint.operations import diff, golden, moving, naming, privileges, reconcile
from repoint.operations.checks import behaviour, standing
from repoint.operations.freeze import require_thawed
from repoint.operations.in_force import policy_for
from repoint.operations.in_step import catch_up
from repoint.operations.session import Session, authorise, in_turn, record, require_reason
from repoint.operations.spaces import Space
from repoint.ports.evaluation import Evaluations

#: A candidate this close to the head is brought into step by ``promote`` itself.
CLOSE: Final = 2_000
#: Outcomes of gates that say nothing against a candidate, nor for it.
_UNKNOWN: Final = frozenset({gates.Outcome.INCONCLUSIVE.value, gates.Outcome.ERROR.value})


@dataclass(frozen=True, slots=True, kw_only=True)
class PromoteOptions:
    """What the operator allows."""

    #: Why to go on where no evaluation can tell; None asks for one that can.
    without_evaluation: str | None = None
    #: Rows that the candidate may lag behind; writers that never pause need some.
    max_lag: int = 0
    ack_timeout: timedelta = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class PromoteReport:
    """What a promotion did."""

    index: IndexName
    release: ReleaseName
    #: What answered before, and answers again after a rollback; None for the first.
    fallback: ReleaseName | None
    epoch: Epoch
    seconds: float
    findings: list[Finding]


@in_turn
def promote(
    session: Session,
    index: IndexName,
    name: ReleaseName,
    *,
    reason: str,
    evaluations: Evaluations,
    options: PromoteOptions,
) -> PromoteReport:
    """Move the pointer to a release that is ready, and only then.

    Raises:
        NotReadyError: findings stand in the way; nothing moved.
        FrozenError: the index is frozen; nothing moved.
        ConflictError: another rollout or operation is under way, or the pointer moved.
    """
    began = session.clock.monotonic()
    authorise(session, Action.PROMOTE, index, reason=reason)
    _authorise_override(session, index, options)
    reconcile.clear_the_way(session, index)
    space, pointer, operation = _intend(session, index, name, reason=reason)
    with moving.attempt(session, operation):
        findings = ready(session, space, pointer, evaluations=evaluations, options=options)
        _refuse(session, release=space.release, findings=findings, reason=reason)
        _remember(session, pointer)
        first = pointer.active is None
        operation, after = moving.move(
            session,
            operation,
            kind=MoveKind.ACTIVATE if first else MoveKind.PROMOTE,
            event=Event.ACTIVATE if first else Event.PROMOTE,
            turn=lambda before: before.promoted(name),
            findings=findings,
        )
    findings.append(moving.settle(session, operation, after, ack_timeout=options.ack_timeout))
    return PromoteReport(
        index=index,
        release=name,
        fallback=after.fallback,
        epoch=after.epoch,
        seconds=session.clock.monotonic() - began,
        findings=findings,
    )


def ready(
    session: Session,
    space: Space,
    pointer: Pointer,
    *,
    evaluations: Evaluations,
    options: PromoteOptions,
) -> list[Finding]:
    """Return every finding that decides whether a candidate may be promoted."""
    release = space.release
    catch_up_if_close(session, space)
    with session.store.read() as view:
        watermark = view.catchup.watermark(release.index, release.name)
        findings = [
            standing.live(release),
            standing.lag(view, release.index, release.name, allowed=options.max_lag),
            standing.dead_letters(view, release.index, release.name),
        ]
    findings.append(behaviour.query_model(session, space))
    findings.append(diff.clean(session.store, space, upto=watermark))
    findings += naming.findings(session, release, pointer)
    findings += _grants(session, release, pointer)
    if pointer.active is not None:
        findings.append(way_back(session, pointer))
        findings += _rehearsed(session, pointer.active, release)
        findings += _evaluated(pointer, release, evaluations, options)
    return findings


def _grants(session: Session, release: Release, pointer: Pointer) -> list[Finding]:
    """Check that both sides may be read and written by whoever has to."""
    with session.store.read() as view:
        active = pointer.active
        before = [] if active is None else [view.releases.get(pointer.index, active)]
    return privileges.findings(session, [*before, release])


def way_back(session: Session, pointer: Pointer) -> Finding:
    """Check that what answers now could answer again: model, collection, in step."""
    with session.store.read() as view:
        if pointer.active is None:
            return Finding(check="way-back", status=Status.SKIPPED, summary="nothing answers")
        active = view.releases.get(pointer.index, pointer.active)
        behind = standing.live(active)
    try:
        model = behaviour.query_model(session, session.spaces.confirm(active))
    except RepointError as error:
        model = Finding(
            check="way-back", status=Status.FAILED, summary=error.message, remedy=error.hint
        )
    broken = failures([behind, model])
    return Finding(
        check="way-back",
        status=Status.FAILED if broken else Status.OK,
        summary=f"{active.name} could not answer again: {broken[0].summary}"
        if broken
        else f"{active.name} can answer again: {model.summary}",
        remedy=broken[0].remedy if broken else "",
    )


def _authorise_override(session: Session, index: IndexName, options: PromoteOptions) -> None:
    """Going on without an evaluation overrides a gate, once there is something to compare."""
    if options.without_evaluation is None:
        return
    require_reason(options.without_evaluation, of="a promotion without an evaluation")
    with session.store.read() as view:
        first = view.pointers.pointer(index).active is None
    if not first:
        authorise(session, Action.OVERRIDE, index, reason=options.without_evaluation)


def _intend(
    session: Session, index: IndexName, name: ReleaseName, *, reason: str
) -> tuple[Space, Pointer, Operation]:
    session.announce()
    with session.store.read() as view:
        release = view.releases.get(index, name)
        require_thawed(view, index, action="promote")
        view.pointers.pointer(index).promoted(name)  # refuses before anything is opened
    live = standing.live(release)
    if live.status is not Status.OK:
        raise NotReadyError(
            index=index, release=name, findings=[f"{live.summary}; {live.remedy}"]
        )
    space = session.spaces.confirm(release)
    with session.store.begin() as tx:
        require_thawed(tx, index, action="promote")
        pointer = tx.pointers.pointer(index)
        rollout = tx.pointers.rollout(index)
        if rollout is None or rollout.phase in FINAL:
            tx.pointers.open_rollout(index, name, at=session.clock.now())
        elif rollout.release != name:
            raise ConflictError(
                f"the rollout of {rollout.release} is {rollout.phase}",
                hint=f"end it first: repoint abort {index}"
                if pointer.active != rollout.release
                else f"end its soak first: repoint accept {index} {rollout.release}, or go "
                f"back: repoint rollback {index} --reason …",
            )
        operation = moving.intend(
            session,
            tx,
            kind=OperationKind.PROMOTE,
            pointer=pointer,
            release=name,
            reason=reason,
        )
    return space, pointer, operation


def _refuse(
    session: Session, *, release: Release, findings: list[Finding], reason: str
) -> None:
    if not (in_the_way := [finding.summary for finding in failures(findings)]):
        return
    record(
        session,
        Action.PROMOTE,
        release.index,
        reason=reason,
        outcome=Outcome.REFUSED,
        details={"release": release.name, "findings": list(in_the_way)},
    )
    told = [f"{f.summary} ({f.remedy})" if f.remedy else f.summary for f in failures(findings)]
    raise NotReadyError(index=release.index, release=release.name, findings=told)


def catch_up_if_close(session: Session, space: Space) -> None:
    """Bring a candidate into step if that takes little."""
    release = space.release
    with session.store.read() as view:
        watermark = view.catchup.watermark(release.index, release.name)
        head = view.log.head(release.index)
        rows = view.log.backlog(release.index, above=watermark, upto=head).rows
    if 0 < rows <= CLOSE:
        catch_up(session, space)


def _remember(session: Session, pointer: Pointer) -> None:
    """Store what the release that answers now answers, for a rollback to compare with."""
    if pointer.active is None:
        return
    with session.store.read() as view:
        active: Release = view.releases.get(pointer.index, pointer.active)
        watermark = view.catchup.watermark(pointer.index, pointer.active)
    if active.bridge is not None:
        return  # what it answered with its own model stays what there is to compare with
    space = session.spaces.open(active)
    queries = golden.known_items(
        session.store, pointer.index, upto=watermark, seed=pointer.epoch
    )
    baseline = golden.measure(space, queries, clock=session.clock)
    with session.store.begin() as tx:
        tx.releases.put_baseline(baseline)


def _evaluated(
    pointer: Pointer, release: Release, evaluations: Evaluations, options: PromoteOptions
) -> list[Finding]:
    judged = list(evaluations.verdict(pointer.index, release.name, against=pointer.active))
    why = options.without_evaluation
    if judged:
        return judged if why is None else [_overridden(one, why) for one in judged]
    if why is not None:
        return [
            Finding(
                check="evaluation",
                status=Status.WARNING,
                summary=f"promoted without an evaluation: {why}",
            )
        ]
    return [
        Finding(
            check="evaluation",
            status=Status.FAILED,
            summary=f"nobody measured {release.name} against {pointer.active}",
            remedy=f"repoint evaluate {pointer.index} {release.name} --queries NAME; or take "
            'the risk on record: --without-evaluation "WHY"',
        )
    ]


def _rehearsed(session: Session, active: ReleaseName, release: Release) -> list[Finding]:
    """Return whether the way back was rehearsed lately, where the policy asks for it."""
    with session.store.read() as view:
        max_age = policy_for(view, release.index, release.name).policy.readiness
        if max_age is None:
            return []
        back = view.releases.get(release.index, active)
        newest = view.drills.newest(release.index, ahead=release.name, back=active)
    return [
        drills.readiness(
            newest,
            index=release.index,
            ahead=(release.name, release.fingerprint),
            back=(back.name, back.fingerprint),
            max_age=max_age,
            now=session.clock.now(),
        )
    ]


def _overridden(finding: Finding, why: str) -> Finding:
    """Let a reason stand in for what nobody can tell; a measured loss it cannot talk away."""
    if finding.status is not Status.FAILED or finding.figures.get("outcome") not in _UNKNOWN:
        return finding
    return replace(
        finding, status=Status.WARNING, summary=f"{finding.summary}; overridden: {why}"
    )
