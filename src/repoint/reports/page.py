"""An evaluation as one HTML page."""

from __future__ import annotations

from importlib import resources

from repoint.domain.gates import worst
from repoint.operations.evaluate.values import Report
from repoint.reports import plots


def render(report: Report) -> str:
    """Return the page; everything that comes from people's files is escaped."""
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - only here
    from markupsafe import Markup  # noqa: PLC0415 - only here

    template = resources.files("repoint.reports").joinpath("evaluation.html.jinja")
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    return environment.from_string(template.read_text(encoding="utf-8")).render(
        r=report,
        made=report.evaluation,
        verdict=worst([gate.outcome for gate in report.gates]).value,
        changes=Markup(plots.changes(report)),  # noqa: S704 - drawn here, escaped there
        latency=Markup(plots.latency(report)),  # noqa: S704 - as above
    )
