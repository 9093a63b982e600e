"""``repoint telemetry``: what was measured of live queries."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from repoint.cli.arguments import IndexName
from repoint.cli.door import Door, command
from repoint.cli.durations import duration
from repoint.cli.failures import plain
from repoint.cli.output import Output

if TYPE_CHECKING:
    from repoint.domain.document import Json
    from repoint.domain.histogram import Histogram
    from repoint.domain.telemetry import ArmReading, Window

app = typer.Typer(rich_markup_mode=None)

_QUANTILES = (("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99))


class Format(StrEnum):
    """How it is printed."""

    TEXT = "text"
    PROMETHEUS = "prometheus"


@command(
    app,
    "telemetry",
    example="repoint telemetry docs\nrepoint telemetry docs --since 15m --json\n"
    "repoint telemetry docs --format prometheus",
)
def telemetry(
    door: Door,
    *,
    index: IndexName,
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="How far back: 90s, 15m, 1h, 7d.")
    ] = "1h",
    format_: Annotated[
        Format,
        typer.Option(
            "--format", help="Prometheus' text has everything ever measured, not --since."
        ),
    ] = Format.TEXT,
) -> None:
    """Show what was measured of live queries, by release and arm."""
    length = duration(since)
    with door.workspace() as opened:
        handle = opened.index(index)
        if format_ is Format.PROMETHEUS:
            from repoint.reports.exposition import exposition  # noqa: PLC0415 - not for help

            text = exposition([handle.telemetry_totals()])
            door.out.json({"index": index, "format": "prometheus", "text": text})
            door.out.say(text.rstrip())
            return
        found = handle.telemetry(since=length)
    door.out.json(_shape(found))
    _tell(door.out, found, since)


def _shape(window: Window) -> Json:
    return {
        "index": window.index,
        "since": plain(window.since),
        "until": plain(window.until),
        "arms": [_arm(reading) for reading in window.arms],
    }


def _arm(reading: ArmReading) -> Json:
    from repoint.domain.telemetry import Count, Stage  # noqa: PLC0415 - not needed for help

    tally = reading.tally
    stages = {stage.value: tally.histogram(stage) for stage in Stage}
    return {
        "release": reading.release or None,
        "arm": reading.arm.value,
        "counts": {what.value: tally.count(what) for what in Count},
        "errors": dict(sorted(tally.errors.items())),
        "cost": tally.cost,
        "stages": {name: _figures(one) for name, one in stages.items() if one.count},
    }


def _figures(one: Histogram) -> Json:
    return {
        "count": one.count,
        "mean_ms": round(one.mean, 4),
        **{name: round(one.quantile(share), 4) for name, share in _QUANTILES},
        "max_ms": round(one.greatest, 4),
    }


def _tell(out: Output, window: Window, since: str) -> None:
    from repoint.domain.telemetry import Count, Stage  # noqa: PLC0415 - not needed for help

    if not window.arms:
        out.say(
            f"nobody asked {window.index} anything in the last {since}",
            "  -> processes store what they counted every 5 s",
        )
        return
    out.say(f"live queries of {window.index} since {window.since:%Y-%m-%d %H:%M:%S} UTC")
    out.table(
        ("release", "arm", *(what.value.replace("_", " ") for what in Count), "cost"),
        [
            (
                one.release or "(unknown)",
                one.arm.value,
                *(one.tally.count(what) for what in Count),
                f"{one.tally.cost:.4f}" if one.tally.count(Count.TOKENS) else None,
            )
            for one in window.arms
        ],
    )
    out.say("")
    out.table(
        ("release", "arm", "stage", "count", "p50 ms", "p95 ms", "p99 ms", "max ms"),
        [
            (
                one.release,
                one.arm.value,
                stage.value,
                found.count,
                *(f"{found.quantile(share):.3f}" for _, share in _QUANTILES),
                f"{found.greatest:.3f}",
            )
            for one in window.arms
            for stage in Stage
            if (found := one.tally.histogram(stage)).count
        ],
    )
    errors = [
        (one.release or "(unknown)", one.arm.value, code, count)
        for one in window.arms
        for code, count in sorted(one.tally.errors.items())
    ]
    if errors:
        out.say("")
        out.table(("release", "arm", "error", "count"), errors)
