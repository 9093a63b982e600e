"""Triggers: which figures, seen while a release answers, send it back or freeze its index.

A trigger is declared before a rollout begins, as a part of its policy. Each look of the guard
gives every trigger one of the four outcomes of ``domain.gates``; what happens then is decided
by ``domain.guarding``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar, Final, TypeAlias, cast

from repoint.domain.document import Json
from repoint.domain.durations import duration, written


class Act(StrEnum):
    """What a trigger that failed does."""

    #: Move the pointer back to the fallback, as ``repoint rollback`` does.
    ROLLBACK = "rollback"
    #: Let nothing move forward, as ``repoint freeze`` does.
    FREEZE = "freeze"


class NoData(StrEnum):
    """What a trigger says that has too little to look at."""

    INCONCLUSIVE = "inconclusive"
    FAIL = "fail"


class Of(StrEnum):
    """Whose questions are counted."""

    #: Those of the applications, from repoint's own telemetry.
    SERVED = "served"
    #: Those of the benchmark query set, which the guard asks itself.
    BENCHMARK = "benchmark"


_WINDOW: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What every trigger declares."""

    trigger: ClassVar[str]

    then: Act = Act.ROLLBACK
    #: What it says where there is too little to look at.
    no_data: NoData = NoData.INCONCLUSIVE
    #: How many looks in a row must fail before it acts.
    in_a_row: int = 1
    #: After how many looks in a row that end in error it counts as failed; None: never.
    error_limit: int | None = None

    @property
    def id(self) -> str:
        """What findings and decisions call it."""
        return self.trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class RelevanceTrigger(Declared):
    """A measure of the benchmark queries fell against the fallback's stored baseline."""

    trigger: ClassVar[str] = "relevance"
    measure: str = "nDCG@10"
    #: How far its mean may fall, as a difference; a larger loss must be sure to fail.
    tolerance: float = 0.05
    #: Whether each group is watched too.
    groups: bool = False
    minimum_samples: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class CitationsTrigger(Declared):
    """Retrieved sources agree less with the expected citations than the fallback's did."""

    trigger: ClassVar[str] = "citations"
    measure: str = "CitationF1@5"
    #: As ``RelevanceTrigger`` has them.
    tolerance: float = 0.05
    groups: bool = False
    minimum_samples: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundednessTrigger(Declared):
    """Answers rest less on what is retrieved than a floor asks, or than on the fallback's."""

    trigger: ClassVar[str] = "groundedness"
    #: Who judges.
    judge: str = "lexical"
    #: What makes the answers; empty: the benchmark query set has them.
    answer_with: str = ""
    #: How many of the first retrieved passages an answer is held against.
    passages: int = 5
    #: The floor of the mean; None: there is none.
    minimum: float | None = None
    #: How far it may fall against the fallback's judged run; None: it is not compared.
    tolerance: float | None = 0.05
    #: How many answers are judged at each look; looks take turns through all of them.
    sample: int = 20
    #: How long a verdict counts.
    window: timedelta = timedelta(hours=1)
    minimum_samples: int = 20
    #: The share of a look's answers that may have no verdict; over it the look is an error.
    failed: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexRecallTrigger(Declared):
    """The approximate index finds less than it should of what exact search finds."""

    trigger: ClassVar[str] = "index-recall"
    k: int = 10
    minimum: float = 0.9
    minimum_samples: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyTrigger(Declared):
    """Answers take longer than a limit, or than a multiple of the fallback's."""

    trigger: ClassVar[str] = "latency"
    of: Of = Of.SERVED
    p50_ms: float | None = None
    p95_ms: float | None = None
    #: Over the fallback's own, from its telemetry or its stored run.
    p50_ratio: float | None = None
    p95_ratio: float | None = None
    window: timedelta = _WINDOW
    minimum_samples: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class CostTrigger(Declared):
    """Questions cost more than a limit, or than a multiple of the fallback's."""

    trigger: ClassVar[str] = "cost"
    #: Whose questions; of served ones a cache may spare some.
    of: Of = Of.BENCHMARK
    per_thousand_queries: float | None = None
    ratio: float | None = None
    window: timedelta = _WINDOW
    minimum_samples: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderErrorsTrigger(Declared):
    """The model's provider fails, or asks for patience, more often than it may."""

    trigger: ClassVar[str] = "provider-errors"
    of: Of = Of.SERVED
    #: The share of questions that may fail.
    share: float = 0.05
    #: The share that may meet a rate limit; those count as failures as well.
    rate_limited: float | None = None
    window: timedelta = _WINDOW
    minimum_samples: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingDocumentsTrigger(Declared):
    """Documents of the log are missing, stale or extra in the collection, or it lags."""

    trigger: ClassVar[str] = "missing-documents"
    #: The share of a sample that may differ from the log.
    share: float = 0.0
    #: How many documents are compared at each look.
    sample: int = 50
    #: Log rows that the release may be behind; None: any number.
    lag: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptyAnswersTrigger(Declared):
    """More questions than may get no document at all."""

    trigger: ClassVar[str] = "empty-answers"
    of: Of = Of.SERVED
    share: float = 0.05
    window: timedelta = _WINDOW
    minimum_samples: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchProbesTrigger(Declared):
    """A filter query, a text query or a fresh document is answered wrongly."""

    trigger: ClassVar[str] = "search-probes"
    #: An approximate index may miss a single document once.
    in_a_row: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDriftTrigger(Declared):
    """The query model no longer gives the vectors of its probes: it was changed silently."""

    trigger: ClassVar[str] = "model-drift"


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryTrigger(Declared):
    """The candidate that answers a canary's share is surely worse, or fails too often."""

    trigger: ClassVar[str] = "canary"
    #: How often a whole canary may be called worse though it is not, however often one looks.
    false_alarm: float = 0.01
    #: The share of the candidate's own questions that may fail; None: any.
    failed: float | None = None
    window: timedelta = _WINDOW
    minimum_samples: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusTrigger(Declared):
    """An expression of a Prometheus server is over or under its limit."""

    trigger: ClassVar[str] = "prometheus"
    name: str
    #: The server, without the path of its API.
    url: str
    query: str
    above: float | None = None
    below: float | None = None
    #: The environment variable with a bearer token; empty: none is sent.
    token_env: str = ""
    timeout: timedelta = timedelta(seconds=10)

    @property
    def id(self) -> str:
        """Its kind and the name it was given."""
        return f"{self.trigger}:{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertTrigger(Declared):
    """An alert that was sent to the guard's webhook is firing."""

    trigger: ClassVar[str] = "alert"
    #: The alert's name.
    alert: str
    #: Labels that it must have, too.
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Its kind and the alert's name."""
        return f"{self.trigger}:{self.alert}"


Trigger: TypeAlias = (
    RelevanceTrigger
    | CitationsTrigger
    | GroundednessTrigger
    | IndexRecallTrigger
    | LatencyTrigger
    | CostTrigger
    | ProviderErrorsTrigger
    | MissingDocumentsTrigger
    | EmptyAnswersTrigger
    | SearchProbesTrigger
    | ModelDriftTrigger
    | CanaryTrigger
    | PrometheusTrigger
    | AlertTrigger
)

TRIGGERS: Final[Mapping[str, type[Trigger]]] = MappingProxyType(
    {
        kind.trigger: kind
        for kind in (
            RelevanceTrigger,
            CitationsTrigger,
            GroundednessTrigger,
            IndexRecallTrigger,
            LatencyTrigger,
            CostTrigger,
            ProviderErrorsTrigger,
            MissingDocumentsTrigger,
            EmptyAnswersTrigger,
            SearchProbesTrigger,
            ModelDriftTrigger,
            CanaryTrigger,
            PrometheusTrigger,
            AlertTrigger,
        )
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardRules:
    """How the guard looks and how far it may go by itself."""

    #: The benchmark query set; empty: the policy's own.
    queries: str = ""
    #: The name of a stored run of the fallback to compare with; empty: its newest.
    baseline: str = ""
    every: timedelta = timedelta(minutes=5)
    #: After it acted, so long it only looks.
    cool_down: timedelta = timedelta(minutes=30)
    #: Automatic rollbacks in ``per``; what would be one more freezes.
    rollbacks: int = 1
    per: timedelta = timedelta(hours=24)
    #: How often a whole watch may act on nothing, over all looks and triggers together.
    false_alarm: float = 0.01
    #: Decide and record, and do nothing.
    dry_run: bool = False
    #: How long looks are kept; decisions are kept for good.
    keep: timedelta = timedelta(days=30)


#: What counts where a policy says nothing of the guard.
UNRULED: Final = GuardRules()

#: Fields of a value that are no plain JSON, and what reads them back.
_READ: Final[Mapping[str, Callable[[str], object]]] = MappingProxyType(
    {
        "then": Act,
        "no_data": NoData,
        "of": Of,
        **dict.fromkeys(("window", "timeout", "every", "cool_down", "per", "keep"), duration),
    }
)


_ASK: Final = (RelevanceTrigger, CitationsTrigger, GroundednessTrigger, IndexRecallTrigger)


def asks_benchmark(one: Trigger) -> bool:
    """Return whether a trigger needs a benchmark query set."""
    if isinstance(one, _ASK):
        return True
    return getattr(one, "of", Of.SERVED) is Of.BENCHMARK


def as_tree(one: Trigger | GuardRules) -> dict[str, Json]:
    """Return a trigger, or the guard's rules, as plain values, every default written out."""
    tree: dict[str, Json] = {} if isinstance(one, GuardRules) else {"trigger": one.trigger}
    for given in dataclasses.fields(one):
        tree[given.name] = _plain(getattr(one, given.name))
    return tree


def trigger_of(tree: Mapping[str, Json]) -> Trigger:
    """Return the trigger that ``as_tree`` gave; KeyError and TypeError where it did not."""
    kind = TRIGGERS[str(tree["trigger"])]
    given = {name: value for name, value in tree.items() if name != "trigger"}
    return kind(**_values(given))  # type: ignore[arg-type]  # its own values, written by as_tree


def rules_of(tree: Mapping[str, Json]) -> GuardRules:
    """Return the rules that ``as_tree`` gave."""
    return GuardRules(**_values(tree))  # type: ignore[arg-type]  # as above


def _values(tree: Mapping[str, Json]) -> dict[str, object]:
    return {
        name: _READ[name](str(value)) if name in _READ and value is not None else value
        for name, value in tree.items()
    }


def _plain(value: object) -> Json:
    if isinstance(value, timedelta):
        return written(value)
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): str(item) for key, item in value.items()}
    return cast("Json", value)
