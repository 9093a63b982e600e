"""Lengths of time as people type them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

import typer

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_FORM: Final = re.compile(r"(\d+(?:\.\d+)?)([smhd])")


def duration(text: str) -> timedelta:
    """Return what ``90s``, ``15m``, ``1.5h`` or ``7d`` mean.

    Raises:
        BadParameter: it is none of these, or longer than a hundred years.
    """
    found = _FORM.fullmatch(text.strip())
    if found is None or float(found[1]) > 36_500:  # noqa: PLR2004 - days, and a bound anyway
        raise typer.BadParameter(f"{text!r} is no length of time: 90s, 15m, 1.5h, 7d")
    return timedelta(**{_UNITS[found[2]]: float(found[1])})
