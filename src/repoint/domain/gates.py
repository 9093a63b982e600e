"""Gates: from figures to one of four outcomes.

``pass`` and ``fail`` are statements about the candidate; ``inconclusive`` says that there is
too little to tell, and ``error`` that a figure cannot be had at all. What must hold and has
no data fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from repoint.domain.document import Json
from repoint.domain.readiness import Finding, Status


class Outcome(StrEnum):
    """How a gate ended."""

    PASS = "pass"  # noqa: S105 - an outcome, no password
    FAIL = "fail"
    #: The figures allow either; more queries would tell.
    INCONCLUSIVE = "inconclusive"
    #: What the gate asks for cannot be computed from this evaluation.
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """One gate, or one group's part of it, with the figure that decided."""

    #: ``relevance``, or ``relevance:genetic changes`` for a group.
    gate: str
    outcome: Outcome
    summary: str
    figures: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A paired difference and how sure it is."""

    difference: float
    #: Two-sided interval at the gate's confidence: its lower end decides a pass.
    low: float
    high: float
    #: What the true difference lies below, sure enough over all groups together.
    fail_high: float


def not_worse(change: Change, *, tolerance: float) -> Outcome:
    """Decide whether a measure held.

    It passes when even the interval's lower end is within the tolerance, and fails when the
    loss is larger than the tolerance and surely a loss. Everything between is inconclusive:
    a wide interval is no permission.
    """
    if change.low >= -tolerance:
        return Outcome.PASS
    if change.difference < -tolerance and change.fail_high < 0:
        return Outcome.FAIL
    return Outcome.INCONCLUSIVE


def worst(outcomes: list[Outcome]) -> Outcome:
    """Return what several gates add up to; of none, a failure: no data is no pass."""
    for outcome in (Outcome.FAIL, Outcome.ERROR, Outcome.INCONCLUSIVE):
        if outcome in outcomes:
            return outcome
    return Outcome.PASS if outcomes else Outcome.FAIL


def finding(result: GateResult, *, inconclusive_refuses: bool) -> Finding:
    """Return what a promotion sees: only a pass, or a tolerated doubt, is not in the way."""
    doubt = Status.FAILED if inconclusive_refuses else Status.WARNING
    status = {Outcome.PASS: Status.OK, Outcome.INCONCLUSIVE: doubt}
    return Finding(
        check=f"gate:{result.gate}",
        status=status.get(result.outcome, Status.FAILED),
        summary=f"{result.outcome}: {result.summary}",
        figures={"outcome": result.outcome.value, **result.figures},
    )
