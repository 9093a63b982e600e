"""How many rows a range and how many texts a slab of one sync have.

Each range costs transactions in the control store, and each slab a commit in the database. What
a crash repeats, what a stop waits for and what memory holds all grow with them. A cheap
model would spend its time on the former, a dear one its money on the latter; how many texts a
driver likes in one call says which it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from repoint.operations.sync.values import Limits
from repoint.ports.embedder import EmbedderTraits

#: Rows of a range and texts of a slab where the model's batches are small, or cost money.
USUAL: Final = 1024
#: Batches of a slab where the model's are large.
_BATCHES: Final = 8
#: Numbers in the vectors of one slab, above ``USUAL`` texts.
_NUMBERS: Final = 2**20
#: Ranges that a short backlog is cut into for each call that the model takes at once: the last
#: writing has no embedding to go on beside, so it should be small.
_ROUNDS: Final = 4
#: Rows of a range at least. Whether a source lost some rows or was emptied shows only among
#: more than a few, see ``originals.TOLERATED_COUNT``.
_LEAST: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What one sync takes at a time."""

    range_rows: int
    texts: int
    characters: int

    @staticmethod
    def of(limits: Limits, traits: EmbedderTraits, *, waiting: int, dimensions: int) -> Sizes:
        """Return what fits a model and a backlog of at most so many rows."""
        many = 0 if traits.remote else _BATCHES * traits.batch
        usual = max(USUAL, min(many, _NUMBERS // max(dimensions, 1)))
        share = -(-waiting // (max(traits.parallel, 1) * _ROUNDS))
        most = limits.range_rows or usual
        return Sizes(
            range_rows=max(1, min(most, max(share, traits.batch, _LEAST))),
            texts=limits.slab_texts or usual,
            characters=limits.slab_characters,
        )
