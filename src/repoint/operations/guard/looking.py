"""One look: take the guard's lease, see, judge, and keep what was seen with its ruling.

The look and its decision are stored in one transaction, in which the lease and the pointer
are looked at again: of two guards only one decides, and nobody decides about a release that
answers no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from repoint.domain.access import Action
from repoint.domain.document import Json
from repoint.domain.errors import ConflictError, RefusedError, RefusedMoveError
from repoint.domain.evaluation import Run
from repoint.domain.evidence import without_users
from repoint.domain.guarding import (
    Decision,
    DecisionState,
    Look,
    Ruling,
    Standing,
    TriggerResult,
    ends_canary,
    in_a_row,
    rule,
)
from repoint.domain.ids import IndexName
from repoint.domain.pointer import Pointer
from repoint.domain.policy import PolicyVersion
from repoint.domain.triggers import Act, Declared, Trigger
from repoint.operations.acknowledge import is_alive
from repoint.operations.guard import acting
from repoint.operations.guard.judging import judge
from repoint.operations.guard.sight import Scene, Sight
from repoint.operations.in_force import policy_for
from repoint.operations.session import Session, authorise
from repoint.ports.metrics import Metrics
from repoint.ports.store import Transaction

#: A guard that says nothing for so long is taken to be gone; one look takes less.
LEASE: Final = timedelta(minutes=2)
#: Decisions that the next one heeds; far more than can be done within a policy's time.
_REMEMBERED: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What came of one look."""

    index: IndexName
    #: None: another process guards the index.
    look: Look | None
    #: What was decided now; None: no trigger fires, or nothing changed since the last one.
    decision: Decision | None
    #: An earlier decision that was left to be carried out, in its end.
    finished: Decision | None
    #: When to look again.
    every: timedelta


def look_once(
    session: Session, index: IndexName, *, metrics: Metrics, dry_run: bool = False
) -> Seen:
    """Look once, and do what the triggers ask for; finishes what an earlier guard left.

    Raises:
        NotPermittedError: the actor may not guard; nothing but the record was written.
        RefusedMoveError: nothing was promoted yet.
        RefusedError: the policy declares no trigger.
        ConflictError: the pointer moved, or another guard took over, meanwhile.
    """
    authorise(session, Action.GUARD, index)
    session.announce()
    pointer, policy = _watched(session, index)
    rules = policy.policy.guard
    if not _take(session, index, every=rules.every):
        return Seen(index=index, look=None, decision=None, finished=None, every=rules.every)
    idle = dry_run or rules.dry_run
    finished = acting.tidy(session, index) if idle else acting.finish(session, index)
    if finished is not None:
        pointer, policy = _watched(session, index)
    _require_triggers(index, policy)
    seen, run = _see(session, pointer, policy, metrics)
    decision = _keep(session, seen, policy, run=run, dry_run=dry_run)
    if decision is not None and decision.state is DecisionState.DECIDED:
        decision = acting.carry_out(session, decision)
    return Seen(index=index, look=seen, decision=decision, finished=finished, every=rules.every)


def leave(session: Session, index: IndexName) -> None:
    """Let another process guard the index at once."""
    with session.store.begin() as tx:
        tx.guarding.let_go(index, session.process.id)


def _watched(session: Session, index: IndexName) -> tuple[Pointer, PolicyVersion]:
    with session.store.read() as view:
        pointer = view.pointers.pointer(index)
        if pointer.active is None:
            raise RefusedMoveError(index=index, why="nothing was promoted yet")
        # While a canary is on, what its rollout declared before it began counts.
        policy = policy_for(view, index, pointer.on_trial or pointer.active)
    return pointer, policy


def _require_triggers(index: IndexName, policy: PolicyVersion) -> None:
    if not policy.policy.triggers:
        raise RefusedError(
            f"policy {policy.version} of {index!r} declares no trigger, so there is nothing "
            "to guard by",
            hint=f"declare some: repoint policy set {index} FILE",
        )


def _take(session: Session, index: IndexName, *, every: timedelta) -> bool:
    """Take the lease; of a holder that is known to be dead at once."""
    now = session.clock.now()
    until = now + max(LEASE, every * 2)
    with session.store.begin() as tx:
        holder = tx.guarding.holder(index)
        if holder is not None and holder != session.process.id:
            known = [one for one in tx.processes.all() if one.id == holder]
            if not any(is_alive(one, session) for one in known):
                tx.guarding.let_go(index, holder)
        return tx.guarding.take(index, session.process.id, now=now, until=until)


def _see(
    session: Session, pointer: Pointer, policy: PolicyVersion, metrics: Metrics
) -> tuple[Look, Run | None]:
    index = pointer.index
    assert pointer.active is not None  # noqa: S101 - _watched refuses otherwise
    began = session.clock.monotonic()
    with session.store.read() as view:
        number = view.guarding.next_look(index, pointer.epoch)
        before = view.guarding.last_look(index)
        scene = Scene(
            policy=policy.policy,
            active=view.releases.get(index, pointer.active),
            fallback=None
            if pointer.fallback is None
            else view.releases.get(index, pointer.fallback),
            since=_since(view, pointer),
            look=number,
            seed=pointer.epoch * 1_000_003 + number,
        )
    sight = Sight(session, scene, metrics)
    results = judge(sight)
    if before is not None and before.epoch != pointer.epoch:
        before = None  # streaks are of one release
    look = Look(
        index=index,
        epoch=pointer.epoch,
        number=number,
        at=session.clock.now(),
        policy=policy.version,
        active=pointer.active,
        fallback=pointer.fallback,
        process=session.process.id,
        seconds=session.clock.monotonic() - began,
        results=_with_streaks(results, policy.policy.triggers, before),
    )
    return look, sight.asked()


def _since(view: Transaction, pointer: Pointer) -> datetime:
    """Return when the active release began to answer: an acceptance moves only the fallback."""
    moves = view.pointers.moves(pointer.index)
    since = moves[0].at
    for move in moves:
        if move.after.active != pointer.active:
            break
        since = move.at
    return since


def _with_streaks(
    results: Sequence[TriggerResult], triggers: Sequence[Trigger], before: Look | None
) -> tuple[TriggerResult, ...]:
    earlier = {one.trigger: one for one in before.results} if before else {}
    return tuple(
        in_a_row(one, _declared(one, triggers), earlier.get(one.trigger)) for one in results
    )


def _declared(result: TriggerResult, triggers: Sequence[Trigger]) -> Declared:
    """Return the trigger of a result, which is called after it, with its part if it has one."""
    return max(
        (
            one
            for one in triggers
            if result.trigger == one.id or result.trigger.startswith(f"{one.id}:")
        ),
        key=lambda one: len(one.id),
    )


def _keep(
    session: Session, seen: Look, policy: PolicyVersion, *, run: Run | None, dry_run: bool
) -> Decision | None:
    """Store the look, and with a decision the run that it rests on."""
    index, rules = seen.index, policy.policy.guard
    now = session.clock.now()
    with session.store.begin() as tx:
        until = now + max(LEASE, rules.every * 2)
        if not tx.guarding.take(index, session.process.id, now=now, until=until):
            raise ConflictError(f"another process guards {index!r} by now")
        if tx.pointers.pointer(index).epoch != seen.epoch:
            raise ConflictError(
                f"the pointer of {index!r} moved while a guard looked",
                hint="nothing was decided; the next look is of who answers now",
            )
        tx.guarding.add_look(seen)
        tx.guarding.forget_looks(index, before=now - rules.keep)
        tx.guarding.forget_alerts(index, before=now - rules.keep)
        standing = _standing(
            tx, index, now=now, per=rules.per, dry_run=dry_run or rules.dry_run
        )
        ruling = rule(seen, rules, standing)
        if ruling is None or _is_known(tx, seen, ruling):
            return None
        if tx.guarding.open_decision(index) is not None:
            return None  # a dry run leaves it to a guard that acts
        if run is not None:
            tx.runs.add(run)
        decision = tx.guarding.decide(_decision(session, seen, ruling, run=run))
        tx.audit.append(
            at=now,
            actor=session.actor,
            action=Action.GUARD,
            index=index,
            reason=decision.why,
            details={
                "decision": decision.number,
                "act": decision.act.value,
                "state": decision.state.value,
                "policy": decision.policy,
                "from_epoch": decision.epoch,
                "look": decision.look,
            },
        )
        return decision


def _standing(
    tx: Transaction, index: IndexName, *, now: datetime, per: timedelta, dry_run: bool
) -> Standing:
    decisions = tx.guarding.decisions(index, limit=_REMEMBERED)
    done = [one for one in decisions if one.state is DecisionState.DONE]
    back = [one.at for one in done if one.act is Act.ROLLBACK and not ends_canary(one.results)]
    return Standing(
        now=now,
        frozen=tx.indexes.frozen(index) is not None,
        dry_run=dry_run,
        rollbacks=sum(now - at < per for at in back),
        rolled_back_at=max(back, default=None),
        acted_at=max((one.at for one in done), default=None),
    )


def _is_known(tx: Transaction, seen: Look, ruling: Ruling) -> bool:
    """Return whether the newest decision holds back the same thing on the same grounds."""
    newest = next(iter(tx.guarding.decisions(seen.index, limit=1)), None)
    return (
        bool(ruling.held_back)
        and newest is not None
        and newest.state is DecisionState.HELD_BACK
        and (newest.epoch, newest.act) == (seen.epoch, ruling.act)
        and newest.outcome.get("held_back") == ruling.held_back
        and {one.trigger for one in newest.results if one.fires}
        == {one.trigger for one in seen.firing}
    )


def _decision(session: Session, seen: Look, ruling: Ruling, *, run: Run | None) -> Decision:
    outcome: dict[str, Json] = {} if run is None else {"run": run.id}
    if ruling.held_back:
        outcome["held_back"] = ruling.held_back
    return Decision(
        index=seen.index,
        number=0,
        epoch=seen.epoch,
        at=session.clock.now(),
        actor=session.actor,
        act=ruling.act,
        state=DecisionState.HELD_BACK if ruling.held_back else DecisionState.DECIDED,
        why=_one_line(ruling.why),
        policy=seen.policy,
        look=seen.number,
        results=seen.results,
        outcome=outcome,
    )


def _one_line(text: str) -> str:
    """Return what a record can show: a group's name comes from anywhere."""
    shown = "".join(char if char.isprintable() else " " for char in without_users(text))
    return shown if len(shown) <= 1_000 else f"{shown[:999]}…"  # noqa: PLR2004 - enough to read
