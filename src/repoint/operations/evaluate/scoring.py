"""Scores by ir-measures: each query of a run against its judgements.

What a release answers is an order, so it is scored as one: the scores given to trec_eval
fall with the rank, and ties cannot be broken in another way than the release did. A judged
query that got no answer, or was refused, counts 0 and never drops out of the mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from repoint.domain.evaluation import Rankings
from repoint.domain.ids import QueryId
from repoint.domain.measures import Measure, MeasureKind
from repoint.domain.queries import Questions

if TYPE_CHECKING:
    import ir_measures

#: A measure's value for each query that can be scored.
Scores = Mapping[Measure, Mapping[QueryId, float]]


def score(questions: Questions, ranked: Rankings, measures: Sequence[Measure]) -> Scores:
    """Return each measure's value for each query that has a relevant document."""
    import ir_measures  # noqa: PLC0415 - 60 ms that only an evaluation needs

    qrels: dict[str, dict[str, int]] = {
        query.id: {
            str(document): grade for document, grade in questions.qrels[query.id].items()
        }
        for query in questions.scored()
    }
    values: dict[Measure, dict[QueryId, float]] = {
        measure: dict.fromkeys(map(QueryId, qrels), 0.0) for measure in measures
    }
    run = {
        query: {
            str(document): float(len(ranking) - rank) for rank, document in enumerate(ranking)
        }
        for query, ranking in ranked.items()
        if query in qrels and ranking
    }
    if not run or not measures:
        return values
    named = {_theirs(measure): measure for measure in measures}
    found: Iterable[ir_measures.Metric] = ir_measures.iter_calc(list(named), qrels, run)
    for one in found:
        values[named[one.measure]][QueryId(one.query_id)] = float(one.value)
    return values


def _theirs(measure: Measure) -> ir_measures.measures.Measure:
    import ir_measures  # noqa: PLC0415 - as above

    kinds: dict[MeasureKind, ir_measures.measures.Measure] = {
        MeasureKind.NDCG: ir_measures.nDCG,
        MeasureKind.RECALL: ir_measures.R,
        MeasureKind.RECIPROCAL_RANK: ir_measures.RR,
        MeasureKind.AVERAGE_PRECISION: ir_measures.AP,
        MeasureKind.SUCCESS: ir_measures.Success,
        MeasureKind.PRECISION: ir_measures.P,
    }
    kind = kinds[measure.kind]
    return kind if measure.depth is None else kind @ measure.depth
