"""Gates that a measure must hold: it may not fall, over all queries or in any group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from repoint.domain.document import Json
from repoint.domain.gates import Change, GateResult, Outcome, not_worse
from repoint.domain.queries import Query, groups
from repoint.operations.evaluate import statistics
from repoint.operations.evaluate.statistics import Floats

#: How often a gate may call a loss what is none, over all its parts together.
FALSE_ALARM: Final = 0.005


class Rule(Protocol):
    """What such a gate declares."""

    @property
    def tolerance(self) -> float:
        """How far the mean may fall, as a difference."""
        ...

    @property
    def groups(self) -> bool:
        """Whether each group must hold it too."""
        ...

    @property
    def confidence(self) -> float:
        """How sure a pass must be."""
        ...

    @property
    def minimum_queries(self) -> int:
        """With fewer queries nothing can be told."""
        ...


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
    #: Candidate minus baseline, one row a query.
    differences: Callable[[Sequence[Query]], Floats]


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
    return [
        _part(compared, rule, name, queries, parts=len(parts), seed=seed)
        for name, queries in parts
    ]


def _part(
    compared: Compared,
    rule: Rule,
    group: str,
    queries: Sequence[Query],
    *,
    parts: int,
    seed: int,
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
    differences = compared.differences(queries)
    change = _change(differences, rule, parts=parts, seed=seed)
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
        wanted = _wanted(differences, change, rule, parts=parts)
        figures["queries_needed"] = wanted
        summary += f"; about {wanted:,} queries would tell" if wanted else ""
    return GateResult(gate=name, outcome=outcome, summary=summary, figures=figures)


def _change(differences: Floats, rule: Rule, *, parts: int, seed: int) -> Change:
    """Return the difference with its interval, and with the bound that makes a loss sure.

    All parts must pass, so each may pass at the gate's own level. Any part may fail, so the
    chance of a false alarm is shared between them (Bonferroni): whoever looks at ten groups
    must not see a loss in one of them by chance ten times as often.
    """
    means = statistics.resampled_means(differences, seed=seed)[:, 0]
    passing = statistics.interval(means, level=rule.confidence)
    return Change(
        difference=float(differences.mean()),
        low=passing.low,
        high=passing.high,
        fail_high=statistics.upper_bound(differences, chance=FALSE_ALARM / parts),
    )


def _wanted(differences: Floats, change: Change, rule: Rule, *, parts: int) -> int | None:
    """Return how many queries would turn the doubt into a pass or a failure."""
    rows = differences.shape[0]
    if rows < 2:  # noqa: PLR2004 - one value has no spread
        return rule.minimum_queries
    spread = float(differences.std(ddof=1))
    if change.difference >= -rule.tolerance:
        effect, level = change.difference + rule.tolerance, rule.confidence
    else:
        effect, level = change.difference, 1.0 - 2.0 * FALSE_ALARM / parts
    wanted = statistics.needed(spread, effect=effect, level=level)
    return None if wanted is None else max(wanted, rule.minimum_queries)
