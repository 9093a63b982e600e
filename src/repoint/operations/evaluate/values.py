"""What an evaluation says: figures, groups, examples, and both releases side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from repoint.domain.evaluation import Evaluation, Latency
from repoint.domain.gates import GateResult
from repoint.domain.ids import DocumentId, Lsn, QueryId, ReleaseName, RunId
from repoint.domain.queries import QuerySetKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measure of both releases, and what the difference is worth."""

    measure: str
    queries: int
    baseline: float
    candidate: float
    difference: float
    #: The difference's 95 % interval, by paired bootstrap.
    low: float
    high: float
    #: How often chance alone would differ as much, by the sign-flip test.
    p: float
    #: The smallest true difference that so many queries show nine times in ten; None for
    #: fewer than two.
    detectable: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFigures:
    """The measures within one group."""

    group: str
    queries: int
    figures: Sequence[Figure]


@dataclass(frozen=True, slots=True, kw_only=True)
class CitationReport:
    """Retrieved sources against the citations that the query set expects."""

    #: How many of the first retrieved count as sources.
    depth: int
    #: Queries with expected citations: only these are counted.
    queries: int
    #: F1, precision and recall.
    figures: Sequence[Figure]
    groups: Sequence[GroupFigures]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One release's answers before a judge."""

    #: What made the answers; empty: the query set has them.
    answered_by: str
    answers: int
    #: Answers that were not made or not judged; they count as nothing.
    failed: int
    #: The reason of most of them.
    why: str
    #: The mean over all that were judged, whether the other release's was or not.
    mean: float | None
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorseAnswer:
    """An answer that rests less on what the candidate retrieves than on the baseline's."""

    query: QueryId
    text: str
    group: str
    baseline: float
    candidate: float
    #: Sentences of the query set's answer that the candidate's passages do not support; of
    #: answers that were made nothing is kept.
    unsupported: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundingReport:
    """Whether answers rest on the retrieved passages, by one judge."""

    judge: str
    identity: str
    passages: int
    candidate: Judged
    #: None: the baseline was not judged, or by another judge.
    baseline: Judged | None
    #: Over the answers that were judged for both; empty where nothing can be compared.
    figures: Sequence[Figure]
    groups: Sequence[GroupFigures]
    worse: Sequence[WorseAnswer]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorseQuery:
    """A question that the candidate answers worse, side by side."""

    query: QueryId
    text: str
    group: str
    baseline: float
    candidate: float
    #: The first documents of either, best first.
    baseline_found: Sequence[DocumentId]
    candidate_found: Sequence[DocumentId]
    relevant: Sequence[DocumentId]


@dataclass(frozen=True, slots=True, kw_only=True)
class LostDocument:
    """What the baseline found among its first k, and the candidate nowhere."""

    query: QueryId
    document: DocumentId
    #: Its rank in the baseline's answer, from 1.
    rank: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """How much of what was found before is not found now."""

    #: Whether only relevant documents were counted: there are judgements.
    relevant_only: bool
    before: int
    lost: int
    #: None where the baseline found nothing.
    share: float | None
    examples: Sequence[LostDocument]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How alike the answers are, whoever is right."""

    k: int
    #: Mean share of the first k that both found.
    overlap: float
    #: Mean rank-biased overlap.
    rank_biased_overlap: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One release's own figures."""

    release: ReleaseName
    run: RunId
    at: datetime
    lsn: Lsn
    #: Each measure as exact search would have it, so that a lossy index is seen as one;
    #: empty where exact search was not asked.
    exact: Mapping[str, float]
    #: Mean share of exact search's first k that the approximate index found.
    index_recall: float | None
    latency: Latency | None
    tokens: int
    cost_per_thousand: float | None
    chunks: int
    vector_bytes: int
    bytes_on_disk: int | None
    empty: int
    refused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that an evaluation says."""

    evaluation: Evaluation
    kind: QuerySetKind
    queries: int
    #: Queries with a relevant document: only these are scored.
    scored: int
    seed: int
    resamples: int
    figures: Sequence[Figure]
    groups: Sequence[GroupFigures]
    worse_count: int
    better_count: int
    #: The queries that lost most by the first measure.
    worse: Sequence[WorseQuery]
    lost: Lost
    agreement: Agreement
    #: None: the query set expects no citation.
    citations: CitationReport | None
    #: None: nobody judged answers.
    grounding: GroundingReport | None
    baseline: Side
    candidate: Side
    policy_version: int
    gates: Sequence[GateResult]
