"""Rollback, the main job (DESIGN section 5): freeze, make whole, move, verify, preserve.

Its time does not grow with the corpus: it embeds nothing but the lag, the probes and the
verification queries (INV-5). Killed at any point, it leaves an operation that ``reconcile``
or the next command finishes: the operator asked to go back, so going back is completed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from repoint.domain.access import Action
from repoint.domain.audit import Outcome
from repoint.domain.document import Json
from repoint.domain.errors import (
    ConflictError,
    NotReadyError,
    RepointError,
    StaleEpochError,
    UnavailableError,
)
from repoint.domain.ids import Epoch, IndexName, ReleaseName
from repoint.domain.operation import Freeze, Hold, Operation, OperationKind, Step
from repoint.domain.pointer import MoveKind, Pointer
from repoint.domain.readiness import Finding, Status, failures
from repoint.domain.rollout import Event
from repoint.operations import evidence, moving, verify
from repoint.operations.checks import behaviour
from repoint.operations.in_step import apply_deletes_first, catch_up
from repoint.operations.session import Session, authorise, in_turn, record, require_reason
from repoint.operations.spaces import Space
from repoint.ports.store import Transaction

#: What one row costs when nothing better is known, in seconds.
_ROW_S: Final = 0.01
#: The same for one character: about a thousand tokens in a fifth of a second.
_CHARACTER_S: Final = 5e-5
#: How often the move is tried while new deletes meet a window that is being worked.
_TRIES: Final = 20


class Replay(StrEnum):
    """When writes that the fallback has not seen yet are applied to it."""

    #: Before the move if that is quick, after it otherwise.
    AUTO = "auto"
    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackOptions:
    """What the operator wants of a rollback."""

    replay: Replay = Replay.AUTO
    #: AUTO replays before the move only if the estimate stays below this.
    replay_limit: timedelta = timedelta(seconds=5)
    ack_timeout: timedelta = timedelta(seconds=5)
    #: Go back although the fallback failed its checks.
    insist: bool = False
    #: Leave the index frozen even if everything verifies.
    stay_frozen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackReport:
    """What a rollback did, and the proof that it worked."""

    index: IndexName
    #: What failed, held for diagnosis.
    failed: ReleaseName
    #: What answers again.
    active: ReleaseName
    epoch: Epoch
    #: The whole rollback, verification included.
    seconds: float
    #: From the command to the move.
    switch_seconds: float
    verified: bool
    findings: list[Finding]
    #: Log rows that were applied to the fallback.
    replayed: int
    #: Rows that were not yet searchable at the moment of the move.
    late: int
    frozen: bool
    #: File with the evidence.
    evidence: str


@in_turn
def rollback(
    session: Session, index: IndexName, *, reason: str, options: RollbackOptions
) -> RollbackReport:
    """Move the pointer back to the fallback, and prove that it answers as before.

    Finishes a rollback that died half way, instead of starting another.

    Raises:
        BadInputError: the reason is empty; nothing changed.
        RefusedMoveError: there is no fallback; nothing changed.
        NotReadyError: the fallback cannot answer and ``insist`` is not given; nothing changed.
        OperationInProgressError: another live process is rolling back.
        StaleEpochError: someone moved the pointer first; nothing was merged.
    """
    began = session.clock.monotonic()
    require_reason(reason, of="a rollback")
    authorise(session, Action.ROLLBACK, index, reason=reason)
    standing, alive = moving.unfinished(session, index)
    if standing is not None:
        if standing.kind is OperationKind.ROLLBACK:
            if alive:
                raise moving.refuse_if_under_way(standing)
            return resume(session, standing, options=options, began=began)
        # Going back comes first: a promotion that is still under way is overtaken.
        moving.recover(session, standing)
    session.announce()
    with session.store.read() as view:
        back = view.pointers.pointer(index).rolled_back()
        assert back.active is not None  # noqa: S101 - rolled_back() refuses otherwise
        fallback = view.releases.get(index, back.active)
    concerns = _concerns(session, fallback.name, index)
    if concerns and not options.insist:
        record(
            session,
            Action.ROLLBACK,
            index,
            reason=reason,
            outcome=Outcome.REFUSED,
            details={"findings": [finding.summary for finding in concerns]},
        )
        raise NotReadyError(
            index=index,
            release=fallback.name,
            findings=[
                *(f.summary for f in concerns),
                *(["to go back all the same: --insist"] if _can_open(concerns) else []),
            ],
        )
    operation = _intend(session, index, back, reason=reason, options=options)
    return _carry_out(session, operation, options=options, began=began)


@in_turn
def resume(
    session: Session,
    operation: Operation,
    *,
    options: RollbackOptions | None = None,
    began: float | None = None,
) -> RollbackReport:
    """Finish a rollback whose process died, from wherever it stopped."""
    return _carry_out(
        session,
        moving.take_over(session, operation),
        options=options or RollbackOptions(),
        began=session.clock.monotonic() if began is None else began,
    )


def _can_open(concerns: list[Finding]) -> bool:
    return all(finding.check != "way-back" for finding in concerns)


def _concerns(session: Session, name: ReleaseName, index: IndexName) -> list[Finding]:
    """Return what would keep the fallback from answering."""
    with session.store.read() as view:
        release = view.releases.get(index, name)
    try:
        space = session.spaces.confirm(release)
        return list(failures([behaviour.query_model(session, space)]))
    except RepointError as error:
        return [
            Finding(
                check="way-back", status=Status.FAILED, summary=error.message, remedy=error.hint
            )
        ]


def _intend(
    session: Session,
    index: IndexName,
    back: Pointer,
    *,
    reason: str,
    options: RollbackOptions,
) -> Operation:
    """Freeze and record the intent, as one.

    Raises:
        StaleEpochError: the pointer moved since ``back`` was worked out; nothing was frozen.
    """
    assert back.active is not None  # noqa: S101 - somebody answers after every rollback
    with session.store.begin() as tx:
        pointer = tx.pointers.pointer(index)
        if pointer.epoch + 1 != back.epoch:
            raise StaleEpochError(
                index=index, expected=Epoch(back.epoch - 1), found=pointer.epoch
            )
        was_frozen = tx.indexes.frozen(index) is not None
        operation = moving.intend(
            session,
            tx,
            kind=OperationKind.ROLLBACK,
            pointer=pointer,
            release=back.active,
            reason=reason,
            notes={
                "failed": pointer.active,
                "froze": not was_frozen,
                "thaw": not was_frozen and not options.stay_frozen,
            },
        )
        if not was_frozen:
            freeze = Freeze(
                actor=session.actor, reason=f"rollback: {reason}", at=session.clock.now()
            )
            tx.indexes.freeze(index, freeze)
        return operation


def _carry_out(
    session: Session, operation: Operation, *, options: RollbackOptions, began: float
) -> RollbackReport:
    with session.store.read() as view:
        release = view.releases.get(operation.index, operation.release)
    replayed = late = 0
    if operation.step is Step.INTENDED:
        with moving.attempt(session, operation):
            space = session.spaces.confirm(release)
            replayed, late = _make_whole(session, space, options)
            operation, pointer = _move(session, operation, space)
    else:
        space = session.spaces.open(release)
        with session.store.read() as view:
            pointer = view.pointers.pointer(operation.index)
    switched = session.clock.monotonic() - began
    moving.align_alias(session, pointer)
    # Also what was written between the replay and the move: the fallback answers now, so
    # it is brought up to the head before anyone judges it.
    with session.store.read() as view:
        head = view.log.head(operation.index)
    replayed += _replay(session, space)
    findings = verify.verify(
        session, space, pointer, ack_timeout=options.ack_timeout, upto=head
    )
    verified = verify.passed(findings)
    failed = ReleaseName(str(operation.notes.get("failed", "")))
    kept = evidence.preserve(session, operation, pointer, findings)
    frozen = _preserve(session, operation, failed, findings, verified=verified)
    return RollbackReport(
        index=operation.index,
        failed=failed,
        active=operation.release,
        epoch=pointer.epoch,
        seconds=session.clock.monotonic() - began,
        switch_seconds=switched,
        verified=verified,
        findings=findings,
        replayed=replayed,
        late=late,
        frozen=frozen,
        evidence=kept,
    )


def _move(session: Session, operation: Operation, space: Space) -> tuple[Operation, Pointer]:
    """Move the pointer at a moment when every delete in the log is in the fallback (INV-6).

    Deletes that were acknowledged since the fallback was made whole are applied within the
    move's own transaction, while writers wait.
    """

    def guard(tx: Transaction) -> None:
        watermark = tx.catchup.watermark(operation.index, operation.release)
        head = tx.log.head(operation.index)
        pending = tx.log.backlog(operation.index, above=watermark, upto=head)
        if pending.tombstones and not apply_deletes_first(session, space).settled:
            raise _UnsettledError

    for _ in range(_TRIES):
        try:
            return moving.move(
                session,
                operation,
                kind=MoveKind.ROLLBACK,
                event=Event.ROLL_BACK,
                turn=Pointer.rolled_back,
                findings=(),
                guard=guard,
            )
        except _UnsettledError:
            catch_up(session, space)  # ends the window that is open
    raise ConflictError(
        f"{operation.index!r} is deleted from faster than {operation.release} can take it",
        hint="pause the writers for a moment and try again",
    )


class _UnsettledError(Exception):
    """A window opened before the newest deletes, and somebody may be working it."""


def _make_whole(session: Session, space: Space, options: RollbackOptions) -> tuple[int, int]:
    """Apply pending deletes, always, then pending writes if there is time (INV-6, INV-9).

    Returns how many rows were applied and how many are left for after the move.
    """
    release = space.release
    with session.store.read() as view:
        watermark = view.catchup.watermark(release.index, release.name)
        head = view.log.head(release.index)
        backlog = view.log.backlog(release.index, above=watermark, upto=head)
    if backlog.rows == 0:
        return 0, 0
    deletes = apply_deletes_first(session, space)
    if not deletes.settled:
        # A window from before these deletes is open: it must end before this release
        # answers, or a worker of it could still add what was deleted.
        return catch_up(session, space), 0
    done = deletes.written
    limit = options.replay_limit
    estimate = backlog.upserts * _ROW_S + backlog.characters * _CHARACTER_S
    waits = options.replay is Replay.AFTER or (
        options.replay is Replay.AUTO and estimate > limit.total_seconds()
    )
    if waits:
        return done, backlog.upserts
    try:
        within = limit if options.replay is Replay.AUTO else None
        applied = catch_up(session, space, within=within)
        return applied, max(0, backlog.rows - applied)
    except RepointError as error:
        # The provider does not embed now. The deletes are in, so it is safe to move; what
        # is missing is counted, and replayed as soon as the provider answers.
        bridged = release.bridge is not None
        passes = isinstance(error, UnavailableError) or bridged or options.insist
        if options.replay is Replay.BEFORE or not passes:
            raise
        return done, backlog.upserts


def _replay(session: Session, space: Space) -> int:
    try:
        return catch_up(session, space)
    except RepointError:
        return 0  # the finding `lag` says how many rows are missing, and fails


def _preserve(
    session: Session,
    operation: Operation,
    failed: ReleaseName,
    findings: list[Finding],
    *,
    verified: bool,
) -> bool:
    """Hold the failed release, thaw if all is well, and mark the rollback done."""
    thaw = verified and operation.notes.get("thaw") is True
    notes: Mapping[str, Json] = {
        "verified": verified,
        "findings": {finding.check: finding.status for finding in findings},
    }
    with session.store.begin() as tx:
        now = session.clock.now()
        if failed:
            tx.access.place_hold(
                Hold(
                    index=operation.index,
                    release=failed,
                    reason=f"rolled back: {operation.reason}",
                    actor=operation.actor,
                    at=now,
                )
            )
        if thaw:
            tx.indexes.freeze(operation.index, None)
        tx.audit.append(
            at=now,
            actor=session.actor,
            action="verify-rollback",
            index=operation.index,
            reason=operation.reason,
            details=notes,
        )
        tx.operations.reach(operation, Step.DONE, notes=notes)
        return tx.indexes.frozen(operation.index) is not None
