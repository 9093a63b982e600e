"""Pictures of an evaluation, as SVG that needs nothing else and follows light and dark.

What they quote comes from people's files, and is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from repoint.operations.evaluate.values import Figure, Report, Side

_WIDTH: Final = 1000
_LEFT, _RIGHT, _TOP, _ROW = 230, 170, 34, 26
#: The fewest parts that an axis is cut into.
_TICKS: Final = 4
_LONGEST: Final = 28
_STAGES: Final = ("embed", "search", "rerank")


def changes(report: Report) -> str:
    """Return each measure's change with its interval; then the first one's, group by group."""
    rows = [(one.measure, one) for one in report.figures]
    rows += [(one.group, one.figures[0]) for one in report.groups]
    if not rows:
        return ""
    reach = max(max(abs(one.low), abs(one.high)) for _, one in rows) or 0.01
    height = _TOP + _ROW * len(rows) + 30
    parts = [_open(height, "Changes with their 95 % intervals"), *_axis(reach, height)]
    for place, (name, one) in enumerate(rows):
        parts += _change(name, one, _TOP + _ROW * place + _ROW // 2, reach)
    if report.groups:
        y = _TOP + _ROW * len(report.figures)
        parts.append(f'<line class="grid" x1="0" x2="{_WIDTH}" y1="{y}" y2="{y}"/>')
    return "\n".join([*parts, "</svg>"])


def latency(report: Report) -> str:
    """Return the p50, p95 and p99 of both releases, stage by stage."""
    sides = [(report.baseline, "a"), (report.candidate, "b")]
    rows = [
        (f"{side.release} {name}", _times(side, name), mood)
        for name in ("p50", "p95", "p99")
        for side, mood in sides
        if side.latency is not None
    ]
    longest = max((sum(times) for _, times, _ in rows), default=0.0)
    if longest <= 0:
        return ""
    height = _TOP + _ROW * len(rows) + 10
    scale = (_WIDTH - _LEFT - _RIGHT) / longest
    parts = [_open(height, "Latency by stage")]
    for place, (name, times, mood) in enumerate(rows):
        y, x = _TOP + _ROW * place, float(_LEFT)
        parts.append(_label(name, y + _ROW // 2))
        for stage, milliseconds in zip(_STAGES, times, strict=True):
            width = milliseconds * scale
            parts.append(
                f'<rect class="{mood} {stage}" x="{x:.1f}" y="{y + 5}" width="{width:.1f}" '
                f'height="16"><title>{stage} {milliseconds:.2f} ms</title></rect>'
            )
            x += width
        parts.append(f'<text x="{x + 8:.1f}" y="{y + 18}">{sum(times):.1f} ms</text>')
    return "\n".join([*parts, "</svg>"])


def _times(side: Side, name: str) -> list[float]:
    return [float(getattr(getattr(side.latency, stage), name)) for stage in _STAGES]


def _open(height: int, title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'role="img"><title>{escape(title)}</title>'
    )


def _axis(reach: float, height: int) -> Iterator[str]:
    step = _step(reach)
    for number in range(-math.floor(reach / step), math.floor(reach / step) + 1):
        value = number * step
        x = _x(value, reach)
        kind = "zero" if number == 0 else "grid"
        yield f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="22" y2="{height - 24}"/>'
        yield f'<text class="mid" x="{x:.1f}" y="{height - 8}">{value:+.3g}</text>'


def _step(reach: float) -> float:
    """Return a round step that cuts the reach into a few parts."""
    power = 10.0 ** math.floor(math.log10(reach))
    return next(
        power * part for part in (1.0, 0.5, 0.25, 0.1) if reach / (power * part) >= _TICKS / 2
    )


def _change(name: str, one: Figure, y: int, reach: float) -> Sequence[str]:
    mood = "good" if one.low > 0 else "bad" if one.high < 0 else "open"
    low, high, at = (_x(value, reach) for value in (one.low, one.high, one.difference))
    figure = f"{one.difference:+.3f} on {one.queries}"
    return [
        _label(name, y),
        f'<line class="{mood} whisker" x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}"/>',
        f'<circle class="{mood}" cx="{at:.1f}" cy="{y}" r="4.5"/>',
        f'<text x="{_WIDTH - _RIGHT + 16}" y="{y + 4}">{figure}</text>',
    ]


def _label(name: str, y: int) -> str:
    short = name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"
    return f'<text class="end" x="{_LEFT - 14}" y="{y + 4}">{escape(short)}</text>'


def _x(value: float, reach: float) -> float:
    return _LEFT + (value / reach + 1.0) / 2.0 * (_WIDTH - _LEFT - _RIGHT)
