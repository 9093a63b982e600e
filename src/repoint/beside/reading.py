"""Reading a foreign collection for its adoption: samples, and pages of a scan."""

from __future__ import annotations

import random
from collections.abc import Sequence

from repoint.beside.sides import TeamRow, TeamRows
from repoint.beside.signatures import made_of
from repoint.ports.adoption import ForeignPage


def sampled(rows: TeamRows, *, count: int, seed: int) -> ForeignPage:
    """Return rows drawn over the whole collection, each as likely as any other."""
    chance = random.Random(seed)  # noqa: S311 - a sample, no secret
    drawn: list[str] = []
    seen = 0
    for page in rows.keys():  # noqa: SIM118 - no mapping
        for key in page:
            seen += 1
            if len(drawn) < count:
                drawn.append(key)
            elif (place := chance.randrange(seen)) < count:
                drawn[place] = key
    return page_of(rows.named([], drawn, with_vectors=True))


def page_of(found: Sequence[TeamRow], *, cursor: str | None = None) -> ForeignPage:
    """Return rows as documents; those without an id or a text are only counted."""
    rows = (
        (row.document, f"{row.state} {made_of(row.vector)} {row.key}", row.vector)
        for row in found
    )
    return ForeignPage.of(rows, cursor=cursor)
