"""From a comparison to the outcomes of a policy's gates, each with its figure."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from repoint.domain.errors import BadInputError
from repoint.domain.evaluation import index_recall, latency
from repoint.domain.gates import GateResult, Outcome
from repoint.domain.grounding import Grounding
from repoint.domain.measures import Measure
from repoint.domain.policy import (
    CitationsGate,
    CostGate,
    EmptyAnswersGate,
    Gate,
    GroundednessGate,
    IndexRecallGate,
    LatencyGate,
    LostDocumentsGate,
    Policy,
    RecallGate,
    RelevanceGate,
)
from repoint.operations.evaluate import answers
from repoint.operations.evaluate.comparison import Comparison
from repoint.operations.evaluate.holding import Compared, held


def measures_of(policy: Policy) -> list[Measure]:
    """Return the measures that a policy's gates look at.

    Raises:
        BadInputError: a gate names none.
    """
    return [
        Measure.parse(gate.measure)
        for gate in policy.gates
        if isinstance(gate, RelevanceGate | CitationsGate | RecallGate)
    ]


def judge(comparison: Comparison, policy: Policy, *, seed: int) -> list[GateResult]:
    """Return the outcome of every gate, groups one by one."""
    results: list[GateResult] = []
    for gate in policy.gates:
        results += _judged(comparison, gate, seed=seed)
    return results


def _judged(comparison: Comparison, gate: Gate, *, seed: int) -> list[GateResult]:  # noqa: C901, PLR0911 - one line a kind
    match gate:
        case RelevanceGate() | CitationsGate():
            return _relevance(comparison, gate, seed=seed)
        case GroundednessGate():
            return _groundedness(comparison, gate, seed=seed)
        case RecallGate():
            return [_recall(comparison, gate)]
        case IndexRecallGate():
            return [_index_recall(comparison, gate)]
        case LatencyGate():
            return _latency(comparison, gate)
        case CostGate():
            return _cost(comparison, gate)
        case LostDocumentsGate():
            return [_lost(comparison, gate)]
        case EmptyAnswersGate():
            return [_empty(comparison, gate)]
        case _ as never:
            assert_never(never)


def _relevance(
    comparison: Comparison, gate: RelevanceGate | CitationsGate, *, seed: int
) -> list[GateResult]:
    try:
        measure = Measure.parse(gate.measure)
    except BadInputError as error:
        return [_error(gate.gate, error.message)]
    questions = comparison.queries.questions
    compared = Compared(
        gate=gate.gate,
        measure=str(measure),
        queries=questions.scored_by(measure),
        asked=questions.queries,
        query_set=comparison.evaluation.query_set,
        lacks=_lacks(measure),
        values=lambda queries: comparison.values([measure], queries),
    )
    return held(compared, gate, seed=seed)


def _lacks(measure: Measure) -> str:
    return "query with expected citations" if measure.is_of_citations else "judged query"


def _groundedness(
    comparison: Comparison, gate: GroundednessGate, *, seed: int
) -> list[GateResult]:
    found = answers.pairs(comparison)
    now = found.candidate
    if now is None or (gate.judge and now.judge != gate.judge):
        why = found.why if now is None else f"{now.judge} judged, not {gate.judge}"
        return [_error(gate.gate, f"{why}: evaluate with --judge {gate.judge or 'NAME'}")]
    floor: list[GateResult] = []
    if gate.minimum is not None:
        floor = [_grounded(gate, gate.minimum, now)]
    if found.why or found.baseline is None:
        return [*floor, _error(gate.gate, found.why)]
    without = max((now, found.baseline), key=lambda one: one.failed_share)
    if without.failed_share > gate.failed:
        return [*floor, _error(gate.gate, _unjudged(without, gate))]
    compared = Compared(
        gate=gate.gate,
        measure=answers.GROUNDEDNESS,
        queries=found.queries,
        asked=comparison.queries.questions.queries,
        query_set=comparison.evaluation.query_set,
        lacks="answer that was judged",
        values=found.values,
    )
    return [*floor, *held(compared, gate, seed=seed)]


def _grounded(gate: GroundednessGate, minimum: float, now: Grounding) -> GateResult:
    name = f"{gate.gate}:minimum"
    if now.failed_share > gate.failed:
        return _error(name, _unjudged(now, gate))
    value, count = now.mean, len(now.verdicts)
    if value is None:
        return _no_data(name, "no answer was judged")
    judged = _bounded(
        name,
        value >= minimum,
        f"{value:.1%} of what {count} answers say is supported, at least {minimum:.1%}",
        value=value,
        limit=minimum,
    )
    if count >= gate.minimum_queries:
        return judged
    why = f"{judged.summary}; {count} answers are fewer than {gate.minimum_queries}"
    return replace(judged, outcome=Outcome.INCONCLUSIVE, summary=why)


def _unjudged(now: Grounding, gate: GroundednessGate) -> str:
    return (
        f"{len(now.failed)} of {now.asked} answers have no verdict, at most {gate.failed:.0%} "
        f"may; for instance: {next(iter(now.failed.values()), '')}"
    )


def _recall(comparison: Comparison, gate: RecallGate) -> GateResult:
    try:
        measure = Measure.parse(gate.measure)
    except BadInputError as error:
        return GateResult(gate=gate.gate, outcome=Outcome.ERROR, summary=error.message)
    values = comparison.candidate_scores[measure].values()
    if not values:
        return GateResult(
            gate=gate.gate,
            outcome=Outcome.INCONCLUSIVE,
            summary=f"no {_lacks(measure)}: no data is no pass",
        )
    value = sum(values) / len(values)
    return _bounded(
        gate.gate,
        value >= gate.minimum,
        f"{measure} is {value:.3f}, at least {gate.minimum}",
        value=value,
        limit=gate.minimum,
    )


def _index_recall(comparison: Comparison, gate: IndexRecallGate) -> GateResult:
    value = index_recall(comparison.candidate, k=gate.k)
    if value is None:
        return _error(gate.gate, "exact search was not asked beside the index")
    return _bounded(
        gate.gate,
        value >= gate.minimum,
        f"the index finds {value:.1%} of exact search's first {gate.k}, at least "
        f"{gate.minimum:.1%}",
        value=value,
        limit=gate.minimum,
    )


def _latency(comparison: Comparison, gate: LatencyGate) -> list[GateResult]:
    now, before = latency(comparison.candidate), latency(comparison.baseline)
    if now is None:
        return [_no_data(gate.gate, "no question was answered")]
    results = []
    for name in ("p50", "p95", "p99"):
        limit: float | None = getattr(gate, f"{name}_ms")
        value: float = getattr(now.total, name)
        if limit is not None:
            results.append(
                _bounded(
                    f"{gate.gate}:{name}",
                    value <= limit,
                    f"{name} is {value:.1f} ms, at most {limit:g} ms",
                    value=value,
                    limit=limit,
                )
            )
    if gate.p95_ratio is not None:
        if before is None or before.total.p95 <= 0:
            results.append(_error(f"{gate.gate}:p95-ratio", "the baseline has no latency"))
        else:
            ratio = now.total.p95 / before.total.p95
            results.append(
                _bounded(
                    f"{gate.gate}:p95-ratio",
                    ratio <= gate.p95_ratio,
                    f"p95 is {ratio:.2f} times the baseline's {before.total.p95:.1f} ms, at "
                    f"most {gate.p95_ratio:g}",
                    value=ratio,
                    limit=gate.p95_ratio,
                )
            )
    return results


def _cost(comparison: Comparison, gate: CostGate) -> list[GateResult]:
    now = comparison.candidate.cost
    before = comparison.baseline.cost
    mine = now.per_thousand(len(comparison.candidate.stages))
    theirs = before.per_thousand(len(comparison.baseline.stages))
    results = []
    if gate.per_thousand_queries is not None:
        name, limit = f"{gate.gate}:per-thousand-queries", gate.per_thousand_queries
        results.append(
            _error(name, "the candidate's spec names no price")
            if mine is None
            else _bounded(
                name,
                mine <= limit,
                f"a thousand questions cost {mine:.4g}, at most {limit:g}",
                value=mine,
                limit=limit,
            )
        )
    if gate.ratio is not None:
        name = f"{gate.gate}:ratio"
        results.append(
            _error(name, "a spec names no price to compare")
            if mine is None or not theirs
            else _bounded(
                name,
                mine / theirs <= gate.ratio,
                f"questions cost {mine / theirs:.2f} times the baseline's, at most "
                f"{gate.ratio:g}",
                value=mine / theirs,
                limit=gate.ratio,
            )
        )
    if gate.storage_ratio is not None:
        name = f"{gate.gate}:storage-ratio"
        if not before.vector_bytes:
            results.append(_error(name, "the baseline stores no vector"))
        else:
            ratio = now.vector_bytes / before.vector_bytes
            results.append(
                _bounded(
                    name,
                    ratio <= gate.storage_ratio,
                    f"vectors take {ratio:.2f} times the baseline's, at most "
                    f"{gate.storage_ratio:g}",
                    value=ratio,
                    limit=gate.storage_ratio,
                )
            )
    return results


def _lost(comparison: Comparison, gate: LostDocumentsGate) -> GateResult:
    found = comparison.lost(k=gate.k)
    kind = "relevant documents" if found.relevant_only else "documents"
    if found.share is None:
        return _no_data(gate.gate, f"the baseline found no {kind}")
    return _bounded(
        gate.gate,
        found.share <= gate.share,
        f"{found.lost} of {found.before} {kind} that the baseline finds among its first "
        f"{gate.k} are nowhere ({found.share:.1%}), at most {gate.share:.1%}",
        value=found.share,
        limit=gate.share,
    )


def _empty(comparison: Comparison, gate: EmptyAnswersGate) -> GateResult:
    run = comparison.candidate
    return _bounded(
        gate.gate,
        run.empty <= gate.count,
        f"{run.empty} of {len(run.ranked)} questions get no document, at most {gate.count}",
        value=run.empty,
        limit=gate.count,
    )


def _bounded(
    name: str,
    holds: bool,  # noqa: FBT001 - the verdict itself
    summary: str,
    *,
    value: float,
    limit: float,
) -> GateResult:
    outcome = Outcome.PASS if holds else Outcome.FAIL
    return GateResult(
        gate=name, outcome=outcome, summary=summary, figures={"value": value, "limit": limit}
    )


def _error(name: str, why: str) -> GateResult:
    return GateResult(gate=name, outcome=Outcome.ERROR, summary=why)


def _no_data(name: str, why: str) -> GateResult:
    return GateResult(gate=name, outcome=Outcome.FAIL, summary=f"{why}: no data is no pass")
