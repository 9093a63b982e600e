"""Telemetry as Prometheus reads it.

Figures come from everything that was ever measured, so counters only rise. Histograms have
Prometheus' usual bounds; how many values lie below one is true to a hundredth of the bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from repoint.domain.telemetry import Count, Stage, Window

_LABELS: Final = ("index", "release", "arm")
_BOUNDS_S: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
_HELP: Final = {
    Count.QUERIES: "Live queries.",
    Count.EMPTY: "Answers without a single hit.",
    Count.FAILED: "Queries without an answer, through no fault of who asked.",
    Count.REFUSED: "Queries that were refused.",
    Count.RATE_LIMITED: "Failures in which a provider asked to slow down.",
    Count.EMBEDDED: "Queries that went to the model.",
    Count.TOKENS: "Tokens of those, where the spec names a price.",
    Count.LOST: "Queries that no other figure counts.",
}


def exposition(windows: Iterable[Window]) -> str:
    """Return the text that a Prometheus server scrapes, or a file collector reads."""
    registry = CollectorRegistry()
    registry.register(_Windows(tuple(windows)))
    return generate_latest(registry).decode()


class _Windows(Collector):
    def __init__(self, windows: tuple[Window, ...]) -> None:
        self._windows = windows

    def collect(self) -> Iterator[Metric]:
        """Yield a family for each figure."""
        for what, help_ in _HELP.items():
            yield self._counter(what, help_)
        errors = CounterMetricFamily(
            "repoint_errors", "Errors by code.", labels=[*_LABELS, "code"]
        )
        cost = CounterMetricFamily(
            "repoint_cost", "Cost of query tokens in the spec's currency.", labels=_LABELS
        )
        stages = HistogramMetricFamily(
            "repoint_stage_seconds",
            "Time by stage of answering.",
            labels=[*_LABELS, "stage"],
        )
        for window in self._windows:
            for reading in window.arms:
                labels = [window.index, reading.release, reading.arm.value]
                cost.add_metric(labels, reading.tally.cost)
                for code, count in sorted(reading.tally.errors.items()):
                    errors.add_metric([*labels, code], count)
                for stage in Stage:
                    found = reading.tally.histogram(stage)
                    if found.count:
                        below = [
                            (str(bound), float(found.at_most(bound * 1000)))
                            for bound in _BOUNDS_S
                        ]
                        stages.add_metric(
                            [*labels, stage.value],
                            [*below, ("+Inf", float(found.count))],
                            found.total / 1000,
                        )
        yield from (errors, cost, stages)

    def _counter(self, what: Count, help_: str) -> CounterMetricFamily:
        family = CounterMetricFamily(f"repoint_{what.value}", help_, labels=_LABELS)
        for window in self._windows:
            for reading in window.arms:
                family.add_metric(
                    [window.index, reading.release, reading.arm.value],
                    reading.tally.count(what),
                )
        return family
