"""Windows and leases: which part of the log a worker takes next, and for how long.

A window has a fixed upper LSN; its ranges are worked in any order by anybody; the next one
opens when all are done. What a lease protects, and what it does not, is in ``fence``.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from repoint.domain.catchup import Lease
from repoint.domain.errors import LostLeaseError, RepointError, UnavailableError
from repoint.domain.ids import Lsn, ProcessId
from repoint.domain.release import Release
from repoint.operations.sync.values import Limits
from repoint.ports.clock import Clock
from repoint.ports.store import Store, Transaction

#: Seconds to wait for a range that another process holds.
_POLL: Final = 0.2
#: Rows of a window at most: until its end the watermark stands, and newer versions wait.
_WINDOW: Final = 2**16
#: A stretch of the log with few rows left in it is taken this much longer.
_STRETCH: Final = 4


class Desk:
    """Hands out leases of one release up to a target. Safe to use from many threads."""

    def __init__(  # noqa: PLR0913 - built in one place, from what ``sync`` was given
        self,
        store: Store,
        release: Release,
        *,
        owner: ProcessId,
        clock: Clock,
        limits: Limits,
        target: Lsn,
        range_rows: int,
    ) -> None:
        self._store = store
        self._release = release
        self._owner = owner
        self._clock = clock
        self._limits = limits
        self._target = target
        self._range_rows = range_rows
        self._opening = threading.Lock()
        self._changed = threading.Condition()
        self._held: dict[tuple[int, int], Lease] = {}
        #: How often something happened here after which a range may be free.
        self._news = 0
        #: Ranges of the open window that were not done, when none of them was free.
        self._undone = 0
        self._ranges = max(1, min(limits.ranges, _WINDOW // range_rows))
        self._span = range_rows * self._ranges
        #: How far the release is, as last seen.
        self.watermark = Lsn(0)

    @property
    def finished(self) -> bool:
        """Whether the target was reached."""
        return self.watermark >= self._target

    def take(self) -> Lease | None:
        """Return a range to work on; None when it is finished, or others took all meanwhile.

        Waits while there is none, but no longer than until something happened.
        """
        with self._changed:
            news = self._news
        with self._opening, self._store.begin() as tx:
            watermark = self._opened(tx)
            lease = self._leased(tx) if watermark < self._target else None
            if lease is None and watermark < self._target:
                window = tx.catchup.window(self._release.index, self._release.name)
                self._undone = window.ranges - window.done if window else 0
        self.watermark = max(self.watermark, watermark)
        if lease is not None:
            self._hold(lease)
        elif not self.finished:
            self._wait(news)
        return lease

    def complete(self, lease: Lease, *, more: bool) -> tuple[bool, Lease | None]:
        """Mark a range as done; say whether that closed its window, and give the next one.

        With ``more`` another range of the window is taken in the same transaction, if one
        is free.

        Raises:
            LostLeaseError: someone else has it; nothing was marked.
        """
        with self._store.begin() as tx:
            reached = tx.catchup.complete(lease)
            following = self._leased(tx) if more and reached is None else None
        if reached is not None:
            self.watermark = max(self.watermark, reached)
        self._release_from(lease, news=reached is not None)
        if following is not None:
            self._hold(following)
        return reached is not None, following

    def give_back(self, lease: Lease) -> None:
        """Let somebody else have the range at once."""
        try:
            with self._store.begin() as tx:
                tx.catchup.give_back(lease)
        finally:
            self.drop(lease)

    def abandon(self, lease: Lease) -> None:
        """Give back after an error, which stays the one that is told."""
        try:
            self.give_back(lease)
        except RepointError:
            # The store may be what failed; the lease runs out by itself.
            return

    def drop(self, lease: Lease) -> None:
        """Hold a range no longer, without telling the store."""
        self._release_from(lease, news=True)

    def holds(self, lease: Lease) -> bool:
        """Whether nobody was seen to have taken the range away."""
        with self._changed:
            held = self._held.get((lease.window, lease.number))
            return held is not None and held.attempt == lease.attempt

    def keep(self) -> None:
        """Renew every lease held, and drop those that were lost."""
        with self._changed:
            held = list(self._held.values())
        for lease in held:
            try:
                with self._store.begin() as tx:
                    tx.catchup.renew(lease, until=self._clock.now() + self._limits.lease)
            except LostLeaseError:
                self.drop(lease)
            except UnavailableError:
                # Not fatal by itself: the next round tries again, and whoever writes
                # without a valid lease is refused at the fence.
                return

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Let no thread of this process take a range within the block."""
        with self._opening:
            yield

    def _hold(self, lease: Lease) -> None:
        with self._changed:
            self._held[lease.window, lease.number] = lease

    def _release_from(self, lease: Lease, *, news: bool) -> None:
        with self._changed:
            held = self._held.get((lease.window, lease.number))
            if held is not None and held.attempt == lease.attempt:
                del self._held[lease.window, lease.number]
            if news or not self._held:
                self._news += 1
                self._changed.notify_all()

    def _wait(self, news: int) -> None:
        """Return when a range may have become free since there were so many news.

        Where this desk holds all that is not done, nobody else can free anything, so the
        store need not be asked; but a lease may be lost, and ``keep`` has not seen it yet.
        """
        with self._changed:
            if self._held:
                alone = len(self._held) >= self._undone
                patience = self._limits.lease.total_seconds() / 3 if alone else _POLL
                self._changed.wait_for(lambda: self._news != news, patience)
                return
        self._clock.sleep(_POLL)

    def _opened(self, tx: Transaction) -> Lsn:
        """Return the watermark, below which a window is open now unless it is the target."""
        index, name = self._release.index, self._release.name
        watermark = tx.catchup.watermark(index, name)
        while watermark < self._target and tx.catchup.window(index, name) is None:
            self._open(tx, watermark)
            watermark = tx.catchup.watermark(index, name)
        return watermark

    def _leased(self, tx: Transaction) -> Lease | None:
        now = self._clock.now()
        return tx.catchup.lease(
            self._release.index,
            self._release.name,
            owner=self._owner,
            now=now,
            until=now + self._limits.lease,
        )

    def _open(self, tx: Transaction, watermark: Lsn) -> None:
        index, name = self._release.index, self._release.name
        while True:
            high = Lsn(min(self._target, watermark + self._span))
            bounds = tx.log.bounds(index, above=watermark, upto=high, every=self._range_rows)
            if high == self._target or 2 * len(bounds) >= self._ranges:
                break
            self._span *= _STRETCH  # most rows here were superseded: look further
        tx.catchup.open_window(index, name, bounds=bounds, high=high)
