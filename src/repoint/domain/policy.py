"""Policies: which figures an evaluation must show before a release may answer.

A policy is a value; its versions are kept, and a rollout reads the one that was in force
when it was opened. Reading the YAML is ``wiring.policy_file``'s work.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import ClassVar, Final, TypeAlias

from repoint.domain import triggers
from repoint.domain.bridge import BridgeRule
from repoint.domain.document import Json
from repoint.domain.durations import duration, written
from repoint.domain.errors import BadInputError, CorruptionError
from repoint.domain.ids import Actor
from repoint.domain.triggers import UNRULED, GuardRules, Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class RelevanceGate:
    """A measure may not fall by more than the tolerance, over all queries or in any group."""

    gate: ClassVar[str] = "relevance"
    measure: str = "nDCG@10"
    #: How far the measure's mean may fall, as a difference.
    tolerance: float = 0.02
    #: Whether each group must hold it too.
    groups: bool = False
    #: How sure a pass must be: the interval's lower end at this level is what counts.
    confidence: float = 0.95
    #: With fewer queries the gate says inconclusive, and with none it fails.
    minimum_queries: int = 20
    #: What part of the baseline's mean a loss must be that a gate in doubt asks queries for.
    loss: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class CitationsGate:
    """Retrieved sources may not agree less with the expected citations, overall or by group."""

    gate: ClassVar[str] = "citations"
    measure: str = "CitationF1@5"
    #: As ``RelevanceGate`` has them.
    tolerance: float = 0.02
    groups: bool = False
    confidence: float = 0.95
    minimum_queries: int = 20
    #: What part of the baseline's mean a loss must be that a gate in doubt asks queries for.
    loss: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundednessGate:
    """Answers must rest on the retrieved passages as before, and may have a floor to reach."""

    gate: ClassVar[str] = "groundedness"
    #: Whose verdicts count; empty: any judge's.
    judge: str = ""
    #: The floor of the candidate's mean; None: there is none.
    minimum: float | None = None
    tolerance: float = 0.05
    groups: bool = False
    confidence: float = 0.95
    minimum_queries: int = 20
    #: What part of the baseline's mean a loss must be that a gate in doubt asks queries for.
    loss: float = 0.05
    #: The share of answers that may have no verdict; over it nothing can be told.
    failed: float = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallGate:
    """A measure of the benchmark queries must reach a floor."""

    gate: ClassVar[str] = "recall"
    measure: str = "R@100"
    minimum: float = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexRecallGate:
    """The approximate index must find what exact search finds."""

    gate: ClassVar[str] = "index-recall"
    k: int = 10
    minimum: float = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyGate:
    """Answers must come in time, by the clock or compared with the baseline."""

    gate: ClassVar[str] = "latency"
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    #: The candidate's p95 over the baseline's.
    p95_ratio: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CostGate:
    """Questions may cost so much, in the spec's money or compared with the baseline."""

    gate: ClassVar[str] = "cost"
    per_thousand_queries: float | None = None
    ratio: float | None = None
    #: Vector storage over the baseline's.
    storage_ratio: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LostDocumentsGate:
    """What the baseline found among its first k may be missing only so often.

    With judgements only relevant documents count; without, all do.
    """

    gate: ClassVar[str] = "lost-documents"
    k: int = 10
    share: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptyAnswersGate:
    """Only so many questions may get no document at all."""

    gate: ClassVar[str] = "empty-answers"
    count: int = 0


Gate: TypeAlias = (
    RelevanceGate
    | CitationsGate
    | GroundednessGate
    | RecallGate
    | IndexRecallGate
    | LatencyGate
    | CostGate
    | LostDocumentsGate
    | EmptyAnswersGate
)

GATES: Final[Mapping[str, type[Gate]]] = MappingProxyType(
    {
        kind.gate: kind
        for kind in (
            RelevanceGate,
            CitationsGate,
            GroundednessGate,
            RecallGate,
            IndexRecallGate,
            LatencyGate,
            CostGate,
            LostDocumentsGate,
            EmptyAnswersGate,
        )
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What must hold before a release may answer."""

    #: The query set that an evaluation must have used; empty: any.
    queries: str = ""
    #: An older evaluation counts for nothing.
    expires_hours: float = 168.0
    #: Log rows that may have come since the releases were asked.
    max_lag: int = 1_000
    #: Whether a gate that cannot tell stands in the way; else it warns.
    inconclusive_refuses: bool = True
    gates: tuple[Gate, ...]
    #: How old the drill of a promotion may be; None asks for no drill.
    readiness: timedelta | None = None
    guard: GuardRules = UNRULED
    triggers: tuple[Trigger, ...] = ()
    #: What bridges must keep of the old answers; without it there are none.
    bridge: BridgeRule | None = None

    @property
    def expires(self) -> timedelta:
        """How long an evaluation counts."""
        return timedelta(hours=self.expires_hours)


#: What counts where nobody set a policy.
BUILT_IN: Final = Policy(gates=(RelevanceGate(), IndexRecallGate(), EmptyAnswersGate()))


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyVersion:
    """One stored policy; version 0 is the built-in one."""

    version: int
    policy: Policy
    actor: Actor
    reason: str
    at: datetime | None


#: Stands where no policy was set.
UNSET: Final = PolicyVersion(
    version=0, policy=BUILT_IN, actor=Actor("repoint"), reason="built in", at=None
)


def as_tree(policy: Policy) -> dict[str, Json]:
    """Return the policy as plain values, every default written out."""
    return {
        "queries": policy.queries,
        "expires_hours": policy.expires_hours,
        "max_lag": policy.max_lag,
        "inconclusive": "refuse" if policy.inconclusive_refuses else "warn",
        "gates": [
            {
                "gate": one.gate,
                **{f.name: getattr(one, f.name) for f in dataclasses.fields(one)},
            }
            for one in policy.gates
        ],
        "readiness": {
            "max_age": None if policy.readiness is None else written(policy.readiness)
        },
        "guard": triggers.as_tree(policy.guard),
        "triggers": [triggers.as_tree(one) for one in policy.triggers],
        # Left out where it is off, as in all policies from before there were bridges.
        **({} if policy.bridge is None else {"bridge": dataclasses.asdict(policy.bridge)}),
    }


def from_tree(tree: Mapping[str, Json]) -> Policy:
    """Return the policy that ``as_tree`` gave.

    Raises:
        CorruptionError: it holds what no policy holds.
    """
    try:
        return _policy(tree)
    except (KeyError, TypeError, ValueError, BadInputError) as error:
        raise CorruptionError(f"a stored policy cannot be read: {error}") from error


def _policy(tree: Mapping[str, Json]) -> Policy:
    gates: list[Gate] = []
    for one in _objects(tree["gates"]):
        kind = GATES[str(one["gate"])]
        given = {name: value for name, value in one.items() if name != "gate"}
        gates.append(kind(**given))  # type: ignore[arg-type]  # its own values, written by as_tree
    # A policy that an earlier version stored declares none of these.
    ready, guard = tree.get("readiness"), tree.get("guard")
    max_age = ready.get("max_age") if isinstance(ready, dict) else None
    return Policy(
        queries=str(tree["queries"]),
        expires_hours=float(str(tree["expires_hours"])),
        max_lag=int(str(tree["max_lag"])),
        inconclusive_refuses=tree["inconclusive"] == "refuse",
        gates=tuple(gates),
        readiness=None if max_age is None else duration(str(max_age)),
        guard=triggers.rules_of(guard) if isinstance(guard, dict) else UNRULED,
        triggers=tuple(triggers.trigger_of(one) for one in _objects(tree.get("triggers", []))),
        bridge=_bridge(tree.get("bridge")),
    )


def _objects(listed: Json) -> list[dict[str, Json]]:
    if not isinstance(listed, list):
        raise TypeError("what is listed is no list")
    found = [one for one in listed if isinstance(one, dict)]
    if len(found) != len(listed):
        raise TypeError("what is listed is no object")
    return found


def _bridge(tree: Json) -> BridgeRule | None:
    if not isinstance(tree, dict):
        return None
    return BridgeRule(floor=float(str(tree["floor"])), measure=str(tree["measure"]))
