"""Bring a release's collection into step with the log (DESIGN section 3).

Backfill, catch-up, dual writing, replay after a rollback: one operation. The log is worked
in windows with a fixed upper LSN, whose ranges are leased to any number of threads and
processes (``desk``). A range is read and prepared in slabs (``slabs``), embedded
(``vectors``), and written behind a fence (``fence``); only when all of it was written is
it marked as done, and only when a window's last range is done does the watermark move. So
a crash repeats work and never skips it (INV-2, INV-3, INV-9).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from repoint.domain.catchup import DeadLetter, Lease
from repoint.domain.errors import LostLeaseError
from repoint.domain.ids import DocumentId, Lsn, ProcessId
from repoint.operations.spaces import Space
from repoint.operations.sync import crew, garbage
from repoint.operations.sync.control import Control
from repoint.operations.sync.desk import Desk
from repoint.operations.sync.fence import Fence
from repoint.operations.sync.meter import Meter
from repoint.operations.sync.referred import Referred
from repoint.operations.sync.sizes import Sizes
from repoint.operations.sync.slabs import Slab, Slabs
from repoint.operations.sync.upkeep import Upkeep
from repoint.operations.sync.values import Limits, Progress, SyncReport
from repoint.operations.sync.vectors import Embeddings, maybe_stored
from repoint.ports.clock import Clock
from repoint.ports.store import Store

#: Threads beside those in the model: one prepares what comes next, one writes.
_BESIDE: Final = 2


def sync(  # noqa: PLR0913 - each keyword is one thing that a caller may want different
    store: Store,
    space: Space,
    *,
    owner: ProcessId,
    clock: Clock,
    limits: Limits | None = None,
    progress: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
    upkeep: Upkeep | None = None,
) -> SyncReport:
    """Bring the collection from its watermark to the log's head as of the call.

    Any number of processes may do this at once; they share the work. Whatever ends it
    early (stop, pause, freeze, budget, an error, a crash), the next call goes on from there.

    Raises:
        FrozenError: the index is frozen and the release does not answer.
        UnavailableError: the model or a database did not answer; ask again.
    """
    limits = limits or Limits()
    control = Control(
        store, space.release, clock=clock, limits=limits, stop=stop or (lambda: False)
    )
    index, name = space.release.index, space.release.name
    with store.read() as view:
        began, head = view.catchup.watermark(index, name), view.log.head(index)
        total = 0
        if progress is not None and began < head:
            total = view.log.backlog(index, above=began, upto=head).rows
    meter = Meter(space.release, clock=clock, total=total, progress=progress)
    watermark = began
    if began < head:
        control.start()
        worker = _Sync(
            store,
            space,
            owner=owner,
            clock=clock,
            limits=limits,
            control=control,
            meter=meter,
            upkeep=upkeep or Upkeep(),
            span=(began, head),
        )
        watermark = worker.run()
    return SyncReport(
        index=index,
        release=name,
        began=began,
        watermark=watermark,
        head=head,
        rows=meter.rows,
        tombstones=meter.tombstones,
        embedded=meter.embedded,
        reused=meter.reused,
        dead_letters=meter.letters,
        tokens=meter.tokens,
        seconds=meter.seconds,
        stopped=None if watermark >= head else control.reason(),
    )


class _Sync:
    """One call of ``sync``: what its threads share."""

    def __init__(  # noqa: PLR0913 - built in one place, from what ``sync`` was given
        self,
        store: Store,
        space: Space,
        *,
        owner: ProcessId,
        clock: Clock,
        limits: Limits,
        control: Control,
        meter: Meter,
        upkeep: Upkeep,
        span: tuple[Lsn, Lsn],
    ) -> None:
        release, traits = space.release, space.embedding.embedder.traits
        self._store, self._space, self._limits = store, space, limits
        self._control, self._meter, self._upkeep = control, meter, upkeep
        hands = limits.hands or max(traits.parallel, 1) + _BESIDE
        waiting = span[1] - span[0]
        sizes = Sizes.of(
            limits, traits, waiting=waiting, dimensions=space.collection.spec.dimensions
        )
        self._hands = min(hands, -(-waiting // sizes.range_rows))
        self._desk = Desk(
            store,
            release,
            owner=owner,
            clock=clock,
            limits=limits,
            target=span[1],
            range_rows=sizes.range_rows,
        )
        referred = Referred(store, space, clock)
        self._slabs = Slabs(store, space.preparer, sizes, referred)
        self._embeddings = Embeddings(
            space.embedding,
            space.collection,
            control,
            exact_tokens=limits.budget_tokens is not None,
        )
        self._fence = Fence(
            store=store, collection=space.collection, clock=clock, length=limits.lease
        )

    def run(self) -> Lsn:
        """Work until the target is reached or it is time to stop; return the watermark."""
        every = self._limits.lease.total_seconds() / 3
        with garbage.seldom(), crew.repeated(self._desk.keep, every=every):
            crew.run(self._hands, self._hand, halt=self._control.halt)
        self._meter.finish()
        if self._desk.finished:
            self._upkeep.at_the_head(self._space.collection, self._limits)
        return self._desk.watermark

    def _hand(self) -> None:
        """Take ranges, one after another, until nothing is left to take."""
        lease: Lease | None = None
        while lease is not None or not (self._desk.finished or self._control.ended()):
            lease = self._work(lease) if lease is not None else self._desk.take()

    def _work(self, lease: Lease) -> Lease | None:
        """Work one range; return the next, where that was taken together with its end."""
        following: Lease | None = None
        closed = False
        try:
            done = self._range(lease)
            if done:
                more = not self._control.ended()
                closed, following = self._desk.complete(lease, more=more)
        except LostLeaseError:
            # Whoever took it goes on with it; what was written here, they write again.
            self._desk.drop(lease)
            return None
        except BaseException:
            self._control.halt()
            self._desk.abandon(lease)
            raise
        if not done:
            self._desk.give_back(lease)
        elif closed and not self._desk.finished:
            with self._desk.quiet():
                self._upkeep.under_way(self._space.collection, self._limits)
        return following

    def _range(self, lease: Lease) -> bool:
        """Apply one range; False when it was time to stop before its end."""
        letters = self._letters()
        for slab in self._slabs.of(lease, letters=letters, at_most=self._control.slice):
            self._control.wait_for(len(slab.rows))
            if self._control.ended():
                return False
            if not self._desk.holds(lease):
                raise LostLeaseError(what=f"range {lease.number} of window {lease.window}")
            if not self._apply(lease, slab, letters):
                return False
        return True

    def _apply(self, lease: Lease, slab: Slab, letters: dict[DocumentId, DeadLetter]) -> bool:
        vectors = self._embeddings.of(slab, reuse=maybe_stored(slab, lease))
        refused = self._fence.write(lease, slab, vectors, letters)
        if vectors.rows:
            self._upkeep.wrote(vectors.rows)
        deleted = sum(row.document is None for row in slab.rows[: vectors.rows])
        self._meter.add(vectors, tombstones=deleted, letters=refused)
        if vectors.failure is not None:
            raise vectors.failure
        return vectors.rows == len(slab.rows)

    def _letters(self) -> dict[DocumentId, DeadLetter]:
        release = self._space.release
        with self._store.read() as view:
            found = view.dead_letters.all(release.index, release.name)
        return {letter.document: letter for letter in found}
