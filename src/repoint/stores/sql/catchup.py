"""Watermarks, windows, leases and slots: the memory of sync.

Only open windows have rows; a closed one leaves nothing but the watermark that it reached
and the count of windows, so the tables stay as small as the work in hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from repoint.domain.catchup import Lease, Window
from repoint.domain.errors import ConflictError, HeldError, LostLeaseError
from repoint.domain.ids import DocumentId, IndexName, Lsn, ProcessId, ReleaseName
from repoint.ports.clock import Clock
from repoint.stores.sql.dialect import insert, members
from repoint.stores.sql.releases import require_release, uses
from repoint.stores.sql.tables import indexes, ranges, slots, watermarks, windows


class SqlCatchup:
    """``ports.store.Catchup`` on one connection."""

    def __init__(self, connection: sa.Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    def watermark(self, index: IndexName, release: ReleaseName) -> Lsn:
        """Return the LSN up to which the collection equals the log; 0 at first."""
        found = self._connection.scalar(
            sa.select(watermarks.c.watermark).where(_of(watermarks, index, release))
        )
        if found is None:
            require_release(self._connection, index, release)
        return Lsn(found or 0)

    def restart(self, index: IndexName, release: ReleaseName) -> None:
        """Begin again from 0; see ``ports.store.Catchup``.

        Raises:
            HeldError: the release is active or fallback, or a range of it is leased.
        """
        require_release(self._connection, index, release)
        holders = [
            use for use in uses(self._connection, index, release) if not use.startswith("held")
        ]
        leased = self._connection.scalars(
            sa.select(ranges.c.owner).where(
                _of(ranges, index, release),
                ranges.c.done == 0,
                ranges.c.until > self._clock.now(),
            )
        )
        holders += [f"process {owner} works on it" for owner in leased]
        if holders:
            raise HeldError(index=index, release=release, holders=holders)
        self._connection.execute(sa.delete(windows).where(_of(windows, index, release)))
        self._connection.execute(
            sa.update(watermarks)
            .where(_of(watermarks, index, release))
            .values(watermark=0, generation=watermarks.c.generation + 1)
        )

    def window(self, index: IndexName, release: ReleaseName) -> Window | None:
        """Return the open window, None when there is none."""
        row = self._connection.execute(
            sa.select(windows).where(_of(windows, index, release))
        ).one_or_none()
        if row is None:
            return None
        count = self._connection.execute(
            sa.select(
                sa.func.count().label("ranges"),
                sa.func.coalesce(sa.func.sum(ranges.c.done), 0).label("done"),
            ).where(_of(ranges, index, release))
        ).one()
        return Window(
            index=index,
            release=release,
            number=row.number,
            low=Lsn(row.low),
            high=Lsn(row.high),
            ranges=count.ranges,
            done=count.done,
        )

    def open_window(
        self, index: IndexName, release: ReleaseName, *, bounds: Sequence[Lsn], high: Lsn
    ) -> Window:
        """Open the next window from the watermark to ``high``; see ``ports.store.Catchup``.

        Raises:
            ValueError: the bounds do not rise from the watermark to ``high``.
        """
        if (found := self.window(index, release)) is not None:
            return found
        low = self.watermark(index, release)
        self._require_within(index, release, low=low, high=high)
        lows = [low, *bounds[:-1]]
        if bounds and (
            any(upper <= lower for lower, upper in zip(lows, bounds, strict=True))
            or bounds[-1] > high
        ):
            raise ValueError(f"bounds must rise from {low} to {high}: {list(bounds)}")
        number = self._next_number(index, release)
        if bounds:
            self._insert_window(index, release, number, lows=lows, bounds=bounds, high=high)
        else:
            self._move_watermark(index, release, high)
        return Window(
            index=index,
            release=release,
            number=number,
            low=low,
            high=high,
            ranges=len(bounds),
            done=0,
        )

    def lease(
        self,
        index: IndexName,
        release: ReleaseName,
        *,
        owner: ProcessId,
        now: datetime,
        until: datetime,
    ) -> Lease | None:
        """Take a range that nobody holds, or whose lease ran out; None: none is free."""
        row = self._connection.execute(
            sa.select(ranges)
            .where(
                _of(ranges, index, release),
                ranges.c.done == 0,
                sa.or_(ranges.c.owner.is_(None), ranges.c.until <= now),
            )
            .order_by(ranges.c.number)
            .limit(1)
        ).one_or_none()
        if row is None:
            return None
        lease = Lease(
            index=index,
            release=release,
            window=row.window,
            watermark=self.watermark(index, release),
            number=row.number,
            low=Lsn(row.low),
            high=Lsn(row.high),
            owner=owner,
            attempt=row.attempt + 1,
            until=until,
        )
        self._connection.execute(
            sa.update(ranges)
            .where(_is_range(lease))
            .values(owner=owner, attempt=lease.attempt, until=until)
        )
        return lease

    def renew(self, lease: Lease, *, until: datetime) -> Lease:
        """Keep a range longer."""
        kept = self._connection.execute(
            sa.update(ranges).where(_is_held(lease), ranges.c.done == 0).values(until=until)
        )
        if kept.rowcount != 1:
            raise _lost(lease)
        return Lease(
            index=lease.index,
            release=lease.release,
            window=lease.window,
            watermark=lease.watermark,
            number=lease.number,
            low=lease.low,
            high=lease.high,
            owner=lease.owner,
            attempt=lease.attempt,
            until=until,
        )

    def give_back(self, lease: Lease) -> None:
        """Let a range be taken by another at once; a lost lease is no error."""
        self._connection.execute(
            sa.update(ranges)
            .where(_is_held(lease), ranges.c.done == 0)
            .values(owner=None, until=None)
        )

    def free(self, owner: ProcessId) -> int:
        """Give back all that a process holds, which is dead; return how many ranges."""
        freed = self._connection.execute(
            sa.update(ranges)
            .where(ranges.c.owner == owner, ranges.c.done == 0)
            .values(owner=None, until=None)
        )
        return freed.rowcount

    def complete(self, lease: Lease) -> Lsn | None:
        """Mark a range done; when it is the window's last, move the watermark and return it.

        Completing again what the same lease completed changes nothing, so that a caller
        who does not know whether its commit arrived can ask again.
        """
        marked = self._connection.execute(
            sa.update(ranges).where(_is_held(lease)).values(done=1)
        )
        if marked.rowcount != 1:
            raise _lost(lease)
        window = self.window(lease.index, lease.release)
        if window is None or window.done < window.ranges:
            return None
        self._connection.execute(
            sa.delete(windows).where(_of(windows, lease.index, lease.release))
        )
        self._move_watermark(lease.index, lease.release, window.high)
        return window.high

    def slots(
        self, index: IndexName, release: ReleaseName, ids: Sequence[DocumentId]
    ) -> dict[DocumentId, int]:
        """Return how many slots any version of a document ever took; absent: at most one."""
        found = self._connection.execute(
            sa.select(slots.c.document, slots.c.slots).where(
                _of(slots, index, release), slots.c.document.in_(members(ids))
            )
        )
        return {DocumentId(row.document): row.slots for row in found}

    def declare_slots(self, lease: Lease, slots: Mapping[DocumentId, int]) -> None:
        """Record, before writing, that documents take this many slots; numbers only rise."""
        held = self._connection.scalar(
            sa.select(ranges.c.number).where(_is_held(lease), ranges.c.done == 0)
        )
        if held is None:
            raise _lost(lease)
        _raise_slots(self._connection, lease, slots)

    def _require_within(
        self, index: IndexName, release: ReleaseName, *, low: Lsn, high: Lsn
    ) -> None:
        """Refuse a window that would let the watermark fall or pass the head (INV-3)."""
        head = self._connection.scalar(sa.select(indexes.c.head).where(indexes.c.name == index))
        if not low <= high <= (head or 0):
            raise ConflictError(
                f"a window of {release!r} cannot end at {high}: its watermark is {low} and "
                f"the head of index {index!r} is {head}"
            )

    def _next_number(self, index: IndexName, release: ReleaseName) -> int:
        self._connection.execute(
            sa.update(watermarks)
            .where(_of(watermarks, index, release))
            .values(windows=watermarks.c.windows + 1)
        )
        return int(
            self._connection.scalars(
                sa.select(watermarks.c.windows).where(_of(watermarks, index, release))
            ).one()
        )

    def _insert_window(
        self,
        index: IndexName,
        release: ReleaseName,
        number: int,
        *,
        lows: Sequence[Lsn],
        bounds: Sequence[Lsn],
        high: Lsn,
    ) -> None:
        self._connection.execute(
            sa.insert(windows).values(
                index_name=index, release=release, number=number, low=lows[0], high=high
            )
        )
        self._connection.execute(
            sa.insert(ranges),
            [
                {
                    "index_name": index,
                    "release": release,
                    "window": number,
                    "number": position,
                    "low": low,
                    "high": bound,
                    "attempt": 0,
                    "done": 0,
                }
                for position, (low, bound) in enumerate(zip(lows, bounds, strict=True), 1)
            ],
        )

    def _move_watermark(self, index: IndexName, release: ReleaseName, to: Lsn) -> None:
        self._connection.execute(
            sa.update(watermarks).where(_of(watermarks, index, release)).values(watermark=to)
        )


def _raise_slots(
    connection: sa.Connection, lease: Lease, wanted: Mapping[DocumentId, int]
) -> None:
    rows = [
        {
            "index_name": lease.index,
            "release": lease.release,
            "document": document,
            "slots": count,
        }
        for document, count in wanted.items()
        if count > 1  # absent means at most one
    ]
    if rows:
        statement = insert(connection, slots)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["index_name", "release", "document"],
                set_={"slots": statement.excluded.slots},
                where=statement.excluded.slots > slots.c.slots,
            ),
            rows,
        )


def _of(  # type: ignore[explicit-any]  # SQLAlchemy's own default for a table's columns
    table: sa.Table, index: IndexName, release: ReleaseName
) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.index_name == index, table.c.release == release)


def _is_range(lease: Lease) -> sa.ColumnElement[bool]:
    return sa.and_(
        _of(ranges, lease.index, lease.release),
        ranges.c.window == lease.window,
        ranges.c.number == lease.number,
    )


def _is_held(lease: Lease) -> sa.ColumnElement[bool]:
    """Whether the range is this lease's still: its attempt is the newest (the fence)."""
    return sa.and_(
        _is_range(lease), ranges.c.owner == lease.owner, ranges.c.attempt == lease.attempt
    )


def _lost(lease: Lease) -> LostLeaseError:
    return LostLeaseError(
        what=f"range {lease.number} of window {lease.window} of {lease.release!r} "
        f"in index {lease.index!r}"
    )
