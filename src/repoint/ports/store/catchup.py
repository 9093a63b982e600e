"""The memory of sync."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from repoint.domain.catchup import Lease, Window
from repoint.domain.ids import DocumentId, IndexName, Lsn, ProcessId, ReleaseName


class Catchup(Protocol):
    """Watermarks, windows, leases and slots: the memory of sync."""

    def watermark(self, index: IndexName, release: ReleaseName) -> Lsn:
        """Return the LSN up to which the collection equals the log; 0 at first."""
        ...

    def restart(self, index: IndexName, release: ReleaseName) -> None:
        """Begin again from 0 for a collection that was lost and made anew.

        The only way that a watermark falls; refused while the release is active, fallback,
        or anything holds a lease of it. Slots are kept.
        """
        ...

    def window(self, index: IndexName, release: ReleaseName) -> Window | None:
        """Return the open window, None when there is none."""
        ...

    def open_window(
        self, index: IndexName, release: ReleaseName, *, bounds: Sequence[Lsn], high: Lsn
    ) -> Window:
        """Open the next window from the watermark to ``high``, one range up to each bound.

        The last bound may lie below ``high``: the rows between were superseded. With no
        bounds the watermark moves to ``high`` at once. An open window is returned as it is.

        Raises:
            ConflictError: ``high`` lies above the head or below the watermark (INV-3).
        """
        ...

    def lease(
        self,
        index: IndexName,
        release: ReleaseName,
        *,
        owner: ProcessId,
        now: datetime,
        until: datetime,
    ) -> Lease | None:
        """Take a range that nobody holds, or whose lease ran out [one-holder]; else None."""
        ...

    def renew(self, lease: Lease, *, until: datetime) -> Lease:
        """Keep a range longer.

        Raises:
            LostLeaseError: someone took it, or its window is closed [fenced].
        """
        ...

    def give_back(self, lease: Lease) -> None:
        """Let a range be taken by another at once; a lost lease is no error."""
        ...

    def free(self, owner: ProcessId) -> int:
        """Give back all that a process holds, which is dead; return how many ranges [freed]."""
        ...

    def complete(self, lease: Lease) -> Lsn | None:
        """Mark a range done; when it is the window's last, move the watermark and return it.

        Raises:
            LostLeaseError: as ``renew``; nothing was marked.
        """
        ...

    def slots(
        self, index: IndexName, release: ReleaseName, ids: Sequence[DocumentId]
    ) -> dict[DocumentId, int]:
        """Return how many slots any version ever took; absent means at most one."""
        ...

    def declare_slots(self, lease: Lease, slots: Mapping[DocumentId, int]) -> None:
        """Record, before writing, that documents take this many slots; numbers only rise.

        Raises:
            LostLeaseError: as ``renew``; nothing was recorded, and the caller must not write.
        """
        ...
