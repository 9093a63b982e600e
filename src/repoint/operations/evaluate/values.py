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
    baseline: Side
    candidate: Side
    policy_version: int
    gates: Sequence[GateResult]
