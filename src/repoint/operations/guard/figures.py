"""The outcome of a figure: compared with its limit, and how sure that is.

Pure: the same figures give the same outcome. Every function returns what ``judging`` makes
trigger results of; ``bench/bench_guard.py`` calls them with simulated days.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Final

import numpy as np

from repoint.domain.document import Json
from repoint.domain.gates import Outcome
from repoint.domain.policy import Policy
from repoint.domain.triggers import (
    CanaryTrigger,
    CitationsTrigger,
    EmptyAnswersTrigger,
    GroundednessTrigger,
    IndexRecallTrigger,
    LatencyTrigger,
    MissingDocumentsTrigger,
    ModelDriftTrigger,
    NoData,
    ProviderErrorsTrigger,
    RelevanceTrigger,
    Trigger,
)
from repoint.operations.evaluate import betting
from repoint.operations.evaluate.statistics import Floats
from repoint.operations.guard.traffic import Latencies, Traffic

#: So many times beyond its noise band no probe gets by chance.
FAR: Final = 10.0
#: The share of probes that a model may get a little beyond the band.
ASTRAY: Final = 0.05
#: What is named p50 and p95 must hold this share of all answers.
_SHARES: Final[Mapping[str, float]] = {"p50": 0.5, "p95": 0.95}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One figure's outcome."""

    outcome: Outcome
    summary: str
    figures: Mapping[str, Json] = field(default_factory=dict)
    #: Tells a trigger's figures apart: a group, a limit; empty for its only one.
    part: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """How sure a failure must be at this look."""

    #: What the logarithm of a bettor's fortune must reach.
    log_fortune: float
    #: Standard errors that a fallback's own figure is given, once for a whole watch.
    margin: float


def bar(policy: Policy, look: int, *, groups: int) -> Bar:
    """Return the bar of a look: half of the false alarms is for looks, half for baselines."""
    parts = max(1, sum(_parts(one, groups) for one in policy.triggers))
    half = policy.guard.false_alarm / 2
    return Bar(
        log_fortune=betting.log_bar(look, parts=parts, false_alarm=half),
        margin=NormalDist().inv_cdf(1.0 - half / parts),
    )


def _parts(trigger: Trigger, groups: int) -> int:  # noqa: PLR0911 - one line a kind
    match trigger:
        case RelevanceTrigger() | CitationsTrigger():
            return 1 + (groups if trigger.groups else 0)
        case GroundednessTrigger():
            return (trigger.minimum is not None) + (trigger.tolerance is not None)
        case LatencyTrigger():
            return len(_limits(trigger))
        case CanaryTrigger():
            return int(trigger.failed is not None)  # its verdict has a chance of its own
        case ProviderErrorsTrigger():
            return 1 + (trigger.rate_limited is not None)
        case (
            IndexRecallTrigger()
            | EmptyAnswersTrigger()
            | MissingDocumentsTrigger()
            | ModelDriftTrigger()
        ):
            return 1
        case _:
            return 0  # compared with its limit as it is


def relevance(
    trigger: RelevanceTrigger | CitationsTrigger, differences: Floats, *, part: str, bar: Bar
) -> Judged:
    """Judge a measure's differences, query by query, now minus the fallback's baseline."""
    of = f" of {part!r}" if part else ""
    count = int(differences.size)
    if count < trigger.minimum_samples:
        return _no_data(trigger, f"{count} comparable judged queries{of}", part=part)
    change = float(differences.mean())
    fortune = betting.falls_below(differences, mean=0.0, low=-1.0, high=1.0)
    return _by_fortune(
        beyond=change < -trigger.tolerance,
        fortune=fortune,
        bar=bar,
        summary=f"{trigger.measure}{of} changed by {change:+.3f} on {count} queries; "
        f"-{trigger.tolerance:.3f} is tolerated",
        figures={
            "value": round(change, 6),
            "limit": -trigger.tolerance,
            "samples": count,
        },
        part=part,
    )


def floor(trigger: GroundednessTrigger, shares: Floats, minimum: float, *, bar: Bar) -> Judged:
    """Judge the supported shares of answers against the trigger's floor."""
    count = int(shares.size)
    if count < trigger.minimum_samples:
        return _no_data(trigger, f"{count} judged answers", part="minimum")
    mean = float(shares.mean())
    return _by_fortune(
        beyond=mean < minimum,
        fortune=betting.falls_below(shares, mean=minimum, low=0.0, high=1.0),
        bar=bar,
        summary=f"{mean:.1%} of what {count} answers say is supported, at least {minimum:.1%}",
        figures={"value": round(mean, 6), "limit": minimum, "samples": count},
        part="minimum",
    )


def groundedness(
    trigger: GroundednessTrigger, differences: Floats, tolerance: float, *, bar: Bar
) -> Judged:
    """Judge answers' differences, now minus the fallback's judged run."""
    count = int(differences.size)
    if count < trigger.minimum_samples:
        return _no_data(trigger, f"{count} answers that were judged for both")
    change = float(differences.mean())
    return _by_fortune(
        beyond=change < -tolerance,
        fortune=betting.falls_below(differences, mean=0.0, low=-1.0, high=1.0),
        bar=bar,
        summary=f"groundedness changed by {change:+.3f} on {count} answers; "
        f"-{tolerance:.3f} is tolerated",
        figures={"value": round(change, 6), "limit": -tolerance, "samples": count},
    )


def index_recall(trigger: IndexRecallTrigger, shares: Sequence[float], *, bar: Bar) -> Judged:
    """Judge the shares of exact search's first documents that the index found, by query."""
    if len(shares) < trigger.minimum_samples:
        return _no_data(trigger, f"{len(shares)} queries with an exact answer")
    values = np.asarray(shares, dtype=np.float64)
    mean = float(values.mean())
    return _by_fortune(
        beyond=mean < trigger.minimum,
        fortune=betting.falls_below(values, mean=trigger.minimum, low=0.0, high=1.0),
        bar=bar,
        summary=f"the index finds {mean:.1%} of exact search's first {trigger.k}, at least "
        f"{trigger.minimum:.1%}",
        figures={"value": round(mean, 6), "limit": trigger.minimum, "samples": len(shares)},
    )


def latency(
    trigger: LatencyTrigger, now: Traffic, before: Traffic | None, *, bar: Bar
) -> list[Judged]:
    """Judge every limit of a latency trigger."""
    return [
        _latency(trigger, name, now.latencies, before, bar=bar) for name in _limits(trigger)
    ]


def rate(  # noqa: PLR0913 - the figure, its limit, how sure
    trigger: Trigger,
    what: str,
    *,
    count: int,
    total: int,
    share: float,
    minimum: int,
    bar: Bar,
    part: str = "",
) -> Judged:
    """Judge how many of all are something that only a share of them may be."""
    if total < minimum:
        return _no_data(trigger, f"{total} samples, fewer than {minimum}", part=part)
    return _by_fortune(
        beyond=count > share * total,
        fortune=betting.rises_above(count, total, share=share),
        bar=bar,
        summary=f"{count} of {total} {what} ({count / total:.1%}), at most {share:.1%}",
        figures={"value": round(count / total, 6), "limit": share, "samples": total},
        part=part,
    )


def drift(
    trigger: ModelDriftTrigger, *, probes: int, beyond: int, times: float, said: str, bar: Bar
) -> Judged:
    """Judge how many probes are off, and by how many times the noise band at most.

    A model that is not quite the same twice goes a little beyond a band that was measured in
    a few rounds, now and then; one that was changed goes far beyond it, or with all probes.
    """
    exact = {"value": round(times, 3), "limit": FAR}
    if times > FAR:
        return Judged(outcome=Outcome.FAIL, summary=said, figures=exact)
    if not beyond:
        return Judged(outcome=Outcome.PASS, summary=said, figures=exact)
    return rate(
        trigger,
        f"probes are off, by {times:.1f} times the noise band at most",
        count=beyond,
        total=probes,
        share=ASTRAY,
        minimum=1,
        bar=bar,
    )


def exactly(value: float, limit: float, *, most: bool, summary: str, part: str = "") -> Judged:
    """Compare a figure that is known as it is: at most, or at least, its limit."""
    holds = value <= limit if most else value >= limit
    return Judged(
        outcome=Outcome.PASS if holds else Outcome.FAIL,
        summary=summary,
        figures={"value": value, "limit": limit},
        part=part,
    )


def no_data(trigger: Trigger, why: str, *, part: str = "") -> Judged:
    """Return what the trigger declares for too little to look at."""
    return _no_data(trigger, why, part=part)


def nothing_to_compare(why: str, *, part: str = "") -> Judged:
    """Return what is said where there is no fallback, or nothing of it was measured."""
    return Judged(outcome=Outcome.INCONCLUSIVE, summary=why, part=part)


def _limits(trigger: LatencyTrigger) -> list[str]:
    named = ("p50_ms", "p95_ms", "p50_ratio", "p95_ratio")
    return [name for name in named if getattr(trigger, name) is not None]


def _latency(
    trigger: LatencyTrigger,
    name: str,
    now: Latencies,
    before: Traffic | None,
    *,
    bar: Bar,
) -> Judged:
    share, limit = _SHARES[name[:3]], float(getattr(trigger, name))
    part = name.replace("_", "-")
    if now.count < trigger.minimum_samples:
        return _no_data(
            trigger, f"{now.count} answers, fewer than {trigger.minimum_samples}", part=part
        )
    said = f"at most {limit:g} ms"
    if name.endswith("_ratio"):
        if before is None or before.latencies.count < trigger.minimum_samples:
            return nothing_to_compare(
                "too few answers of the fallback were measured", part=part
            )
        base = _surely(before.latencies, share, margin=bar.margin)
        said = f"at most {limit:g} times the fallback's {base:.1f} ms"
        limit *= base
    value = now.quantile(share)
    slower = now.count - now.at_most(limit)
    return _by_fortune(
        beyond=value > limit,
        fortune=betting.rises_above(slower, now.count, share=1.0 - share),
        bar=bar,
        summary=f"{name[:3]} is {value:.1f} ms on {now.count} answers, {said}",
        figures={"value": round(value, 3), "limit": round(limit, 3), "samples": now.count},
        part=part,
    )


def _surely(latencies: Latencies, share: float, *, margin: float) -> float:
    """Return what a quantile is at most, but for a chance that the margin stands for."""
    error = math.sqrt(share * (1.0 - share) / latencies.count)
    return latencies.quantile(min(1.0, share + margin * error))


def _by_fortune(
    *,
    beyond: bool,
    fortune: float,
    bar: Bar,
    summary: str,
    figures: Mapping[str, Json],
    part: str = "",
) -> Judged:
    if not beyond:
        outcome = Outcome.PASS
    elif fortune >= bar.log_fortune:
        outcome = Outcome.FAIL
    else:
        outcome = Outcome.INCONCLUSIVE
        summary += "; chance is not ruled out yet"
    evidence = round(min(fortune, 1e6), 3)
    return Judged(
        outcome=outcome,
        summary=summary,
        figures={**figures, "log_evidence": evidence, "log_bar": round(bar.log_fortune, 3)},
        part=part,
    )


def _no_data(trigger: Trigger, why: str, *, part: str = "") -> Judged:
    fails = trigger.no_data is NoData.FAIL
    return Judged(
        outcome=Outcome.FAIL if fails else Outcome.INCONCLUSIVE,
        summary=f"{why}: no data" + (", which is declared a failure" if fails else ""),
        part=part,
    )
