"""Runs and evaluations: what was asked, what came back, and what was compared with what."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime

from repoint.domain.grounding import Grounding
from repoint.domain.ids import (
    Actor,
    DocumentId,
    EvaluationId,
    Fingerprint,
    IndexName,
    Lsn,
    QueryId,
    QuerySetName,
    ReleaseName,
    RunId,
)

Ranking = tuple[DocumentId, ...]
Rankings = Mapping[QueryId, Ranking]
#: Documents that were found by another part of theirs than the one that should be cited.
Astray = Mapping[QueryId, AbstractSet[DocumentId]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """Where the time of one question went, in milliseconds."""

    embed_ms: float
    search_ms: float
    rerank_ms: float

    @property
    def total_ms(self) -> float:
        """All stages together."""
        return self.embed_ms + self.search_ms + self.rerank_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCost:
    """What the questions took of the model, and what the vectors take up."""

    #: Tokens of all questions together, prefixes included.
    tokens: int
    #: Money for a million tokens, from the spec; None where it names no price.
    price_per_million_tokens: float | None
    chunks: int
    #: Bytes of the vectors alone: chunks times dimensions times four.
    vector_bytes: int
    #: What the backend says that all of the collection takes; None where it does not say.
    bytes_on_disk: int | None

    def per_thousand(self, queries: int) -> float | None:
        """Return the money for a thousand questions; None without a price or a question."""
        if self.price_per_million_tokens is None or not queries:
            return None
        return self.price_per_million_tokens * self.tokens / 1_000_000 / queries * 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One release's ranked answers to one version of a query set, document by document."""

    id: RunId
    index: IndexName
    release: ReleaseName
    fingerprint: Fingerprint
    query_set: QuerySetName
    version: int
    #: How many documents were asked for.
    depth: int
    #: The release's watermark when the first question was asked.
    lsn: Lsn
    at: datetime
    actor: Actor
    #: The name that a baseline was given; empty for most runs.
    name: str = ""
    ranked: Rankings
    #: What exact search answers; empty where it was not asked.
    exact: Rankings
    stages: Mapping[QueryId, Stages]
    #: Questions that the release cannot take, and why; they count as empty answers.
    refused: Mapping[QueryId, str]
    cost: RunCost
    #: How many of the first count as sources of an answer; 0 in runs from before there were.
    passages: int = 0
    astray: Astray = field(default_factory=dict)
    #: Whether answers rest on the passages that were found; None: nobody judged that.
    grounding: Grounding | None = None

    @property
    def empty(self) -> int:
        """How many questions got no document at all."""
        return sum(not ranking for ranking in self.ranked.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """What a list says of a run, without reading its answers."""

    id: RunId
    release: ReleaseName
    fingerprint: Fingerprint
    query_set: QuerySetName
    version: int
    lsn: Lsn
    at: datetime
    actor: Actor
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A candidate's run beside a baseline's."""

    id: EvaluationId
    index: IndexName
    candidate: ReleaseName
    baseline: ReleaseName
    candidate_fingerprint: Fingerprint
    baseline_fingerprint: Fingerprint
    query_set: QuerySetName
    version: int
    candidate_run: RunId
    baseline_run: RunId
    #: The depth that counts most.
    k: int
    at: datetime
    actor: Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    """Milliseconds that half, most and nearly all questions took at most."""

    p50: float
    p95: float
    p99: float

    @staticmethod
    def of(values: Sequence[float]) -> Percentiles | None:
        """Return them by the nearest rank; None of no values."""
        if not values:
            return None
        ordered = sorted(values)
        p50, p95, p99 = (
            ordered[max(0, math.ceil(share * len(ordered)) - 1)] for share in (0.5, 0.95, 0.99)
        )
        return Percentiles(p50=p50, p95=p95, p99=p99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long each stage took."""

    embed: Percentiles
    search: Percentiles
    rerank: Percentiles
    total: Percentiles


def latency(run: Run) -> Latency | None:
    """Return a run's latency by stage; None where it answered no question."""
    stages = list(run.stages.values())
    embed = Percentiles.of([one.embed_ms for one in stages])
    search = Percentiles.of([one.search_ms for one in stages])
    rerank = Percentiles.of([one.rerank_ms for one in stages])
    total = Percentiles.of([one.total_ms for one in stages])
    if embed is None or search is None or rerank is None or total is None:
        return None
    return Latency(embed=embed, search=search, rerank=rerank, total=total)


def lost(before: Ranking, now: Ranking, *, k: int) -> list[DocumentId]:
    """Return what was among the first k and is nowhere in the other answer, in its order."""
    found = set(now)
    return [document for document in before[:k] if document not in found]


def index_recall(run: Run, *, k: int) -> float | None:
    """Return the mean share of exact search's first k that the run found; None unasked."""
    shares = [
        len(set(run.ranked[query][:k]) & set(exact[:k])) / len(exact[:k])
        for query, exact in run.exact.items()
        if exact
    ]
    return math.fsum(shares) / len(shares) if shares else None
