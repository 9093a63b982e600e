"""The written form of triggers and of the guard's rules; as ``policy_model``, for gates.

The defaults here equal those of ``domain.triggers``, and a test compares them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from repoint.domain.durations import duration
from repoint.domain.errors import BadInputError
from repoint.domain.triggers import TRIGGERS, Act, GuardRules, NoData, Of, Trigger
from repoint.wiring.spec_model import Section


def _read(given: object) -> object:
    if not isinstance(given, str):
        raise ValueError("is a duration: a number with its unit, as 90s, 15m, 24h, 7d")  # noqa: TRY004 - pydantic reports no other
    try:
        return duration(given)
    except BadInputError as error:
        raise ValueError(
            f"{error.message}: {error.hint}" if error.hint else error.message
        ) from error


def _server(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("is no http:// or https:// address of a server")
    # Read here, for a rollout keeps its policy: a port that is none would blind its guard.
    if parts.port == 0 or not url.isprintable() or " " in url:
        raise ValueError("has a port, a blank or a character that no address has")
    if parts.username or parts.password:
        raise ValueError("a policy is stored and shown: name a token in token_env instead")
    return url


Duration = Annotated[timedelta, BeforeValidator(_read)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Samples = Annotated[int, Field(ge=1)]
_WINDOW: Final = timedelta(minutes=15)
_WINDOW_SAYS: Final = "How far back it looks"
_SAMPLES_SAY: Final = "With fewer it has no data"
_OF_SAYS: Final = "Whose questions: the applications' or the benchmark's"


class _Trigger(Section):
    then: Act = Field(Act.ROLLBACK, strict=False, description="What it does when it fails")
    no_data: NoData = Field(
        NoData.INCONCLUSIVE, strict=False, description="What it says with too little to look at"
    )
    in_a_row: Samples = Field(1, description="How many looks in a row must fail")
    error_limit: Samples | None = Field(
        None, description="After so many looks in a row that end in error it counts as failed"
    )


class RelevanceSection(_Trigger):
    """A measure of the benchmark queries fell against the fallback's stored baseline."""

    trigger: Literal["relevance"]
    measure: str = Field("nDCG@10", description="What is compared, query by query")
    tolerance: Share = Field(0.05, description="How far its mean may fall, as a difference")
    groups: bool = Field(False, description="Whether each group is watched too")  # noqa: FBT003 - pydantic takes the default first
    minimum_samples: Samples = Field(20, description=_SAMPLES_SAY)


class CitationsSection(RelevanceSection):
    """Retrieved sources agree less with the expected citations than the fallback's did."""

    trigger: Literal["citations"]  # type: ignore[assignment]  # another name for the same rules
    measure: str = Field("CitationF1@5", description="What is compared: P, R or F1")


class GroundednessSection(_Trigger):
    """Answers rest less on what is retrieved than a floor asks, or than on the fallback's."""

    trigger: Literal["groundedness"]
    judge: str = Field(
        "lexical", min_length=1, description="Who judges: `lexical`, or one of `[chat.NAME]`"
    )
    answer_with: str = Field(
        "", description="What makes the answers; empty: the query set has them"
    )
    passages: int = Field(
        5, ge=1, le=100, description="How many passages an answer is held against"
    )
    minimum: Share | None = Field(None, description="The floor of the mean; null: none")
    tolerance: Share | None = Field(
        0.05,
        description="How far it may fall against the fallback's judged run; null: any",
    )
    sample: int = Field(
        20, ge=1, le=1000, description="Answers judged at each look; looks take turns"
    )
    window: Duration = Field(timedelta(hours=1), description="How long a verdict counts")
    minimum_samples: Samples = Field(20, description=_SAMPLES_SAY)
    failed: Share = Field(
        0.5, description="The share of a look's answers that may have no verdict"
    )

    @model_validator(mode="after")
    def _has_a_limit(self) -> Self:
        if self.minimum is None and self.tolerance is None:
            raise ValueError("names no limit: minimum or tolerance")
        return self


class IndexRecallSection(_Trigger):
    """The approximate index finds less than it should of what exact search finds."""

    trigger: Literal["index-recall"]
    k: int = Field(10, ge=1, le=1000, description="How many of exact search's first count")
    minimum: Share = Field(0.9, description="The mean share of them that must be found")
    minimum_samples: Samples = Field(20, description=_SAMPLES_SAY)


class LatencySection(_Trigger):
    """Answers take longer than a limit, or than a multiple of the fallback's."""

    trigger: Literal["latency"]
    of: Of = Field(Of.SERVED, strict=False, description=_OF_SAYS)
    p50_ms: Positive | None = Field(None, description="What half of them take at most")
    p95_ms: Positive | None = Field(None, description="What 95 % of them take at most")
    p50_ratio: Positive | None = Field(None, description="The p50 over the fallback's, at most")
    p95_ratio: Positive | None = Field(None, description="The p95 over the fallback's, at most")
    window: Duration = Field(_WINDOW, description=_WINDOW_SAYS)
    minimum_samples: Samples = Field(100, description=_SAMPLES_SAY)

    @model_validator(mode="after")
    def _has_a_limit(self) -> Self:
        if not (self.p50_ms or self.p95_ms or self.p50_ratio or self.p95_ratio):
            raise ValueError("names no limit: p50_ms, p95_ms, p50_ratio or p95_ratio")
        return self


class CostSection(_Trigger):
    """Questions cost more than a limit, or than a multiple of the fallback's."""

    trigger: Literal["cost"]
    of: Of = Field(Of.BENCHMARK, strict=False, description=_OF_SAYS)
    per_thousand_queries: Positive | None = Field(
        None, description="What a thousand of them cost at most, by the spec's price"
    )
    ratio: Positive | None = Field(None, description="That cost over the fallback's, at most")
    window: Duration = Field(_WINDOW, description=_WINDOW_SAYS)
    minimum_samples: Samples = Field(20, description=_SAMPLES_SAY)

    @model_validator(mode="after")
    def _has_a_limit(self) -> Self:
        if not (self.per_thousand_queries or self.ratio):
            raise ValueError("names no limit: per_thousand_queries or ratio")
        return self


class ProviderErrorsSection(_Trigger):
    """The model's provider fails, or asks for patience, more often than it may."""

    trigger: Literal["provider-errors"]
    of: Of = Field(Of.SERVED, strict=False, description=_OF_SAYS)
    share: Share = Field(0.05, description="The share of questions that may fail")
    rate_limited: Share | None = Field(
        None, description="The share that may meet a rate limit; null: as any other failure"
    )
    window: Duration = Field(_WINDOW, description=_WINDOW_SAYS)
    minimum_samples: Samples = Field(20, description=_SAMPLES_SAY)


class MissingDocumentsSection(_Trigger):
    """Documents of the log are missing, stale or extra in the collection, or it lags."""

    trigger: Literal["missing-documents"]
    share: Share = Field(0.0, description="The share of a sample that may differ from the log")
    sample: int = Field(50, ge=1, le=1000, description="How many are compared at each look")
    lag: int | None = Field(
        None, ge=0, description="Log rows that it may be behind; null: any number"
    )


class EmptyAnswersSection(_Trigger):
    """More questions than may get no document at all."""

    trigger: Literal["empty-answers"]
    of: Of = Field(Of.SERVED, strict=False, description=_OF_SAYS)
    share: Share = Field(0.05, description="The share that may be empty")
    window: Duration = Field(_WINDOW, description=_WINDOW_SAYS)
    minimum_samples: Samples = Field(50, description=_SAMPLES_SAY)


class SearchProbesSection(_Trigger):
    """A filter query, a text query or a fresh document is answered wrongly."""

    trigger: Literal["search-probes"]
    in_a_row: Samples = Field(
        2, description="As above; an approximate index may miss a document once"
    )


class ModelDriftSection(_Trigger):
    """The query model no longer gives the vectors of its probes: it was changed silently."""

    trigger: Literal["model-drift"]


class CanarySection(_Trigger):
    """The candidate that answers a canary's share is surely worse, or fails too often."""

    trigger: Literal["canary"]
    false_alarm: float = Field(
        0.01,
        gt=0,
        le=0.5,
        description="How often a whole canary may be called worse though it is not; "
        "beside the guard's own",
    )
    failed: Share | None = Field(
        None, description="The share of the candidate's own questions that may fail; null: any"
    )
    window: Duration = Field(_WINDOW, description=_WINDOW_SAYS)
    minimum_samples: Samples = Field(50, description=_SAMPLES_SAY)


class PrometheusSection(_Trigger):
    """An expression of a Prometheus server is over or under its limit."""

    trigger: Literal["prometheus"]
    name: str = Field(min_length=1, description="What findings and decisions call it")
    url: Annotated[str, AfterValidator(_server)] = Field(
        description="The server, without the path of its API"
    )
    query: str = Field(min_length=1, description="The PromQL expression; it gives one number")
    above: float | None = Field(None, description="It fails over this")
    below: float | None = Field(None, description="It fails under this")
    token_env: str = Field("", description="The environment variable with a bearer token")
    timeout: Duration = Field(timedelta(seconds=10), description="How long an answer may take")

    @model_validator(mode="after")
    def _has_a_limit(self) -> Self:
        if self.above is None and self.below is None:
            raise ValueError("names no limit: above or below")
        return self


class AlertSection(_Trigger):
    """An alert that was sent to the guard's webhook is firing."""

    trigger: Literal["alert"]
    alert: str = Field(min_length=1, description="The alert's name")
    labels: dict[str, str] = Field(
        default_factory=dict, description="Labels that it must have, too"
    )


TriggerSection = Annotated[
    RelevanceSection
    | CitationsSection
    | GroundednessSection
    | IndexRecallSection
    | LatencySection
    | CostSection
    | ProviderErrorsSection
    | MissingDocumentsSection
    | EmptyAnswersSection
    | SearchProbesSection
    | ModelDriftSection
    | CanarySection
    | PrometheusSection
    | AlertSection,
    Field(discriminator="trigger"),
]

#: In the order of the reference page.
SECTIONS: tuple[type[_Trigger], ...] = (
    RelevanceSection,
    CitationsSection,
    GroundednessSection,
    IndexRecallSection,
    LatencySection,
    CostSection,
    ProviderErrorsSection,
    MissingDocumentsSection,
    EmptyAnswersSection,
    SearchProbesSection,
    ModelDriftSection,
    CanarySection,
    PrometheusSection,
    AlertSection,
)


class GuardSection(Section):
    """How the guard looks, and how far it may go by itself."""

    queries: str = Field("", description="The benchmark query set; empty: the policy's own")
    baseline: str = Field(
        "", description="A named run of the fallback to compare with; empty: its newest run"
    )
    every: Duration = Field(timedelta(minutes=5), description="How often it looks")
    cool_down: Duration = Field(
        timedelta(minutes=30), description="After it acted, so long it only looks"
    )
    rollbacks: int = Field(
        1, ge=0, description="Automatic rollbacks in `per`; one more freezes"
    )
    per: Duration = Field(timedelta(hours=24), description="The time in which they are counted")
    false_alarm: float = Field(
        0.01,
        gt=0,
        le=0.5,
        description="How often a whole watch may act on nothing, over all looks and triggers",
    )
    dry_run: bool = Field(False, description="Decide and record, and do nothing")  # noqa: FBT003 - as above
    keep: Duration = Field(
        timedelta(days=30), description="How long looks are kept; decisions are kept for good"
    )

    def rules(self) -> GuardRules:
        """Return the rules that the section describes."""
        return GuardRules(**self.model_dump())


def given_trigger(section: _Trigger) -> Trigger:
    """Return the trigger that a section describes."""
    given = section.model_dump()
    return TRIGGERS[given.pop("trigger")](**given)
