"""Compare two stored runs: nothing is asked here, so the same runs give the same report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from repoint.domain import agreement
from repoint.domain.evaluation import Evaluation, Run, index_recall, latency, lost
from repoint.domain.gates import GateResult
from repoint.domain.ids import QueryId
from repoint.domain.measures import Measure, standard
from repoint.domain.queries import Query, QuerySet, groups, relevant
from repoint.operations.evaluate import statistics
from repoint.operations.evaluate.scoring import Scores, score
from repoint.operations.evaluate.statistics import Floats
from repoint.operations.evaluate.values import (
    Agreement,
    Figure,
    GroupFigures,
    Lost,
    LostDocument,
    Report,
    Side,
    WorseQuery,
)

#: Examples that a report shows of what got worse and of what was lost.
_EXAMPLES: Final = 20
#: Documents shown of an answer.
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two runs over one version of a query set, and what they score."""

    evaluation: Evaluation
    queries: QuerySet
    baseline: Run
    candidate: Run
    baseline_scores: Scores
    candidate_scores: Scores
    scored: Sequence[Query]

    @staticmethod
    def of(
        evaluation: Evaluation,
        queries: QuerySet,
        baseline: Run,
        candidate: Run,
        *,
        measures: Sequence[Measure] = (),
    ) -> Comparison:
        """Score both runs by the standard measures, and by these."""
        wanted = tuple(dict.fromkeys((*standard(evaluation.k), *measures)))
        questions = queries.questions
        return Comparison(
            evaluation=evaluation,
            queries=queries,
            baseline=baseline,
            candidate=candidate,
            baseline_scores=score(questions, baseline.ranked, wanted),
            candidate_scores=score(questions, candidate.ranked, wanted),
            scored=questions.scored(),
        )

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The standard measures, the one that counts most first."""
        return standard(self.evaluation.k)

    def differences(self, measures: Sequence[Measure], queries: Sequence[Query]) -> Floats:
        """Return candidate minus baseline: a row a query, a column a measure."""
        return np.array(
            [
                [
                    self.candidate_scores[measure][query.id]
                    - self.baseline_scores[measure][query.id]
                    for measure in measures
                ]
                for query in queries
            ],
            dtype=np.float64,
        ).reshape(len(queries), len(measures))

    def lost(self, *, k: int) -> Lost:
        """Return what the baseline found among its first k and the candidate nowhere."""
        qrels = self.queries.questions.qrels
        judged = bool(self.scored)
        before = 0
        gone: list[LostDocument] = []
        for query, ranking in self.baseline.ranked.items():
            counted = relevant(qrels, query) if judged else frozenset(ranking)
            before += sum(document in counted for document in ranking[:k])
            gone += [
                LostDocument(query=query, document=one, rank=ranking.index(one) + 1)
                for one in lost(ranking, self.candidate.ranked.get(query, ()), k=k)
                if one in counted
            ]
        gone.sort(key=lambda one: (one.rank, one.query))
        return Lost(
            relevant_only=judged,
            before=before,
            lost=len(gone),
            share=len(gone) / before if before else None,
            examples=gone[:_EXAMPLES],
        )


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
        figures=_figures(comparison, comparison.scored, seed=seed),
        groups=[
            GroupFigures(
                group=name,
                queries=len(members),
                figures=_figures(comparison, members, seed=seed),
            )
            for name, members in groups(comparison.scored).items()
        ],
        worse_count=int((changes < 0).sum()),
        better_count=int((changes > 0).sum()),
        worse=worse,
        lost=comparison.lost(k=comparison.evaluation.k),
        agreement=_agreement(comparison),
        baseline=_side(comparison, comparison.baseline),
        candidate=_side(comparison, comparison.candidate),
        policy_version=policy_version,
        gates=gates,
    )


def _figures(comparison: Comparison, queries: Sequence[Query], *, seed: int) -> list[Figure]:
    if not queries:
        return []
    measures = comparison.measures
    differences = comparison.differences(measures, queries)
    means = statistics.resampled_means(differences, seed=seed)
    chances = statistics.sign_flip(differences, seed=seed)
    detectable = statistics.detectable(differences)
    found = []
    for place, measure in enumerate(measures):
        bounds = statistics.interval(means[:, place])
        least = float(detectable[place])
        baseline = _mean(comparison.baseline_scores[measure], queries)
        candidate = _mean(comparison.candidate_scores[measure], queries)
        found.append(
            Figure(
                measure=str(measure),
                queries=len(queries),
                baseline=baseline,
                candidate=candidate,
                difference=candidate - baseline,
                low=bounds.low,
                high=bounds.high,
                p=float(chances[place]),
                detectable=least if math.isfinite(least) else None,
            )
        )
    return found


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
