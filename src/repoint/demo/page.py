"""The report as one HTML page that needs nothing from anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from repoint.demo.picture import BINS, draw
from repoint.demo.report import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One figure, large."""

    figure: str
    says: str
    mood: str


def write_page(path: Path, report: Report) -> None:
    """Write the page."""
    path.write_text(render(report), encoding="utf-8")


def render(report: Report) -> str:
    """Return the page."""
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - only here
    from markupsafe import Markup  # noqa: PLC0415 - only here

    template = resources.files("repoint.demo").joinpath("page.html.jinja")
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    began, ended = report.span
    return environment.from_string(template.read_text(encoding="utf-8")).render(
        f=report.figures,
        holds=report.claims.hold,
        tiles=_tiles(report),
        picture=Markup(draw(report)),  # noqa: S704 - drawn here; what it quotes is escaped
        bin_s=f"{max((ended - began) / BINS, 1.0):.1f}",
    )


def _tiles(report: Report) -> Sequence[Tile]:
    figures, claims = report.figures, report.claims
    writes = figures["writes"]
    assert isinstance(writes, dict)  # noqa: S101 - Report.of made it one
    queries, written = len(report.asked), writes["acknowledged"]
    return [
        Tile(
            figure=f"{figures['rollback_seconds']:.2f} s",
            says="rolled back and proved",
            mood="good" if figures["verified"] else "bad",
        ),
        _count(claims.failed, f"of {queries:,} live queries failed"),
        _count(claims.mixed_space, "answers mixed two models"),
        _count(claims.stale, "answers were out of date"),
        _count(claims.lost, f"of {written:,} writes lost"),
        _count(claims.resurrected, "deletes came back"),
    ]


def _count(broken: Sequence[str], says: str) -> Tile:
    return Tile(figure=f"{len(broken):,}", says=says, mood="bad" if broken else "good")
