"""Two runs over one version of a query set, scored: what gates and reports are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from repoint.domain.evaluation import Evaluation, Run, lost
from repoint.domain.measures import Measure, of_citations, standard
from repoint.domain.queries import Query, QuerySet, groups, relevant
from repoint.operations.evaluate.pairing import figures_of
from repoint.operations.evaluate.scoring import Scores, score
from repoint.operations.evaluate.statistics import Floats
from repoint.operations.evaluate.values import Figure, GroupFigures, Lost, LostDocument

#: Examples that a report shows of what was lost.
_EXAMPLES: Final = 20


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
        questions = queries.questions
        sources = of_citations(candidate.passages or evaluation.k) if questions.cited() else ()
        wanted = tuple(dict.fromkeys((*standard(evaluation.k), *sources, *measures)))
        return Comparison(
            evaluation=evaluation,
            queries=queries,
            baseline=baseline,
            candidate=candidate,
            baseline_scores=score(questions, baseline.ranked, wanted, astray=baseline.astray),
            candidate_scores=score(
                questions, candidate.ranked, wanted, astray=candidate.astray
            ),
            scored=questions.scored(),
        )

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The standard measures, the one that counts most first."""
        return standard(self.evaluation.k)

    def differences(self, measures: Sequence[Measure], queries: Sequence[Query]) -> Floats:
        """Return candidate minus baseline: a row a query, a column a measure."""
        before, now = self.values(measures, queries)
        return now - before

    def values(
        self, measures: Sequence[Measure], queries: Sequence[Query]
    ) -> tuple[Floats, Floats]:
        """Return both releases' values: a row a query, a column a measure."""

        def of(scores: Scores) -> Floats:
            rows = [[scores[one][query.id] for one in measures] for query in queries]
            return np.array(rows, dtype=np.float64).reshape(len(queries), len(measures))

        return of(self.baseline_scores), of(self.candidate_scores)

    def figures(
        self, measures: Sequence[Measure], queries: Sequence[Query], *, seed: int
    ) -> list[Figure]:
        """Return each measure of both, and what the difference is worth; none of no query."""
        before, now = self.values(measures, queries)
        return figures_of([str(one) for one in measures], before, now, seed=seed)

    def figures_by_group(
        self, measures: Sequence[Measure], queries: Sequence[Query], *, seed: int
    ) -> list[GroupFigures]:
        """Return the same within each group."""
        return [
            GroupFigures(
                group=name,
                queries=len(members),
                figures=self.figures(measures, members, seed=seed),
            )
            for name, members in groups(queries).items()
        ]

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
