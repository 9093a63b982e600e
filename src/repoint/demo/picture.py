"""The picture: relevance, latency, who answered and what was written, over one time axis.

Drawn from the readers' own records, as an SVG that needs nothing else and follows the
viewer's light or dark.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from repoint.demo.records import Asked, Turn, Written
from repoint.demo.report import Report, percentile

_WIDTH, _HEIGHT = 1000, 580
_LEFT, _RIGHT = 92, 24
_RELEVANCE: Final = (84, 244)
_LATENCY: Final = (288, 412)
_BANDS: Final = (446, 18, 8)
#: A point is drawn for as many bins as fit, and only of this many questions or more.
BINS: Final = 90
_FEWEST: Final = 4
_DECADES: Final = (1, 10, 100, 1000, 10_000)
_AXIS_STEPS: Final = (5, 10, 20, 30, 60, 120)
_MOST_TICKS: Final = 10

_STYLE: Final = """
svg{--ink:#1f2328;--quiet:#656d76;--line:#d8dee4;--paper:#ffffff;
--v1:#2563eb;--v2:#dc2626;--v3:#059669;--add:#059669;--edit:#9a6700;--delete:#dc2626}
@media(prefers-color-scheme:dark){svg{--ink:#e6edf3;--quiet:#9198a1;--line:#30363d;
--paper:#0d1117;--v1:#6ea8fe;--v2:#ff7b72;--v3:#3fcf8e;--add:#3fcf8e;--edit:#e3b341;
--delete:#ff7b72}}
text{font:12px system-ui,-apple-system,"Segoe UI",sans-serif;fill:var(--quiet)}
.head{font-weight:600;fill:var(--ink)}.head,.move{paint-order:stroke;stroke:var(--paper);
stroke-width:5px}.move{font-weight:600;fill:var(--ink)}
.grid{stroke:var(--line);stroke-width:1}.turn{stroke:var(--quiet);stroke-width:1;
stroke-dasharray:3 3}.base{stroke:var(--v1);stroke-width:1;stroke-dasharray:2 5}
.curve{fill:none;stroke-width:2;stroke-linejoin:round}.faint{stroke-width:1.2;opacity:.5}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Point:
    """Some questions of one release, close together in time."""

    at: float
    release: str
    success: float
    p50: float
    p95: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axis:
    """Seconds to places across the picture."""

    began: float
    ended: float

    def x(self, at: float) -> float:
        share = (at - self.began) / max(self.ended - self.began, 1e-9)
        return _LEFT + min(max(share, 0.0), 1.0) * (_WIDTH - _LEFT - _RIGHT)


def draw(report: Report) -> str:
    """Return the picture as SVG."""
    axis = _Axis(began=report.span[0], ended=report.span[1])
    points = list(_binned(report))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        "<title>Relevance, latency and who answered, over time</title>",
        f"<style>{_STYLE}</style>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="var(--paper)"/>',
        *_seconds(axis),
        *_turns(report.turns, axis),
        *_relevance(points, axis, baseline=_baseline(report)),
        *_latency(points, axis),
        *_bands(report, axis),
        "</svg>",
    ]
    return "\n".join(parts)


def _binned(report: Report) -> Iterator[_Point]:
    began, ended = report.span
    width = max((ended - began) / BINS, 1.0)
    bins: defaultdict[tuple[int, str], list[Asked]] = defaultdict(list)
    for one in report.asked:
        if not one.error:
            bins[int((one.began - began) / width), one.release].append(one)
    for (_, release), asked in sorted(bins.items()):
        if len(asked) < _FEWEST:
            continue
        found = [
            any(hit.document == report.answers[one.question] for hit in one.hits)
            for one in asked
        ]
        took = [(one.ended - one.began) * 1000 for one in asked]
        yield _Point(
            at=sum(one.began for one in asked) / len(asked),
            release=release,
            success=sum(found) / len(found),
            p50=percentile(took, 0.5),
            p95=percentile(took, 0.95),
        )


def _baseline(report: Report) -> float:
    found = report.figures["relevance"]
    assert isinstance(found, dict)  # noqa: S101 - Report.of made it one
    first = found["v1"]
    assert isinstance(first, dict)  # noqa: S101 - as above
    return float(str(first["success_at_10"]))


def _seconds(axis: _Axis) -> Iterator[str]:
    span = axis.ended - axis.began
    step = next((s for s in _AXIS_STEPS if span / s <= _MOST_TICKS), _AXIS_STEPS[-1])
    bottom = _HEIGHT - 42
    for tick in range(0, int(span) + 1, step):
        x = axis.x(axis.began + tick)
        yield _upright("grid", x, top=_RELEVANCE[0], bottom=bottom)
        yield f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{tick} s</text>'


def _relevance(points: Sequence[_Point], axis: _Axis, *, baseline: float) -> Iterator[str]:
    top, bottom = _RELEVANCE
    highest = max([baseline, *(point.success for point in points)], default=1.0)
    ceiling = min(1.0, math.ceil(highest * 5 + 0.25) / 5) or 1.0

    def y(value: float) -> float:
        return bottom - value / ceiling * (bottom - top)

    yield f'<text class="head" x="{_LEFT}" y="{top - 12}">success@10 of live queries</text>'
    for share in range(5):
        value = ceiling * share / 4
        yield _rule(y(value), f"{value:.2f}")
    yield (
        f'<line class="base" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(baseline):.1f}" '
        f'y2="{y(baseline):.1f}"><title>v1 at first: {baseline:.3f}</title></line>'
    )
    for run in _runs(points):
        yield _curve([(axis.x(p.at), y(p.success)) for p in run], run[0].release)
        for point in run:
            yield (
                f'<circle cx="{axis.x(point.at):.1f}" cy="{y(point.success):.1f}" r="2.6" '
                f'fill="{_colour(point.release)}"><title>{escape(point.release)}: '
                f"{point.success:.2f}</title></circle>"
            )


def _latency(points: Sequence[_Point], axis: _Axis) -> Iterator[str]:
    top, bottom = _LATENCY
    values = [value for p in points for value in (p.p50, p.p95) if value > 0] or [1.0, 10.0]
    low = max(d for d in _DECADES if d <= max(min(values), 1))
    high = next((d for d in _DECADES if d >= max(values) and d > low), _DECADES[-1])

    def y(value: float) -> float:
        share = math.log10(max(value, low) / low) / math.log10(high / low)
        return bottom - min(share, 1.0) * (bottom - top)

    yield (
        f'<text class="head" x="{_LEFT}" y="{top - 12}">latency in ms, as a reader sees it: '
        "median, and 95th percentile (faint)</text>"
    )
    for decade in (d for d in _DECADES if low <= d <= high):
        yield _rule(y(decade), f"{decade:,}")
    for run in _runs(points):
        yield _curve([(axis.x(p.at), y(p.p95)) for p in run], run[0].release, more=" faint")
        yield _curve([(axis.x(p.at), y(p.p50)) for p in run], run[0].release)


def _bands(report: Report, axis: _Axis) -> Iterator[str]:
    top, height, gap = _BANDS
    here = [one for one in report.asked if one.reader.startswith("thread")]
    there = [one for one in report.asked if not one.reader.startswith("thread")]
    for row, (name, asked) in enumerate([("this process", here), ("the other", there)]):
        y = top + row * (height + gap)
        yield f'<text x="{_LEFT - 10}" y="{y + 13}" text-anchor="end">{name}</text>'
        yield from _stretches(asked, axis, y=y, height=height)
    y = top + 2 * (height + gap)
    yield f'<text x="{_LEFT - 10}" y="{y + 13}" text-anchor="end">writes</text>'
    yield from _ticks(report.writes, axis, y=y, height=height)


def _stretches(
    asked: Sequence[Asked], axis: _Axis, *, y: float, height: float
) -> Iterator[str]:
    """Draw from the first to the last answer of each epoch, as the answers' stamps say."""
    epochs: defaultdict[tuple[int, str], list[float]] = defaultdict(list)
    for one in asked:
        if not one.error:
            epochs[one.epoch, one.release].append(one.ended)
    for (epoch, release), ends in sorted(epochs.items()):
        left, right = axis.x(min(ends)), axis.x(max(ends))
        yield (
            f'<rect x="{left:.1f}" y="{y}" width="{max(right - left, 2):.1f}" '
            f'height="{height}" rx="3" fill="{_colour(release)}"><title>'
            f"{escape(release)}, epoch {epoch}: {len(ends)} answers</title></rect>"
        )
        if right - left > _ROOM_FOR_A_NAME:
            yield (
                f'<text x="{(left + right) / 2:.1f}" y="{y + 13}" text-anchor="middle" '
                f'style="fill:var(--paper);font-weight:600">{escape(release)}</text>'
            )


_ROOM_FOR_A_NAME: Final = 30


def _ticks(writes: Iterable[Written], axis: _Axis, *, y: float, height: float) -> Iterator[str]:
    for write in writes:
        x = axis.x(write.acknowledged)
        yield (
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y}" y2="{y + height}" '
            f'stroke="var(--{write.what})" stroke-width="1.4" opacity=".75"/>'
        )


def _turns(turns: Iterable[Turn], axis: _Axis) -> Iterator[str]:
    bottom = _HEIGHT - 42
    # The first promotion was before anybody asked.
    seen = [turn for turn in turns if turn.done >= axis.began]
    for number, turn in enumerate(seen):
        x = axis.x(turn.done)
        what = turn.what if turn.what != "promote" else f"promote {turn.release}"
        anchor = "end" if x > _WIDTH - 2 * _LEFT else "middle"
        y = 20 if number % 2 else 40  # on two lines: moves may stand close together
        yield _upright("turn", x, top=y + 6, bottom=bottom)
        place = f'x="{x:.1f}" y="{y}" text-anchor="{anchor}"'
        yield f'<text class="move" {place}>{escape(what)}</text>'


def _runs(points: Iterable[_Point]) -> Iterator[list[_Point]]:
    """Yield stretches of points of one release, in order of time."""
    run: list[_Point] = []
    for point in sorted(points, key=lambda one: one.at):
        if run and run[-1].release != point.release:
            yield run
            run = []
        run.append(point)
    if run:
        yield run


def _curve(places: Sequence[tuple[float, float]], release: str, *, more: str = "") -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return f'<polyline class="curve{more}" points="{path}" style="stroke:{_colour(release)}"/>'


def _upright(kind: str, x: float, *, top: float, bottom: float) -> str:
    return f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}"/>'


def _rule(y: float, label: str) -> str:
    return (
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{_LEFT - 10}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'
    )


def _colour(release: str) -> str:
    return f"var(--{release})"
