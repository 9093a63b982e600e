"""Reading a foreign collection for its adoption: samples, and pages of a scan."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np

from repoint.beside.sides import TeamRow, TeamRows
from repoint.beside.signatures import made_of
from repoint.ports.adoption import ForeignPage, ForeignRow


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
    kept = [row for row in found if row.document.id and row.document.text.strip()]
    length = next((len(row.vector) for row in kept if row.vector is not None), 0)
    matrix = np.full((len(kept), length), np.nan, dtype=np.float32)
    for place, row in enumerate(kept):
        if row.vector is not None:
            matrix[place] = row.vector
    return ForeignPage(
        rows=[
            ForeignRow(
                document=row.document,
                state=f"{row.state} {made_of(row.vector)} {row.key}",
                bare=row.vector is None,
            )
            for row in kept
        ],
        vectors=matrix,
        without_text=len(found) - len(kept),
        cursor=cursor,
    )
