"""The written form of a policy: which keys there are, what they take, what they mean.

The defaults here equal those of ``domain.policy``, and a test compares them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from repoint.domain import policy as domain
from repoint.domain.bridge import BridgeRule
from repoint.domain.policy import Gate, Policy
from repoint.wiring.spec_model import Section
from repoint.wiring.trigger_model import (
    Duration,
    GuardSection,
    TriggerSection,
    given_trigger,
)


class OnDoubt(StrEnum):
    """What a gate that cannot tell does to a promotion."""

    REFUSE = "refuse"
    WARN = "warn"


Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


class RelevanceSection(Section):
    """A measure may not fall by more than the tolerance, over all queries or in any group."""

    gate: Literal["relevance"]
    measure: str = Field("nDCG@10", description="What is compared, query by query")
    tolerance: Share = Field(0.02, description="How far its mean may fall, as a difference")
    groups: bool = Field(False, description="Whether each group must hold it too")  # noqa: FBT003 - pydantic takes the default first
    confidence: float = Field(
        0.95, ge=0.5, lt=1, description="How sure a pass must be: the level of the interval"
    )
    minimum_queries: int = Field(
        20, ge=2, description="With fewer queries the gate is inconclusive, as with none"
    )
    loss: float = Field(
        0.05,
        gt=0,
        le=1,
        description="The part of the baseline's mean that, if it is lost, the number of "
        "queries that a gate in doubt asks for would catch nine times in ten",
    )


class CitationsSection(RelevanceSection):
    """Retrieved sources may not agree less with the expected citations, overall or by group."""

    gate: Literal["citations"]  # type: ignore[assignment]  # another name for the same rules
    measure: str = Field("CitationF1@5", description="What is compared: P, R or F1")


class GroundednessSection(Section):
    """Answers must rest on the retrieved passages as before, and may have a floor to reach."""

    gate: Literal["groundedness"]
    judge: str = Field("", description="Whose verdicts count; empty: any judge's")
    minimum: Share | None = Field(None, description="The floor of the mean; null: none")
    tolerance: Share = Field(0.05, description="How far the mean may fall, as a difference")
    groups: bool = Field(False, description="Whether each group must hold it too")  # noqa: FBT003 - as above
    confidence: float = Field(0.95, ge=0.5, lt=1, description="How sure a pass must be")
    minimum_queries: int = Field(
        20, ge=2, description="With fewer answers the gate is inconclusive"
    )
    loss: float = Field(0.05, gt=0, le=1, description="As above")
    failed: Share = Field(0.1, description="The share of answers that may have no verdict")


class RecallSection(Section):
    """A measure of the benchmark queries must reach a floor."""

    gate: Literal["recall"]
    measure: str = Field("R@100", description="What must reach the floor")
    minimum: Share = Field(0.8, description="The floor of its mean")


class IndexRecallSection(Section):
    """The approximate index must find what exact search finds."""

    gate: Literal["index-recall"]
    k: int = Field(10, ge=1, le=1000, description="How many of exact search's first count")
    minimum: Share = Field(0.95, description="The mean share of them that must be found")


class LatencySection(Section):
    """Answers must come in time, by the clock or compared with the baseline."""

    gate: Literal["latency"]
    p50_ms: Positive | None = Field(None, description="What half of the questions take at most")
    p95_ms: Positive | None = Field(None, description="What 95 % of them take at most")
    p99_ms: Positive | None = Field(None, description="What 99 % of them take at most")
    p95_ratio: Positive | None = Field(None, description="The p95 over the baseline's, at most")

    @model_validator(mode="after")
    def _has_a_limit(self) -> Self:
        if not (self.p50_ms or self.p95_ms or self.p99_ms or self.p95_ratio):
            raise ValueError("names no limit: p50_ms, p95_ms, p99_ms or p95_ratio")
        return self


class CostSection(Section):
    """Questions may cost so much, in the spec's money or compared with the baseline."""

    gate: Literal["cost"]
    per_thousand_queries: Positive | None = Field(
        None, description="What a thousand questions cost at most, by the spec's price"
    )
    ratio: Positive | None = Field(None, description="That cost over the baseline's, at most")
    storage_ratio: Positive | None = Field(
        None, description="Bytes of vectors over the baseline's, at most"
    )

    @model_validator(mode="after")
    def _has_a_limit(self) -> Self:
        if not (self.per_thousand_queries or self.ratio or self.storage_ratio):
            raise ValueError("names no limit: per_thousand_queries, ratio or storage_ratio")
        return self


class LostDocumentsSection(Section):
    """What the baseline found may be missing only so often."""

    gate: Literal["lost-documents"]
    k: int = Field(10, ge=1, le=1000, description="How many of the baseline's first count")
    share: Share = Field(0.05, description="The share of them that may be nowhere")


class EmptyAnswersSection(Section):
    """Only so many questions may get no document at all."""

    gate: Literal["empty-answers"]
    count: int = Field(0, ge=0, description="How many may")


GateSection = Annotated[
    RelevanceSection
    | CitationsSection
    | GroundednessSection
    | RecallSection
    | IndexRecallSection
    | LatencySection
    | CostSection
    | LostDocumentsSection
    | EmptyAnswersSection,
    Field(discriminator="gate"),
]

#: In the order of the reference page.
SECTIONS: tuple[type[Section], ...] = (
    RelevanceSection,
    CitationsSection,
    GroundednessSection,
    RecallSection,
    IndexRecallSection,
    LatencySection,
    CostSection,
    LostDocumentsSection,
    EmptyAnswersSection,
)


class ReadinessSection(Section):
    """How fresh the rehearsal of a promotion must be."""

    max_age: Duration | None = Field(
        None, description="How old a drill may be; null: a promotion asks for none"
    )


class BridgeSection(Section):
    """Whether queries may go over a bridge when a release's own query model is gone."""

    floor: Share = Field(description="The least share of the old measure that must be left")
    measure: str = Field("nDCG@10", description="What is compared where there are judgements")


class PolicyFile(Section):
    """A policy file."""

    queries: str = Field(
        "",
        description="The query set an evaluation must use, or one version, `garden@1`; "
        "empty: any",
    )
    expires_hours: Positive = Field(168.0, description="An older evaluation counts for nothing")
    max_lag: int = Field(
        1000, ge=0, description="Log rows that may have come since the releases were asked"
    )
    inconclusive: OnDoubt = Field(
        OnDoubt.REFUSE,
        strict=False,
        description="What a gate that cannot tell does to a promotion",
    )
    gates: tuple[GateSection, ...] = Field(
        min_length=1, strict=False, description="What must hold; each has its table below"
    )
    readiness: ReadinessSection = Field(
        default_factory=ReadinessSection, description="See `readiness` below"
    )
    guard: GuardSection = Field(default_factory=GuardSection, description="See `guard` below")
    triggers: tuple[TriggerSection, ...] = Field(
        (), strict=False, description="What sends a release back; each has its table below"
    )
    bridge: BridgeSection | None = Field(
        None, description="Allows bridges, by what they must keep; without it there are none"
    )

    def policy(self) -> Policy:
        """Return the policy that the file describes."""
        return Policy(
            queries=self.queries,
            expires_hours=self.expires_hours,
            max_lag=self.max_lag,
            inconclusive_refuses=self.inconclusive is OnDoubt.REFUSE,
            gates=tuple(_gate(one) for one in self.gates),
            readiness=self.readiness.max_age,
            guard=self.guard.rules(),
            triggers=tuple(given_trigger(one) for one in self.triggers),
            bridge=None
            if self.bridge is None
            else BridgeRule(floor=self.bridge.floor, measure=self.bridge.measure),
        )


def _gate(section: Section) -> Gate:
    given = section.model_dump()
    kind = domain.GATES[given.pop("gate")]
    return kind(**given)
