"""Gates that a measure must hold: it may not fall, over all queries or in any group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from repoint.domain.document import Json
from repoint.domain.gates import Change, GateResult, Outcome, not_worse
from repoint.domain.queries import Query, groups
from repoint.operations.evaluate import betting, statistics
from repoint.operations.evaluate.planning import (
    Plan,
    Rule,
    chance_of_failure,
    plan,
    spread_of,
)
from repoint.operations.evaluate.statistics import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One measure of two runs."""

    gate: str
    measure: str
    #: The queries that have a value of both.
    queries: Sequence[Query]
    #: All queries of the set: their groups are those that count.
    asked: Sequence[Query]
    query_set: str
    #: What a query without a value lacks, in words: "judged query".
    lacks: str
    #: Baseline's and candidate's values, one row a query.
    values: Callable[[Sequence[Query]], tuple[Floats, Floats]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shared:
    """What all parts of a gate have in common."""

    parts: int
    #: What the differences' standard deviation lies below, over all queries.
    spread: float
    seed: int


def held(compared: Compared, rule: Rule, *, seed: int) -> list[GateResult]:
    """Return the outcome over all queries and, where the gate asks for it, of each group."""
    parts: list[tuple[str, Sequence[Query]]] = [("", compared.queries)]
    if rule.groups:
        found = groups(compared.asked)
        if not found:
            return [
                GateResult(
                    gate=compared.gate,
                    outcome=Outcome.FAIL,
                    summary=f"query set {compared.query_set} has no groups",
                )
            ]
        valued = {query.id for query in compared.queries}
        parts += [
            (name, [query for query in members if query.id in valued])
            for name, members in found.items()
        ]
    spread = 0.0
    if compared.queries:
        before, now = compared.values(compared.queries)
        spread = spread_of((now - before)[:, 0])
    shared = _Shared(parts=len(parts), spread=spread, seed=seed)
    return [_part(compared, rule, name, queries, shared) for name, queries in parts]


def _part(
    compared: Compared, rule: Rule, group: str, queries: Sequence[Query], shared: _Shared
) -> GateResult:
    name = f"{compared.gate}:{group}" if group else compared.gate
    of = f" of {group!r}" if group else ""
    if not queries:
        # Of a set without any value nothing can be said; of one that has some, a group
        # without is a gap that somebody left.
        return GateResult(
            gate=name,
            outcome=Outcome.FAIL if compared.queries else Outcome.INCONCLUSIVE,
            summary=f"no {compared.lacks}{of}: no data is no pass",
        )
    before, now = compared.values(queries)
    differences = now - before
    change = _change(differences, rule, parts=shared.parts, seed=shared.seed)
    outcome = not_worse(change, tolerance=rule.tolerance)
    if len(queries) < rule.minimum_queries:
        outcome = Outcome.INCONCLUSIVE
    figures: dict[str, Json] = {
        "measure": compared.measure,
        "queries": len(queries),
        "difference": change.difference,
        "low": change.low,
        "high": change.high,
        "fail_high": change.fail_high,
        "tolerance": rule.tolerance,
    }
    summary = (
        f"{compared.measure}{of} changes by {change.difference:+.3f} "
        f"[{change.low:+.3f}, {change.high:+.3f}] on {len(queries)} queries; "
        f"{-rule.tolerance:+.3f} is tolerated"
    )
    if outcome is Outcome.INCONCLUSIVE:
        wanted = plan(
            differences[:, 0], before[:, 0], rule, parts=shared.parts, at_least=shared.spread
        )
        figures["queries_needed"] = wanted.needed
        figures["queries_to_catch"] = wanted.catching
        figures["queries_to_pass"] = wanted.passing
        summary += _would_tell(wanted, rule)
    return GateResult(gate=name, outcome=outcome, summary=summary, figures=figures)


def _change(differences: Floats, rule: Rule, *, parts: int, seed: int) -> Change:
    """Return the difference with its interval, and with the bound that makes a loss sure.

    All parts must pass, so each may pass at the gate's own level. Any part may fail, so the
    chance of a false alarm is shared between them (Bonferroni): whoever looks at ten groups
    must not see a loss in one of them by chance ten times as often. The bound that makes a
    loss sure assumes nothing but that a measure lies between 0 and 1: where few queries gain
    much and many lose a little, a bound for normal samples is too narrow.
    """
    means = statistics.resampled_means(differences, seed=seed)[:, 0]
    passing = statistics.interval(means, level=rule.confidence)
    return Change(
        difference=float(differences.mean()),
        low=passing.low,
        high=passing.high,
        fail_high=betting.upper_bound(
            differences[:, 0], chance=chance_of_failure(parts), low=-1.0, high=1.0
        ),
    )


def _would_tell(wanted: Plan, rule: Rule) -> str:
    told = []
    if wanted.catching is not None:
        told.append(f"{wanted.catching:,} queries would catch a loss of {rule.loss:.1%}")
    if wanted.passing is not None:
        told.append(f"{wanted.passing:,} would pass an equal release")
    return "; " + ", ".join(told) if told else ""
