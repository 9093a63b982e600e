"""Lengths of time as people write them: ``90s``, ``15m``, ``24h``, ``7d``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from repoint.domain.errors import BadInputError

_WRITTEN: Final = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
#: The longest unit first: a duration is written in the longest that it is a whole number of.
_UNITS: Final = tuple(reversed(_SECONDS.items()))
_LONGEST: Final = timedelta(days=3_650)


def duration(text: str) -> timedelta:
    """Return the length of time that a text names.

    Raises:
        BadInputError: it is no number with a unit, or not between nothing and ten years.
    """
    match = _WRITTEN.fullmatch(text.strip())
    if match is None:
        raise BadInputError(
            f"{text!r} is no duration", hint="a number with its unit: 90s, 15m, 24h, 7d"
        )
    seconds = float(match[1]) * _SECONDS[match[2]]
    if not 0 < seconds <= _LONGEST.total_seconds():
        raise BadInputError(f"a duration of {text} is out of bounds")
    return timedelta(seconds=seconds)


def written(length: timedelta) -> str:
    """Return a text that ``duration`` reads as the same length of time."""
    seconds = length.total_seconds()
    for unit, size in _UNITS:
        if seconds and seconds % size == 0:
            return f"{int(seconds / size)}{unit}"
    return f"{seconds:g}s"
