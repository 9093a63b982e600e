"""Shares of traffic as people type them."""

from __future__ import annotations

import math

from repoint.domain.errors import BadInputError


def percent(share: float) -> str:
    """Return a share as people read it."""
    return f"{share * 100:.4g} %"


def share_of(text: str) -> float:
    """Return what ``5%`` or ``0.05`` mean.

    Raises:
        BadInputError: it is neither, or not between 0 and 1.
    """
    number = text.strip()
    scale = 1.0
    if number.endswith("%"):
        number, scale = number[:-1], 0.01
    try:
        found = float(number) * scale
    except ValueError:
        found = math.nan
    if not 0 <= found <= 1:
        raise BadInputError(f"{text!r} is no share", hint="write 5% or 0.05, at most 100%")
    return found
