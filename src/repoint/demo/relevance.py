"""How well a release finds what is known to be there."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from repoint.client import Index
from repoint.demo.corpus import Question

DEPTH: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Relevance:
    """Measures over all questions; one that finds nothing counts 0, it is never left out."""

    release: str
    questions: int
    success_at_10: float
    mrr_at_10: float
    ndcg_at_10: float
    latency_p50_ms: float


def measure(index: Index, questions: Sequence[Question]) -> Relevance:
    """Ask every question of whoever answers now."""
    ranks: list[int | None] = []
    took: list[float] = []
    releases: set[str] = set()
    for question in questions:
        answer = index.search(question.text, k=DEPTH)
        releases.add(answer.release)
        took.append(answer.timings.embed_ms + answer.timings.search_ms)
        ranks.append(rank(question, (hit.document for hit in answer.hits)))
    return summary("+".join(sorted(releases)), ranks, took)


def rank(question: Question, found: Iterable[str]) -> int | None:
    """Return the place of the question's document, from 1; None when it is not there."""
    for place, document in enumerate(found, start=1):
        if document == question.document:
            return place
    return None


def summary(release: str, ranks: Sequence[int | None], took: Sequence[float]) -> Relevance:
    """Return the measures of these ranks; each question has exactly one right answer."""
    places = [place for place in ranks if place is not None and place <= DEPTH]
    total = len(ranks)
    return Relevance(
        release=release,
        questions=total,
        success_at_10=len(places) / total if total else 0.0,
        mrr_at_10=sum(1 / place for place in places) / total if total else 0.0,
        ndcg_at_10=sum(1 / math.log2(place + 1) for place in places) / total if total else 0.0,
        latency_p50_ms=statistics.median(took) if took else 0.0,
    )
