"""A diagnosis as one HTML page."""

from __future__ import annotations

from importlib import resources

from repoint.domain.diagnosis import Diagnosis


def render(made: Diagnosis) -> str:
    """Return the page; everything that comes from people's files is escaped."""
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - only here

    template = resources.files("repoint.reports").joinpath("diagnosis.html.jinja")
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    return environment.from_string(template.read_text(encoding="utf-8")).render(d=made)
