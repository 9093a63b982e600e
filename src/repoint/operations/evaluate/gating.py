"""From a comparison to the outcomes of a policy's gates, each with its figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

import numpy as np

from repoint.domain.document import Json
from repoint.domain.errors import BadInputError
from repoint.domain.evaluation import index_recall, latency
from repoint.domain.gates import Change, GateResult, Outcome, not_worse
from repoint.domain.measures import Measure
from repoint.domain.policy import (
    CostGate,
    EmptyAnswersGate,
    Gate,
    IndexRecallGate,
    LatencyGate,
    LostDocumentsGate,
    Policy,
    RecallGate,
    RelevanceGate,
)
from repoint.domain.queries import Query, groups
from repoint.operations.evaluate import statistics
from repoint.operations.evaluate.comparing import Comparison
from repoint.operations.evaluate.planning import FALSE_ALARM, Plan, plan


def measures_of(policy: Policy) -> list[Measure]:
    """Return the measures that a policy's gates look at.

    Raises:
        BadInputError: a gate names none.
    """
    return [
        Measure.parse(gate.measure)
        for gate in policy.gates
        if isinstance(gate, RelevanceGate | RecallGate)
    ]


def judge(comparison: Comparison, policy: Policy, *, seed: int) -> list[GateResult]:
    """Return the outcome of every gate, groups one by one."""
    results: list[GateResult] = []
    for gate in policy.gates:
        results += _judged(comparison, gate, seed=seed)
    return results


def _judged(comparison: Comparison, gate: Gate, *, seed: int) -> list[GateResult]:  # noqa: PLR0911 - one line a kind
    match gate:
        case RelevanceGate():
            return _relevance(comparison, gate, seed=seed)
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


def _relevance(comparison: Comparison, gate: RelevanceGate, *, seed: int) -> list[GateResult]:
    parts: list[tuple[str, Sequence[Query]]] = [("", comparison.scored)]
    if gate.groups:
        found = groups(comparison.queries.questions.queries)
        scored = {query.id for query in comparison.scored}
        parts += [
            (name, [query for query in members if query.id in scored])
            for name, members in found.items()
        ]
        if not found:
            return [
                GateResult(
                    gate=gate.gate,
                    outcome=Outcome.FAIL,
                    summary=f"query set {comparison.evaluation.query_set} has no groups",
                )
            ]
    return [
        _part(comparison, gate, name, queries, parts=len(parts), seed=seed)
        for name, queries in parts
    ]


def _part(
    comparison: Comparison,
    gate: RelevanceGate,
    group: str,
    queries: Sequence[Query],
    *,
    parts: int,
    seed: int,
) -> GateResult:
    name = f"{gate.gate}:{group}" if group else gate.gate
    of = f" of {group!r}" if group else ""
    if not queries:
        # Of a set without any judgement nothing can be said; of one that has some, a group
        # without is a gap that somebody left.
        unjudged = not comparison.scored
        return GateResult(
            gate=name,
            outcome=Outcome.INCONCLUSIVE if unjudged else Outcome.FAIL,
            summary=f"no judged query{of}: no data is no pass",
        )
    try:
        measure = Measure.parse(gate.measure)
    except BadInputError as error:
        return GateResult(gate=name, outcome=Outcome.ERROR, summary=error.message)
    differences = comparison.differences([measure], queries)
    change = _change(differences, gate, parts=parts, seed=seed)
    outcome = not_worse(change, tolerance=gate.tolerance)
    if len(queries) < gate.minimum_queries:
        outcome = Outcome.INCONCLUSIVE
    figures: dict[str, Json] = {
        "measure": str(measure),
        "queries": len(queries),
        "difference": change.difference,
        "low": change.low,
        "high": change.high,
        "fail_high": change.fail_high,
        "tolerance": gate.tolerance,
    }
    summary = (
        f"{measure}{of} changes by {change.difference:+.3f} "
        f"[{change.low:+.3f}, {change.high:+.3f}] on {len(queries)} queries; "
        f"{-gate.tolerance:+.3f} is tolerated"
    )
    if outcome is Outcome.INCONCLUSIVE:
        baseline = comparison.baseline_scores[measure]
        before = np.array([baseline[query.id] for query in queries])
        wanted = plan(differences[:, 0], before, gate, parts=parts)
        figures["queries_needed"] = wanted.needed
        figures["queries_to_catch"] = wanted.catching
        figures["queries_to_pass"] = wanted.passing
        summary += _would_tell(wanted, gate)
    return GateResult(gate=name, outcome=outcome, summary=summary, figures=figures)


def _change(
    differences: statistics.Floats, gate: RelevanceGate, *, parts: int, seed: int
) -> Change:
    """Return the difference with its interval, and with the bound that makes a loss sure.

    All parts must pass, so each may pass at the gate's own level. Any part may fail, so the
    chance of a false alarm is shared between them (Bonferroni): whoever looks at ten groups
    must not see a loss in one of them by chance ten times as often.
    """
    means = statistics.resampled_means(differences, seed=seed)[:, 0]
    passing = statistics.interval(means, level=gate.confidence)
    return Change(
        difference=float(differences.mean()),
        low=passing.low,
        high=passing.high,
        fail_high=statistics.upper_bound(differences, chance=FALSE_ALARM / parts),
    )


def _would_tell(wanted: Plan, gate: RelevanceGate) -> str:
    told = []
    if wanted.catching is not None:
        told.append(f"{wanted.catching:,} queries would catch a loss of {gate.loss:.1%}")
    if wanted.passing is not None:
        told.append(f"{wanted.passing:,} would pass an equal release")
    return "; " + ", ".join(told) if told else ""


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
            summary="no judged query: no data is no pass",
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
