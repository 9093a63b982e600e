"""What a guard saw, what it decided, and what the outside told it; and how it decides.

A look gives every trigger an outcome. ``rule`` turns a look into at most one ruling: what to
do, or why not. It knows no store and no clock, so every case of it is a test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from repoint.domain.document import Json
from repoint.domain.gates import Outcome
from repoint.domain.ids import Actor, Epoch, IndexName, ProcessId, ReleaseName
from repoint.domain.triggers import Act, Declared, GuardRules

#: Who acts when a guard does, unless it was told to act as somebody else.
GUARD = Actor("guard")


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerResult:
    """One trigger at one look, with the figure that decided."""

    trigger: str
    outcome: Outcome
    summary: str
    #: What it does when it fires.
    then: Act
    figures: Mapping[str, Json] = field(default_factory=dict)
    #: Looks in a row that failed, this one included.
    failed: int = 0
    #: Looks in a row that ended in error, this one included.
    errors: int = 0
    #: Whether it failed often enough in a row to act.
    fires: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a guard saw at one moment."""

    index: IndexName
    epoch: Epoch
    #: Counts the looks at one epoch, from 1.
    number: int
    at: datetime
    policy: int
    active: ReleaseName
    #: What a rollback would bring back; None: there is none.
    fallback: ReleaseName | None
    process: ProcessId
    seconds: float
    results: Sequence[TriggerResult]

    @property
    def firing(self) -> list[TriggerResult]:
        """Return the triggers that ask for something to be done."""
        return [one for one in self.results if one.fires]

    @property
    def ends_canary(self) -> bool:
        """Whether a trigger asks to go back from a canary: the active release stays."""
        return ends_canary(self.results)


def ends_canary(results: Sequence[TriggerResult]) -> bool:
    """Return whether one that fires is about a canary, and asks to go back from it."""
    return any(
        one.fires and one.then is Act.ROLLBACK and "canary" in one.figures for one in results
    )


class DecisionState(StrEnum):
    """What became of a decision."""

    #: It stands, and is being carried out; whoever guards next finishes it.
    DECIDED = "decided"
    DONE = "done"
    #: What it asked for was refused, and why is with it.
    REFUSED = "refused"
    #: Nothing was done on purpose: a dry run, a cool-down, nothing left to do.
    HELD_BACK = "held-back"
    #: It was not carried out in time, or the pointer moved meanwhile.
    LAPSED = "lapsed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """That something must be done, on what grounds, and what became of it."""

    index: IndexName
    #: Counts the decisions of an index, from 1.
    number: int
    epoch: Epoch
    at: datetime
    actor: Actor
    act: Act
    state: DecisionState
    #: In one line: which triggers, with their figures, and why nothing was done, if so.
    why: str
    policy: int
    #: The look that it rests on.
    look: int
    results: Sequence[TriggerResult]
    #: What came of it: an epoch, seconds, a refusal.
    outcome: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """An alert that somebody sent, in its newest state."""

    #: What tells it from others; the same one sent again replaces it.
    fingerprint: str
    name: str
    labels: Mapping[str, str]
    firing: bool
    started_at: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a ruling depends on besides the look."""

    now: datetime
    frozen: bool
    dry_run: bool
    #: The guard's rollbacks that were done within the policy's time.
    rollbacks: int
    #: The last one, whenever it was.
    rolled_back_at: datetime | None
    #: Its last act of any kind.
    acted_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What to do about a look, or why nothing is done."""

    act: Act
    #: The triggers that ask for it, in one line.
    why: str
    #: Why it is held back; empty: it is to be carried out.
    held_back: str = ""


def in_a_row(
    result: TriggerResult, declared: Declared, before: TriggerResult | None
) -> TriggerResult:
    """Return the result with its streaks, and whether it fires.

    A look without an answer neither ends a streak of failures nor adds to it. What chance has
    no part in has ``at_once`` among its figures, and does not wait for a second look.
    """
    failed = before.failed if before else 0
    errors = before.errors if before else 0
    match result.outcome:
        case Outcome.FAIL:
            failed, errors = failed + 1, 0
        case Outcome.PASS:
            failed = errors = 0
        case Outcome.ERROR:
            errors += 1
        case Outcome.INCONCLUSIVE:
            errors = 0
    silent = declared.error_limit is not None and errors >= declared.error_limit
    return replace(
        result,
        failed=failed,
        errors=errors,
        fires=silent
        or (
            result.outcome is Outcome.FAIL
            and (failed >= declared.in_a_row or result.figures.get("at_once") is True)
        ),
    )


def rule(look: Look, rules: GuardRules, standing: Standing) -> Ruling | None:
    """Return what the look asks for; None when no trigger fires.

    What has nowhere to go back to, and what would be one automatic rollback too many,
    freezes instead: going on while nobody knows is what both must prevent. To end a canary is
    to stay with who answers already: it needs no fallback, and no cap holds it.
    """
    if not look.firing:
        return None
    act = Act.ROLLBACK if any(one.then is Act.ROLLBACK for one in look.firing) else Act.FREEZE
    why = "; ".join(f"{one.trigger}: {one.summary}" for one in look.firing)
    if look.ends_canary:
        pass
    elif act is Act.ROLLBACK and look.fallback is None:
        act, why = Act.FREEZE, f"{why} (there is no fallback to go back to)"
    elif act is Act.ROLLBACK and standing.rollbacks >= rules.rollbacks:
        act = Act.FREEZE
        why += f" ({standing.rollbacks} automatic rollbacks within the time are the most)"
    return Ruling(act=act, why=why, held_back=_held_back(act, rules, standing))


def _held_back(act: Act, rules: GuardRules, standing: Standing) -> str:
    if standing.dry_run:
        return "a dry run"
    if act is Act.FREEZE and standing.frozen:
        return "the index is frozen already"
    # A freeze delays no rollback; a rollback delays whatever would follow it.
    since = standing.rolled_back_at if act is Act.ROLLBACK else standing.acted_at
    if since is not None and standing.now - since < rules.cool_down:
        return f"cooling down until {since + rules.cool_down:%Y-%m-%d %H:%M:%S} UTC"
    return ""
