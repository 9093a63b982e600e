"""Write a slab behind the fence, so that no late writer ever brings anything old back.

A worker may stall for any time between any two of its steps: its lease runs out, others
redo its range, later windows edit or delete its documents, and then its ``put`` arrives.
No lock can stop a request that is already on its way, so what has arrived must lose by
itself. It does, by three rules kept here:

1. **Newest LSN wins** in every slot of a document (``Collection.put`` promises it), and a
   document has one LSN a version.
2. **Declare before writing.** The slots that a version takes are on record, in a
   transaction that verifies the lease, before the version is written. A worker that lost
   its lease is refused there and writes nothing; one that had declared before can only
   reach slots that are on record.
3. **Cover what is on record.** A version writes every slot on record, emptying those it
   has no chunk for; a tombstone empties them all, and is always written.

So for any late ``put`` of an older version: its slots were on record before the newer
window opened (a window opens only when no lease of the one before is valid), hence the newer
version wrote all of them at a higher LSN, or will; whichever arrives first, the newer
stands. ``docs/explanation/zombie-writers.md`` says the same at length, and
``tests/unit/operations/sync/test_zombies.py`` attacks it.

Attempts at the same version write the same: preparation is pure, and a version on record
as a dead letter is emptied again by a later attempt without asking the model anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from repoint.domain.catchup import DeadLetter, Lease
from repoint.domain.document import Entry, LogRow
from repoint.domain.errors import RefusedError, RowsRefusedError
from repoint.domain.ids import DocumentId, IndexName, ReleaseName
from repoint.operations.sync.slabs import Slab
from repoint.operations.sync.taking import put_what_is_taken
from repoint.operations.sync.vectors import Vectors
from repoint.ports.backend import Collection
from repoint.ports.clock import Clock
from repoint.ports.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """Writes slabs of one release; every write is declared first."""

    store: Store
    collection: Collection
    clock: Clock
    #: How long a range is kept from the declaration on.
    length: timedelta

    def write(
        self, lease: Lease, slab: Slab, vectors: Vectors, known: Mapping[DocumentId, DeadLetter]
    ) -> int:
        """Declare, then write, the rows that have their vectors; return the new dead letters.

        Raises:
            LostLeaseError: someone else has the range; nothing was written, or it is known
                to be refused.
            UnavailableError: the database did not confirm; write it again.
        """
        if not vectors.rows:
            return 0
        letters = self._letters(lease, slab, vectors, known)
        self._declare(lease, slab, vectors, known, letters)
        refused = put_what_is_taken(self.collection, entries(slab, vectors), vectors.matrix)
        if refused:
            more = self._of_rows(lease, slab, refused, known)
            with self.store.begin() as tx:
                tx.catchup.renew(lease, until=self.clock.now() + self.length)
                tx.dead_letters.put(more)
        return len(letters) + len(refused)

    def _declare(
        self,
        lease: Lease,
        slab: Slab,
        vectors: Vectors,
        known: Mapping[DocumentId, DeadLetter],
        letters: list[DeadLetter],
    ) -> None:
        recorded = slab.recorded
        rising = {
            row.id: size
            for row, size in zip(slab.rows[: vectors.rows], slab.sizes, strict=False)
            if size > 1 and size > recorded.get(row.id, 1)
        }
        cleared = _cleared(slab, vectors, known) if known else []
        with self.store.begin() as tx:
            if rising:
                tx.catchup.declare_slots(lease, rising)
            else:
                tx.catchup.renew(lease, until=self.clock.now() + self.length)
            if letters:
                tx.dead_letters.put(letters)
            if cleared:
                upto = slab.rows[vectors.rows - 1].lsn
                tx.dead_letters.clear(lease.index, lease.release, cleared, upto=upto)

    def _of_rows(
        self,
        lease: Lease,
        slab: Slab,
        refused: Mapping[DocumentId, RowsRefusedError],
        known: Mapping[DocumentId, DeadLetter],
    ) -> list[DeadLetter]:
        return [
            letter(
                row,
                refused[row.id],
                release=(lease.index, lease.release),
                before=known.get(row.id),
                now=self.clock.now(),
            )
            for row in slab.rows
            if row.id in refused
        ]

    def _letters(
        self, lease: Lease, slab: Slab, vectors: Vectors, known: Mapping[DocumentId, DeadLetter]
    ) -> list[DeadLetter]:
        return [
            letter(
                slab.rows[place],
                error,
                release=(lease.index, lease.release),
                before=known.get(slab.rows[place].id),
                now=self.clock.now(),
            )
            for place, error in vectors.refused.items()
        ]


def entries(slab: Slab, vectors: Vectors) -> list[Entry]:
    """Return what is to be written of a slab, each version covering all slots on record."""
    recorded, refused = slab.recorded, vectors.refused
    found = []
    for place, row in enumerate(slab.rows[: vectors.rows]):
        chunks = () if place in refused else slab.chunks[place]
        document = row.document
        found.append(
            Entry(
                document=row.id,
                lsn=row.lsn,
                chunks=chunks,
                # As declared, also for a refused version: a later retry fits into it.
                slots=max(recorded.get(row.id, 1), slab.sizes[place]),
                metadata=document.metadata if chunks and document is not None else {},
                content=document,
            )
        )
    return found


def letter(
    row: LogRow,
    error: RefusedError,
    *,
    release: tuple[IndexName, ReleaseName],
    before: DeadLetter | None,
    now: datetime,
) -> DeadLetter:
    """Return the record of a version that the release cannot take."""
    again = before is not None and before.lsn == row.lsn
    return DeadLetter(
        index=release[0],
        release=release[1],
        document=row.id,
        lsn=row.lsn,
        code=error.code,
        reason=error.message,
        attempts=before.attempts + 1 if before is not None and again else 1,
        at=now,
    )


def _cleared(
    slab: Slab, vectors: Vectors, known: Mapping[DocumentId, DeadLetter]
) -> list[DocumentId]:
    return [
        row.id
        for place, row in enumerate(slab.rows[: vectors.rows])
        if row.id in known and place not in vectors.refused and place not in slab.settled
    ]
