"""Scores by ir-measures: each query of a run against its judgements.

What a release answers is an order, so it is scored as one: the scores given to trec_eval
fall with the rank, and ties cannot be broken in another way than the release did. A judged
query that got no answer, or was refused, counts 0 and never drops out of the mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from repoint.domain.evaluation import Astray, Rankings
from repoint.domain.expected import compared
from repoint.domain.ids import QueryId
from repoint.domain.measures import Measure, MeasureKind
from repoint.domain.queries import Questions

if TYPE_CHECKING:
    import ir_measures

#: A measure's value for each query that can be scored.
Scores = Mapping[Measure, Mapping[QueryId, float]]


_NOWHERE: Final[Astray] = MappingProxyType({})


def score(
    questions: Questions,
    ranked: Rankings,
    measures: Sequence[Measure],
    *,
    astray: Astray = _NOWHERE,
) -> Scores:
    """Return each measure's value for each query that has one.

    Measures of relevance have one where a document is judged relevant, those of citations
    where some are expected; ``astray`` are found documents of which another part was expected.
    """
    values = _relevance(questions, ranked, [one for one in measures if not one.is_of_citations])
    for measure in measures:
        if measure.is_of_citations:
            values[measure] = _citations(questions, ranked, measure, astray=astray)
    return values


def _citations(
    questions: Questions, ranked: Rankings, measure: Measure, *, astray: Astray
) -> dict[QueryId, float]:
    found: dict[QueryId, float] = {}
    for query in questions.cited():
        cited = compared(
            ranked.get(query.id, ())[: measure.depth],
            questions.expected[query.id],
            astray=astray.get(query.id, frozenset()),
        )
        match measure.kind:
            case MeasureKind.CITATION_PRECISION:
                found[query.id] = cited.precision
            case MeasureKind.CITATION_RECALL:
                found[query.id] = cited.recall
            case _:
                found[query.id] = cited.f1
    return found


def _relevance(
    questions: Questions, ranked: Rankings, measures: Sequence[Measure]
) -> dict[Measure, dict[QueryId, float]]:
    if not measures:
        return {}
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
    if not run:
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
