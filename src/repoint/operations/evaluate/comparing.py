"""Compare two stored runs: nothing is asked here, so the same runs give the same report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from repoint.domain import agreement
from repoint.domain.evaluation import Run, index_recall, latency
from repoint.domain.gates import GateResult
from repoint.domain.ids import QueryId
from repoint.domain.measures import Measure
from repoint.domain.queries import Query, relevant
from repoint.operations.evaluate import answers, statistics
from repoint.operations.evaluate.comparison import Comparison
from repoint.operations.evaluate.scoring import score
from repoint.operations.evaluate.values import (
    Agreement,
    Report,
    Side,
    WorseQuery,
)

#: Examples that a report shows of what got worse and of what was lost.
_EXAMPLES: Final = 20
#: Documents shown of an answer.
_SHOWN: Final = 5


def compare(
    comparison: Comparison,
    *,
    policy_version: int,
    gates: Sequence[GateResult],
    seed: int,
) -> Report:
    """Return all that a comparison says."""
    questions = comparison.queries.questions
    first = comparison.measures[0]
    worse = _worse(comparison, first)
    changes = comparison.differences([first], comparison.scored)[:, 0]
    return Report(
        evaluation=comparison.evaluation,
        kind=questions.kind,
        queries=len(questions.queries),
        scored=len(comparison.scored),
        seed=seed,
        resamples=statistics.RESAMPLES,
        figures=comparison.figures(comparison.measures, comparison.scored, seed=seed),
        groups=comparison.figures_by_group(comparison.measures, comparison.scored, seed=seed),
        worse_count=int((changes < 0).sum()),
        better_count=int((changes > 0).sum()),
        worse=worse,
        lost=comparison.lost(k=comparison.evaluation.k),
        agreement=_agreement(comparison),
        citations=answers.citations(comparison, seed=seed),
        grounding=answers.grounding(comparison, seed=seed),
        baseline=_side(comparison, comparison.baseline),
        candidate=_side(comparison, comparison.candidate),
        policy_version=policy_version,
        gates=gates,
    )


def _mean(scores: Mapping[QueryId, float], queries: Sequence[Query]) -> float:
    return math.fsum(scores[query.id] for query in queries) / len(queries)


def _worse(comparison: Comparison, measure: Measure) -> list[WorseQuery]:
    before = comparison.baseline_scores[measure]
    now = comparison.candidate_scores[measure]
    fallen = [query for query in comparison.scored if now[query.id] < before[query.id]]
    fallen.sort(key=lambda query: (now[query.id] - before[query.id], query.id))
    qrels = comparison.queries.questions.qrels
    return [
        WorseQuery(
            query=query.id,
            text=query.text,
            group=query.group,
            baseline=before[query.id],
            candidate=now[query.id],
            baseline_found=comparison.baseline.ranked[query.id][:_SHOWN],
            candidate_found=comparison.candidate.ranked[query.id][:_SHOWN],
            relevant=sorted(relevant(qrels, query.id))[:_SHOWN],
        )
        for query in fallen[:_EXAMPLES]
    ]


def _agreement(comparison: Comparison) -> Agreement:
    k = comparison.evaluation.k
    pairs = [
        (ranking, comparison.candidate.ranked.get(query, ()))
        for query, ranking in comparison.baseline.ranked.items()
    ]
    return Agreement(
        k=k,
        overlap=math.fsum(agreement.overlap(a, b, k=k) for a, b in pairs) / len(pairs),
        rank_biased_overlap=math.fsum(agreement.rank_biased_overlap(a, b) for a, b in pairs)
        / len(pairs),
    )


def _side(comparison: Comparison, run: Run) -> Side:
    questions = comparison.queries.questions
    exact = score(questions, run.exact, comparison.measures) if run.exact else {}
    answered = len(run.stages)
    return Side(
        release=run.release,
        run=run.id,
        at=run.at,
        lsn=run.lsn,
        exact={
            str(measure): _mean(values, comparison.scored)
            for measure, values in exact.items()
            if comparison.scored
        },
        index_recall=index_recall(run, k=comparison.evaluation.k),
        latency=latency(run),
        tokens=run.cost.tokens,
        cost_per_thousand=run.cost.per_thousand(answered),
        chunks=run.cost.chunks,
        vector_bytes=run.cost.vector_bytes,
        bytes_on_disk=run.cost.bytes_on_disk,
        empty=run.empty,
        refused=len(run.refused),
    )
