"""From what a look sees to the outcome of each trigger, with the figure that decided.

Figures of samples fail only where chance is ruled out over all looks together
(``betting``); figures that are known exactly are compared with their limit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, assert_never

import numpy as np

from repoint.domain.comparison import Kind
from repoint.domain.errors import (
    CorruptionError,
    DimensionsError,
    InputRejectedError,
    RepointError,
)
from repoint.domain.gates import Outcome
from repoint.domain.guarding import TriggerResult
from repoint.domain.measures import Measure
from repoint.domain.queries import Query, groups
from repoint.domain.readiness import Finding, Status
from repoint.domain.triggers import (
    AlertTrigger,
    CanaryTrigger,
    CitationsTrigger,
    CostTrigger,
    EmptyAnswersTrigger,
    GroundednessTrigger,
    IndexRecallTrigger,
    LatencyTrigger,
    MissingDocumentsTrigger,
    ModelDriftTrigger,
    PrometheusTrigger,
    ProviderErrorsTrigger,
    RelevanceTrigger,
    SearchProbesTrigger,
    Trigger,
)
from repoint.operations.guard import figures, trying
from repoint.operations.guard.benchmark import Benchmark
from repoint.operations.guard.figures import Bar, Judged
from repoint.operations.guard.grounding import Grounded
from repoint.operations.guard.sight import Sight
from repoint.operations.guard.traffic import Traffic

#: Errors that say what is wrong, rather than that nobody can tell.
_SEEN: Final = frozenset({DimensionsError.code, InputRejectedError.code})


def judge(sight: Sight) -> list[TriggerResult]:
    """Return the outcome of every trigger of the scene's policy.

    What fails to be seen is that trigger's error, and raised to nobody.
    """
    policy = sight.scene.policy
    try:
        count = sight.groups()
    except RepointError:
        count = 0  # the trigger that watches groups says why there are none
    bar = figures.bar(policy, sight.scene.look, groups=count)
    return [
        TriggerResult(
            trigger=f"{trigger.id}:{one.part}" if one.part else trigger.id,
            outcome=one.outcome,
            summary=one.summary,
            then=trigger.then,
            figures=one.figures,
        )
        for trigger in policy.triggers
        for one in _tried(trigger, sight, bar)
    ]


def _tried(trigger: Trigger, sight: Sight, bar: Bar) -> Sequence[Judged]:
    try:
        return _judged(trigger, sight, bar)
    except CorruptionError as error:  # seen well enough
        return [
            Judged(outcome=Outcome.FAIL, summary=error.message, figures={"error": error.code})
        ]
    except RepointError as error:
        why = f"it cannot be seen: {error.message}"
        return [Judged(outcome=Outcome.ERROR, summary=why, figures={"error": error.code})]
    except Exception as error:  # noqa: BLE001 - a mistake in one must not blind the others
        why = f"it cannot be seen, by a mistake in repoint: {type(error).__name__}"
        return [Judged(outcome=Outcome.ERROR, summary=why, figures={"error": "internal"})]


def _judged(trigger: Trigger, sight: Sight, bar: Bar) -> Sequence[Judged]:  # noqa: C901, PLR0911, PLR0912 - one line a kind
    match trigger:
        case RelevanceTrigger() | CitationsTrigger():
            return _relevance(trigger, sight.benchmark(), bar)
        case GroundednessTrigger():
            return _groundedness(trigger, sight.grounded(trigger), bar)
        case IndexRecallTrigger():
            return [
                figures.index_recall(trigger, _shares(sight.benchmark(), trigger.k), bar=bar)
            ]
        case LatencyTrigger():
            now = sight.traffic(trigger.of, trigger.window)
            return figures.latency(trigger, now, sight.before(trigger.of), bar=bar)
        case CostTrigger():
            return _cost(trigger, sight)
        case ProviderErrorsTrigger():
            return _provider(trigger, sight, bar)
        case MissingDocumentsTrigger():
            return _missing(trigger, sight, bar)
        case EmptyAnswersTrigger():
            return [_empty(trigger, sight, bar)]
        case SearchProbesTrigger():
            return [_searched(one) for one in sight.searches()]
        case ModelDriftTrigger():
            return [_drift(trigger, sight.probes(), bar)]
        case CanaryTrigger():
            return trying.judge(trigger, sight, bar)
        case PrometheusTrigger():
            return [_metric(trigger, sight)]
        case AlertTrigger():
            return [_alert(trigger, sight)]
        case _ as never:
            assert_never(never)


def _relevance(
    trigger: RelevanceTrigger | CitationsTrigger, seen: Benchmark, bar: Bar
) -> list[Judged]:
    if seen.baseline_error is not None:
        raise seen.baseline_error
    if seen.baseline is None:
        return [figures.nothing_to_compare("there is no fallback to compare with")]
    measure = Measure.parse(trigger.measure)
    now, then = seen.now_scores[measure], seen.baseline_scores[measure]
    pairs = seen.pairs(measure)
    parts: list[tuple[str, Sequence[Query]]] = [("", pairs)]
    if trigger.groups:
        known = groups(seen.queries.questions.queries)
        ids = {query.id for query in pairs}
        parts += [
            (name, [query for query in members if query.id in ids])
            for name, members in known.items()
        ]
    return [
        figures.relevance(
            trigger,
            np.array([now[query.id] - then[query.id] for query in queries], dtype=np.float64),
            part=name,
            bar=bar,
        )
        for name, queries in parts
    ]


def _groundedness(trigger: GroundednessTrigger, seen: Grounded, bar: Bar) -> list[Judged]:
    made, found = seen.made, list[Judged]()
    if made.failed_share > trigger.failed:
        why = (
            f"{len(made.failed)} of {made.asked} answers have no verdict: "
            f"{next(iter(made.failed.values()))}"
        )
        found = [Judged(outcome=Outcome.ERROR, summary=why)]
    else:
        if trigger.minimum is not None:
            values = np.array(list(seen.shares.values()), dtype=np.float64)
            found.append(figures.floor(trigger, values, trigger.minimum, bar=bar))
        if trigger.tolerance is not None:
            found.append(_grounded_change(trigger, seen, trigger.tolerance, bar))
    # Later looks read this one's verdicts back, whatever came of it.
    kept = {**found[0].figures, **seen.figures()}
    return [replace(found[0], figures=kept), *found[1:]]


def _grounded_change(
    trigger: GroundednessTrigger, seen: Grounded, tolerance: float, bar: Bar
) -> Judged:
    before = seen.before
    if before is None:
        why = "no run of the fallback was judged alike: evaluate with the same --judge"
        return figures.nothing_to_compare(why)
    both = [query for query in seen.shares if query in before]
    differences = np.array(
        [seen.shares[query] - before[query] for query in both], dtype=np.float64
    )
    return figures.groundedness(trigger, differences, tolerance, bar=bar)


def _shares(seen: Benchmark, k: int) -> list[float]:
    return [
        len(set(seen.now.ranked[query][:k]) & set(exact[:k])) / len(exact[:k])
        for query, exact in seen.now.exact.items()
        if exact
    ]


def _cost(trigger: CostTrigger, sight: Sight) -> list[Judged]:
    seen = sight.traffic(trigger.of, trigger.window)
    if seen.answered < trigger.minimum_samples:
        why = f"{seen.answered} answers, fewer than {trigger.minimum_samples}"
        return [figures.no_data(trigger, why)]
    now = seen.per_thousand
    if now is None:
        why = "the release's spec names no price, or nothing was embedded"
        return [Judged(outcome=Outcome.ERROR, summary=why)]
    found = []
    if trigger.per_thousand_queries is not None:
        found.append(
            figures.exactly(
                now,
                trigger.per_thousand_queries,
                most=True,
                summary=f"a thousand questions cost {now:.4g}, at most "
                f"{trigger.per_thousand_queries:g}",
                part="per-thousand-queries",
            )
        )
    if trigger.ratio is not None:
        found.append(_cost_ratio(trigger.ratio, now, sight.before(trigger.of)))
    return found


def _cost_ratio(limit: float, now: float, base: Traffic | None) -> Judged:
    before = None if base is None else base.per_thousand
    if not before:
        why = "the fallback's questions have no price to compare with"
        return figures.nothing_to_compare(why, part="ratio")
    return figures.exactly(
        now / before,
        limit,
        most=True,
        summary=f"questions cost {now / before:.2f} times the fallback's, at most {limit:g}",
        part="ratio",
    )


def _provider(trigger: ProviderErrorsTrigger, sight: Sight, bar: Bar) -> list[Judged]:
    seen = sight.traffic(trigger.of, trigger.window)
    found = [
        figures.rate(
            trigger,
            "questions got no answer",
            count=seen.failed,
            total=seen.asked,
            share=trigger.share,
            minimum=trigger.minimum_samples,
            bar=bar,
        )
    ]
    if trigger.rate_limited is not None:
        found.append(
            figures.rate(
                trigger,
                "questions met a rate limit",
                count=seen.rate_limited,
                total=seen.asked,
                share=trigger.rate_limited,
                minimum=trigger.minimum_samples,
                bar=bar,
                part="rate-limited",
            )
        )
    return found


def _missing(trigger: MissingDocumentsTrigger, sight: Sight, bar: Bar) -> list[Judged]:
    report = sight.sample(trigger.sample)
    wrong = sum(n for kind, n in report.counts.items() if kind is not Kind.DEAD_LETTERED)
    found = [
        figures.rate(
            trigger,
            "sampled documents differ from the log",
            count=wrong,
            total=report.compared,
            share=trigger.share,
            minimum=1,
            bar=bar,
        )
    ]
    if trigger.lag is not None:
        found.append(_found(sight.lag(trigger.lag)))
    return found


def _empty(trigger: EmptyAnswersTrigger, sight: Sight, bar: Bar) -> Judged:
    seen = sight.traffic(trigger.of, trigger.window)
    return figures.rate(
        trigger,
        "answers are empty",
        count=seen.empty,
        total=seen.answered,
        share=trigger.share,
        minimum=trigger.minimum_samples,
        bar=bar,
    )


def _drift(trigger: ModelDriftTrigger, finding: Finding, bar: Bar) -> Judged:
    band, largest = (finding.figures.get(o) for o in ("noise_band", "largest_distance"))
    probes, beyond = (finding.figures.get(o) for o in ("probes", "beyond"))
    if not (isinstance(probes, int) and isinstance(beyond, int)):
        return _found(finding, part="")  # the model did not answer
    times = float(str(largest)) / float(str(band))
    return figures.drift(
        trigger, probes=probes, beyond=beyond, times=times, said=finding.summary, bar=bar
    )


def _metric(trigger: PrometheusTrigger, sight: Sight) -> Judged:
    value = sight.metric(
        trigger.url, trigger.query, token_env=trigger.token_env, timeout=trigger.timeout
    )
    if value is None:
        return figures.no_data(trigger, f"{trigger.query} gives nothing")
    if trigger.above is not None and value > trigger.above:
        holds, said = False, f"at most {trigger.above:g}"
    elif trigger.below is not None and value < trigger.below:
        holds, said = False, f"at least {trigger.below:g}"
    else:
        holds, said = True, "within its limits"
    return Judged(
        outcome=Outcome.PASS if holds else Outcome.FAIL,
        summary=f"{trigger.query} is {value:g}, {said}",
        figures={
            "value": value if math.isfinite(value) else str(value),
            "above": trigger.above,
            "below": trigger.below,
        },
    )


def _alert(trigger: AlertTrigger, sight: Sight) -> Judged:
    named = [
        one
        for one in sight.alerts()
        if one.name == trigger.alert and trigger.labels.items() <= one.labels.items()
    ]
    if not named:
        return figures.no_data(trigger, "nobody sent this alert")
    # One that began before this release answered is about another one.
    firing = [one for one in named if one.firing and one.started_at >= sight.scene.since]
    if not firing:
        return Judged(outcome=Outcome.PASS, summary=f"{trigger.alert} is not firing")
    since = min(one.started_at for one in firing)
    return Judged(
        outcome=Outcome.FAIL,
        summary=f"{trigger.alert} is firing since {since:%Y-%m-%d %H:%M:%S} UTC",
        figures={"fingerprints": [one.fingerprint for one in firing]},
    )


def _searched(finding: Finding) -> Judged:
    """Return a search probe's outcome; a deleted document that is back is no accident."""
    found = _found(finding)
    if finding.check != "deleted-document" or found.outcome is not Outcome.FAIL:
        return found
    return replace(found, figures={**found.figures, "at_once": True})


def _found(finding: Finding, *, part: str | None = None) -> Judged:
    """Return a check's finding as an outcome; one that does not apply stands in no way."""
    failed = finding.status is Status.FAILED
    error = finding.figures.get("error")
    unseen = failed and error is not None and error not in _SEEN
    return Judged(
        outcome=Outcome.ERROR if unseen else Outcome.FAIL if failed else Outcome.PASS,
        summary=finding.summary,
        figures=finding.figures,
        part=finding.check if part is None else part,
    )
