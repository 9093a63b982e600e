"""What sync is told and what it tells: limits, progress, report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from repoint.domain.ids import IndexName, Lsn, ReleaseName


class Stopped(StrEnum):
    """Why a sync ended before the head; what it had done is kept."""

    #: The caller said so.
    ASKED = "asked"
    #: Someone paused the release.
    PAUSED = "paused"
    #: Someone froze the index, and this release does not answer.
    FROZEN = "frozen"
    #: The next batch would have gone over the budget.
    BUDGET = "budget"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is taken at a time; memory and lost work after a crash are bounded by it."""

    #: Rows of one leased range; None is as many as fit the model (``sizes``).
    range_rows: int | None = None
    #: Ranges of one window at most.
    ranges: int = 32
    #: Texts embedded and written together; None is as many as fit the model.
    slab_texts: int | None = None
    #: Characters embedded and written together, unless one document alone has more.
    slab_characters: int = 4_000_000
    #: How long a range stays with a worker that says nothing.
    lease: timedelta = timedelta(seconds=30)
    #: Threads; None is as many as keep the model busy.
    hands: int | None = None
    #: Stop before more tokens than this are embedded.
    budget_tokens: int | None = None
    #: Whether pause, throttle and freeze are heeded; a rollback's replay does not wait.
    heed_pace: bool = True
    #: Bring the collection's indexes up to date after this many rows.
    optimise_rows: int = 5_000
    #: The same after this many writes, so that small ones do not pile up in fragments.
    optimise_puts: int = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a running sync is."""

    index: IndexName
    release: ReleaseName
    #: Rows applied by this process so far.
    done: int
    #: Rows between the watermark and the head when it began.
    total: int
    #: Smoothed; 0 until there is something to go by.
    rows_per_second: float
    #: None until there is a speed.
    remaining: timedelta | None
    #: Tokens embedded so far; estimated from a sample unless there is a budget or a price.
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncReport:
    """What one sync did."""

    index: IndexName
    release: ReleaseName
    #: Where it began and how far the collection is now.
    began: Lsn
    watermark: Lsn
    #: The log's head when it was called.
    head: Lsn
    #: Log rows applied, tombstones included.
    rows: int
    tombstones: int
    #: Chunks that went through the model, and chunks whose stored vector was kept.
    embedded: int
    reused: int
    #: Documents that became dead letters.
    dead_letters: int
    tokens: int
    seconds: float
    #: None when the head was reached.
    stopped: Stopped | None

    @property
    def complete(self) -> bool:
        """Whether the collection has everything up to the head as of the call."""
        return self.watermark >= self.head
