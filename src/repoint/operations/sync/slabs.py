"""Read a range and prepare it, in slabs bounded by texts and by characters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from repoint.domain.catchup import DeadLetter, Lease
from repoint.domain.document import Chunk, LogRow
from repoint.domain.errors import InputRejectedError
from repoint.domain.ids import DocumentId
from repoint.operations.originals import elsewhere
from repoint.operations.sync.referred import Referred, Usable
from repoint.operations.sync.sizes import Sizes
from repoint.ports.store import Store
from repoint.ports.text import Preparer

#: Rows of the first page, while nobody knows how long they are, and the least of any.
_FIRST: Final = 128
_LEAST: Final = 8


@dataclass(slots=True, kw_only=True)
class Slab:
    """Consecutive rows, prepared; they are embedded, fenced and written together."""

    #: How many slots earlier versions took, read after the lease was taken.
    recorded: dict[DocumentId, int] = field(default_factory=dict)
    rows: list[LogRow] = field(default_factory=list)
    #: What is to be embedded of each row: nothing of a tombstone, of an empty text, of a
    #: version that is refused.
    chunks: list[Sequence[Chunk]] = field(default_factory=list)
    #: How many chunks each row has, embedded or not.
    sizes: list[int] = field(default_factory=list)
    #: Places of rows that preparation refuses, and why.
    refused: dict[int, InputRejectedError] = field(default_factory=dict)
    #: Places of rows that an earlier attempt found refused.
    settled: set[int] = field(default_factory=set)
    texts: int = 0
    characters: int = 0

    def add(
        self,
        row: LogRow,
        preparer: Preparer,
        *,
        settled: bool = False,
        lost: InputRejectedError | None = None,
    ) -> None:
        """Prepare one row and take it in; ``lost`` says why there is nothing to prepare."""
        chunks: Sequence[Chunk] = ()
        if lost is not None:
            self.refused[len(self.rows)] = lost
        elif row.document is not None:
            try:
                chunks = preparer.prepare(row.document)
            except InputRejectedError as error:
                self.refused[len(self.rows)] = error
        self.sizes.append(len(chunks))
        if settled:
            self.refused.pop(len(self.rows), None)
            self.settled.add(len(self.rows))
            chunks = ()
        self.rows.append(row)
        self.chunks.append(chunks)
        self.texts += len(chunks)
        for chunk in chunks:
            self.characters += len(chunk.text)


class Slabs:
    """Reads ranges for one sync; learns how long rows are, so that a page stays bounded."""

    def __init__(
        self, store: Store, preparer: Preparer, sizes: Sizes, referred: Referred
    ) -> None:
        self._store = store
        self._preparer = preparer
        self._referred = referred
        self._sizes = sizes
        self._page = min(_FIRST, sizes.range_rows)
        # One after another: together they would only keep each other, and whoever already
        # has something to embed, from the interpreter.
        self._turn = Lock()

    def of(
        self,
        lease: Lease,
        *,
        letters: Mapping[DocumentId, DeadLetter],
        at_most: Callable[[], int | None],
    ) -> Iterator[Slab]:
        """Yield the range's rows in LSN order, slab by slab.

        Reading comes after leasing, so what is recorded of slots is all that any earlier
        window can have declared.
        """
        slabs = self._slabs(lease, letters if lease.attempt > 1 else {}, at_most)
        while True:
            with self._turn:
                slab = next(slabs, None)
            if slab is None:
                return
            yield slab

    def _slabs(
        self,
        lease: Lease,
        letters: Mapping[DocumentId, DeadLetter],
        at_most: Callable[[], int | None],
    ) -> Iterator[Slab]:
        above, sizes = lease.low, self._sizes
        slab = Slab()
        while above < lease.high:
            pace = at_most()
            limit = min(self._page, pace or self._page)
            with self._store.read() as view:
                rows = view.log.rows(lease.index, above=above, upto=lease.high, limit=limit)
                ids = [row.id for row in rows]
                recorded = view.catchup.slots(lease.index, lease.release, ids)
            found = self._found(rows)
            self._learn(found.rows)
            slab.recorded |= recorded
            for row in found.rows:
                known = letters.get(row.id)
                settled = known is not None and known.lsn == row.lsn
                slab.add(row, self._preparer, settled=settled, lost=found.lost.get(row.id))
                if slab.texts >= sizes.texts or slab.characters >= sizes.characters:
                    yield slab
                    slab = Slab(recorded=dict(recorded))
            if pace is not None and slab.rows:  # a slower pace is one of smaller steps
                yield slab
                slab = Slab()
            if len(rows) < limit:
                break
            above = rows[-1].lsn
        if slab.rows:
            yield slab

    def _found(self, rows: Sequence[LogRow]) -> Usable:
        """Return the rows with what a source keeps of them; others prepare meanwhile."""
        if not elsewhere(rows):
            return Usable(rows=rows, lost={})
        self._turn.release()
        try:
            return self._referred.of(rows)
        finally:
            self._turn.acquire()

    def _learn(self, rows: Sequence[LogRow]) -> None:
        characters = sum(len(row.document.text) for row in rows if row.document is not None)
        mean = characters / max(len(rows), 1) + 1
        fitting = int(self._sizes.characters / mean)
        # At most eight times more at once: one page of short rows promises little.
        grown = min(fitting, max(self._page, 8 * len(rows)), self._sizes.range_rows)
        self._page = max(grown, min(_LEAST, self._sizes.range_rows))
