"""The values of bringing a collection into step: windows, leases, backlog, dead letters."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from repoint.domain.ids import DocumentId, IndexName, Lsn, ProcessId, ReleaseName


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A stretch of the log with a fixed upper end: rows with ``low < lsn <= high``.

    The next window opens only when all ranges of this one are done, so an older version
    of a document never overwrites a newer one (INV-2).
    """

    index: IndexName
    release: ReleaseName
    #: Counts a release's windows from 1.
    number: int
    low: Lsn
    high: Lsn
    ranges: int
    done: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to work one range of a window, until it runs out.

    ``attempt`` is its fencing token: it rises with every lease of the range, and whoever
    holds a lower one is refused.
    """

    index: IndexName
    release: ReleaseName
    window: int
    #: The release's watermark while this window is open.
    watermark: Lsn
    number: int
    low: Lsn
    high: Lsn
    owner: ProcessId
    attempt: int
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What lies between a watermark and the head."""

    upserts: int
    tombstones: int
    #: Characters of title and text in the upserts.
    characters: int

    @property
    def rows(self) -> int:
        """How many rows are to be applied."""
        return self.upserts + self.tombstones


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A document version that a release could not take, and why; it is absent there."""

    index: IndexName
    release: ReleaseName
    document: DocumentId
    lsn: Lsn
    #: The error's stable code.
    code: str
    reason: str
    attempts: int
    at: datetime
