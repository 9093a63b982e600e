"""Write chosen documents beside the windows: repairs, retries, deletes before a rollback.

Nothing here holds a lease, because nothing here needs one: it only writes versions at or
below the watermark, whose slots were declared before the watermark could pass them, and
tombstones; ``Collection.put`` lets the newest LSN win. What a window writes meanwhile is
newer and covers every slot on record, so either order ends the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

import numpy as np

from repoint.domain.catchup import DeadLetter
from repoint.domain.document import Entry, LogRow
from repoint.domain.errors import NoContentError, RefusedError, RowsRefusedError
from repoint.domain.ids import DocumentId, Lsn
from repoint.operations.spaces import Space
from repoint.operations.sync.control import Control
from repoint.operations.sync.emptying import empty_slots
from repoint.operations.sync.fence import entries, letter
from repoint.operations.sync.referred import Referred
from repoint.operations.sync.slabs import Slab
from repoint.operations.sync.taking import put_what_is_taken
from repoint.operations.sync.values import Limits
from repoint.operations.sync.vectors import Embeddings, Vectors
from repoint.ports.backend import SpaceMatrix, StoredBatch
from repoint.ports.clock import Clock
from repoint.ports.store import Store

#: Documents, or rows, worked on together.
_BATCH: Final = 256
_PAGE: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedNow:
    """What became of documents that were to be written at once."""

    #: Written with their content.
    written: int
    #: Emptied: deleted in the log, unknown to it, or without text.
    emptied: int
    #: Rows physically deleted first, because no newer write could have replaced them.
    purged: int
    #: Refused again, by the model or the database.
    refused: int
    #: Left to sync: the newest version lies above the watermark.
    left: tuple[DocumentId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingDeletes:
    """What became of the deletes between a watermark and the head."""

    written: int
    #: False while a window that opened before them is being worked: some worker may still
    #: add chunks of a version from before the delete. They go with the next sync; wait for
    #: that before this release answers.
    settled: bool


def apply_now(
    store: Store, space: Space, ids: Sequence[DocumentId], *, clock: Clock
) -> AppliedNow:
    """Make the collection hold exactly what the log says of these documents.

    Embeds them afresh, so it also heals vectors. Writes again what is right already, and
    removes what the log does not know. A version that is refused becomes a dead letter or
    stays one; one that succeeds stops being one. Safe beside a sync; doing it twice
    changes nothing.

    Raises:
        UnavailableError: the model or the database did not answer; ask again.
    """
    results = [
        _AtOnce(store, space, clock).apply(batch) for batch in _batches(dict.fromkeys(ids))
    ]
    return AppliedNow(
        written=sum(result.written for result in results),
        emptied=sum(result.emptied for result in results),
        purged=sum(result.purged for result in results),
        refused=sum(result.refused for result in results),
        left=tuple(one for result in results for one in result.left),
    )


def apply_deletes_first(store: Store, space: Space) -> PendingDeletes:
    """Write the tombstones between watermark and head, before any pending edit.

    The watermark stays: the next sync passes over them again. Doing it twice changes
    nothing.

    Raises:
        UnavailableError: the database did not confirm; ask again.
    """
    index, name = space.release.index, space.release.name
    with store.read() as view:
        watermark, head = view.catchup.watermark(index, name), view.log.head(index)
        pending = view.log.backlog(index, above=watermark, upto=head).tombstones
    if not pending:
        return PendingDeletes(written=0, settled=True)
    found: list[tuple[DocumentId, Lsn]] = []
    for rows in _pages(store, space, watermark, head):
        found += [(row.id, row.lsn) for row in rows if row.document is None]
    settled = empty_slots(store, space.release, space.collection, found)
    return PendingDeletes(written=len(found), settled=settled)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Log:
    """What the store says of some documents, at one moment."""

    rows: Mapping[DocumentId, LogRow]
    recorded: Mapping[DocumentId, int]
    letters: Mapping[DocumentId, DeadLetter]
    watermark: Lsn
    head: Lsn
    #: The rows that can be worked, with their content; see ``Referred``.
    usable: Mapping[DocumentId, LogRow] = field(default_factory=dict)
    lost: Mapping[DocumentId, NoContentError] = field(default_factory=dict)

    @classmethod
    def read(cls, store: Store, space: Space, ids: Sequence[DocumentId]) -> _Log:
        index, name = space.release.index, space.release.name
        with store.read() as view:
            return cls(
                rows=view.log.get(index, ids),
                recorded=view.catchup.slots(index, name, ids),
                letters={one.document: one for one in view.dead_letters.all(index, name)},
                watermark=view.catchup.watermark(index, name),
                head=view.log.head(index),
            )


@dataclass(frozen=True, slots=True)
class _Stored:
    """Per document in the collection: its highest LSN, and how many slots it takes up."""

    lsns: dict[DocumentId, Lsn]
    slots: dict[DocumentId, int]
    #: Documents with two rows for one slot; no write of ours replaces both.
    doubled: set[DocumentId]

    @classmethod
    def of(cls, batch: StoredBatch) -> _Stored:
        found = cls({}, {}, set())
        seen: set[tuple[DocumentId, int]] = set()
        for document, slot, lsn in zip(
            batch.documents, batch.slots.tolist(), batch.lsns.tolist(), strict=True
        ):
            if (document, slot) in seen:
                found.doubled.add(document)
            seen.add((document, slot))
            found.lsns[document] = max(found.lsns.get(document, Lsn(0)), Lsn(lsn))
            found.slots[document] = max(found.slots.get(document, 0), slot + 1)
        return found

    def foreign(self, log: _Log) -> list[DocumentId]:
        """Return documents that this log never wrote so.

        They are newer than a log that was read later, or stand twice in one place.
        """
        rows = log.rows
        return [
            one
            for one, lsn in self.lsns.items()
            if one in self.doubled or lsn > (rows[one].lsn if one in rows else log.head)
        ]


class _AtOnce:
    """Applies batches of documents for ``apply_now``."""

    def __init__(self, store: Store, space: Space, clock: Clock) -> None:
        self._store, self._space, self._clock = store, space, clock
        self._referred = Referred(store, space, clock)
        unhurried = Limits(heed_pace=False)
        control = Control(
            store, space.release, clock=clock, limits=unhurried, stop=lambda: False
        )
        self._embeddings = Embeddings(
            space.embedding, space.collection, control, exact_tokens=False
        )

    def apply(self, ids: Sequence[DocumentId]) -> AppliedNow:
        """Write one batch."""
        collection = self._space.collection
        stored = _Stored.of(collection.stored(ids))
        foreign = stored.foreign(_Log.read(self._store, self._space, ids))
        if foreign:
            collection.purge(foreign)
        # Read after the purge: what a sync wrote meanwhile, and the purge took with it,
        # is in the log by now, and is written again below.
        log = _Log.read(self._store, self._space, ids)
        found = self._referred.of(list(log.rows.values()))
        log = replace(log, usable={row.id: row for row in found.rows}, lost=found.lost)
        slab, left = self._slab(log, stored, purged=frozenset(foreign))
        vectors = self._embeddings.of(slab, reuse=())
        if vectors.failure is not None:
            raise vectors.failure
        written = entries(slab, vectors)
        refused: Mapping[DocumentId, RowsRefusedError] = {}
        if written:
            refused = put_what_is_taken(collection, written, vectors.matrix)
        unknown = [
            Entry(document=one, lsn=lsn, chunks=(), slots=stored.slots[one])
            for one, lsn in stored.lsns.items()
            if one not in log.rows and one not in foreign
        ]
        if unknown:
            collection.put(unknown, _no_vectors(self._space))
        self._record(log, slab, {**_by_name(slab, vectors), **refused})
        filled = sum(1 for entry in written if entry.chunks)
        return AppliedNow(
            written=filled - len(refused),
            emptied=len(written) - filled - len(vectors.refused) + len(unknown),
            purged=len(foreign),
            refused=len(vectors.refused) + len(refused),
            left=tuple(left),
        )

    def _slab(
        self, log: _Log, stored: _Stored, *, purged: frozenset[DocumentId]
    ) -> tuple[Slab, list[DocumentId]]:
        covered = {
            one: max(log.recorded.get(one, 1), stored.slots.get(one, 1)) for one in log.rows
        }
        slab = Slab(recorded=covered)
        left: list[DocumentId] = []
        undeclared: set[DocumentId] = set()
        for row in sorted(log.rows.values(), key=lambda row: row.lsn):
            above = row.lsn > log.watermark and row.id not in purged
            if above or row.id not in log.usable:
                left.append(row.id)
                continue
            whole, lost = log.usable[row.id], log.lost.get(row.id)
            slab.add(whole, self._space.preparer, lost=lost)
            if slab.sizes[-1] > log.recorded.get(row.id, 1):
                undeclared.add(row.id)
        if undeclared:
            # Nobody declared these versions, so nobody wrote them yet: sync will.
            rest = replace(log, rows={r.id: r for r in slab.rows if r.id not in undeclared})
            slab, _ = self._slab(rest, stored, purged=purged)
        return slab, [*left, *undeclared]

    def _record(
        self, log: _Log, slab: Slab, refused: Mapping[DocumentId, RefusedError]
    ) -> None:
        release = (self._space.release.index, self._space.release.name)
        letters, cleared = [], []
        for row in slab.rows:
            before = log.letters.get(row.id)
            error = refused.get(row.id)
            if error is not None:
                now = self._clock.now()
                letters.append(letter(row, error, release=release, before=before, now=now))
            elif before is not None and before.lsn <= row.lsn:
                cleared.append(row)
        if not (letters or cleared):
            return
        with self._store.begin() as tx:
            tx.dead_letters.put(letters)
            for row in cleared:
                tx.dead_letters.clear(*release, [row.id], upto=row.lsn)


def _by_name(slab: Slab, vectors: Vectors) -> dict[DocumentId, RefusedError]:
    return {slab.rows[place].id: error for place, error in vectors.refused.items()}


def _pages(store: Store, space: Space, above: Lsn, upto: Lsn) -> Iterator[list[LogRow]]:
    while True:
        with store.read() as view:
            rows = view.log.rows(space.release.index, above=above, upto=upto, limit=_PAGE)
        yield rows
        if len(rows) < _PAGE:
            return
        above = rows[-1].lsn


def _batches(ids: Mapping[DocumentId, None]) -> Iterator[list[DocumentId]]:
    every = iter(ids)
    while batch := list(islice(every, _BATCH)):
        yield batch


def _no_vectors(space: Space) -> SpaceMatrix:
    dimensions = space.collection.spec.dimensions
    return SpaceMatrix(space.embedding.space, np.empty((0, dimensions), dtype=np.float32))
