"""The evidence of a move as one HTML page, for whoever was not there."""

from __future__ import annotations

from importlib import resources

from repoint.domain.evidence import Exhibits


def render(exhibits: Exhibits) -> str:
    """Return the page; everything that comes from people is escaped, and nothing is loaded."""
    from jinja2 import ChainableUndefined, Environment  # noqa: PLC0415 - only here

    template = resources.files("repoint.reports").joinpath("evidence.html.jinja")
    # What a bundle lacks is left out of the page as well.
    environment = Environment(autoescape=True, undefined=ChainableUndefined)
    return environment.from_string(template.read_text(encoding="utf-8")).render(
        e=exhibits, f=exhibits.files, move=exhibits.files["move"]
    )
