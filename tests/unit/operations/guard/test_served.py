"""Triggers on live questions, by what every process counted of them."""

from __future__ import annotations

from datetime import timedelta

from tests.unit.operations.guard.watching import guard, look, outcomes, pointer, watch

from repoint.domain.ids import ProcessId, ReleaseName
from repoint.domain.telemetry import Arm, Count, Period, Tally
from repoint.domain.triggers import (
    Act,
    EmptyAnswersTrigger,
    LatencyTrigger,
    NoData,
    ProviderErrorsTrigger,
)
from repoint.operations.telemetry.retention import FINEST
from repoint.ports.store.traffic import Measured
from repoint.testing.stage import INDEX, Stage


def served(
    stage: Stage,
    release: str,
    *,
    ms: float,
    questions: int = 400,
    by: str = "p",
    **counts: int,
) -> None:
    """Let a process have counted questions in the minute up to now."""
    tally = Tally()
    tally.counts[Count.QUERIES] = questions
    for name, count in counts.items():
        tally.counts[Count[name.upper()]] = count
    for number in range(questions - counts.get("failed", 0)):
        tally.measure("total", ms * (0.8 + 0.4 * number / questions))
    period = Period.around(
        INDEX, ReleaseName(release), Arm.ACTIVE, at=stage.clock.now(), width=FINEST
    )
    with stage.store.begin() as tx:
        tx.telemetry.put([Measured(period=period, process=ProcessId(by), tally=tally)])


def test_slower_than_the_fallback_was_goes_back(stage: Stage) -> None:
    served(stage, "v1", ms=20)
    stage.clock.advance(timedelta(minutes=1))
    watch(stage, LatencyTrigger(p95_ratio=2, window=timedelta(minutes=10)))
    by = guard(stage)
    served(stage, "v2", ms=25)
    assert outcomes(look(stage, by, after=timedelta(minutes=1))) == {
        "latency:p95-ratio": "pass"
    }
    served(stage, "v2", ms=70, by="one")
    served(stage, "v2", ms=80, by="two")
    seen = look(stage, by, after=timedelta(minutes=1))
    assert outcomes(seen) == {"latency:p95-ratio": "fail"}
    assert seen.look is not None
    assert seen.look.results[0].figures["samples"] == 1200
    assert pointer(stage).active == "v1"


def test_a_few_slow_answers_are_a_doubt_and_no_failure(stage: Stage) -> None:
    watch(stage, LatencyTrigger(p95_ms=100, minimum_samples=50))
    served(stage, "v2", ms=20, questions=93)
    served(stage, "v2", ms=500, questions=7, by="slow")
    seen = look(stage, after=timedelta(minutes=1))
    assert outcomes(seen) == {"latency:p95-ms": "inconclusive"}
    assert seen.look is not None
    assert "chance is not ruled out" in seen.look.results[0].summary


def test_too_few_answers_are_no_data(stage: Stage) -> None:
    watch(
        stage,
        LatencyTrigger(p50_ms=1),
        EmptyAnswersTrigger(no_data=NoData.FAIL, then=Act.FREEZE),
    )
    served(stage, "v2", ms=500, questions=30)
    seen = look(stage, after=timedelta(minutes=1))
    assert outcomes(seen) == {"latency:p50-ms": "inconclusive", "empty-answers": "fail"}
    assert pointer(stage).active == "v2"


def test_what_is_older_than_the_window_or_of_another_release_does_not_count(
    stage: Stage,
) -> None:
    watch(stage, EmptyAnswersTrigger(window=timedelta(minutes=2)))
    served(stage, "v2", ms=9, empty=400)
    served(stage, "v1", ms=9, empty=400)
    stage.clock.advance(timedelta(minutes=5))
    served(stage, "v2", ms=9, empty=3)
    seen = look(stage, after=timedelta(seconds=30))
    assert outcomes(seen) == {"empty-answers": "pass"}


def test_failures_and_rate_limits_have_a_share_each(stage: Stage) -> None:
    watch(stage, ProviderErrorsTrigger(share=0.2, rate_limited=0.01))
    served(stage, "v2", ms=9, failed=60, rate_limited=60, refused=100)
    seen = look(stage, after=timedelta(minutes=1))
    assert outcomes(seen) == {
        "provider-errors": "pass",
        "provider-errors:rate-limited": "fail",
    }
    assert seen.look is not None
    assert seen.look.results[0].figures["samples"] == 300  # what was refused does not count
    assert pointer(stage).active == "v1"
