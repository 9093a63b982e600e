"""Rows whose content a source keeps, on their way into a collection.

A vector is only ever made of the content whose hash the log has. Where the source has moved
on, its newer version is taken into the log, where it gets a position of its own, and the
older one is passed over as if it had been superseded before the window opened: the log has
one row a document, so a window that finds it gone is nothing new. Where the source has no
content at all, the version becomes a dead letter; a delete stays what a poll or a sweep
finds, for a table that lost its rows looks the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from repoint.domain.document import Document, LogRow
from repoint.domain.errors import FieldTypeError, NoContentError
from repoint.domain.ids import DocumentId
from repoint.domain.source import Record, Source
from repoint.operations.originals import Found, Losses, elsewhere, required
from repoint.operations.spaces import Space
from repoint.ports.clock import Clock
from repoint.ports.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Usable:
    """What is left of some rows."""

    #: With their content, those without any among them; none that the log has superseded.
    rows: Sequence[LogRow]
    #: Documents that have no content, and why.
    lost: Mapping[DocumentId, NoContentError]


class Referred:
    """Reads content for one release's sync. Safe to use from many threads."""

    def __init__(self, store: Store, space: Space, clock: Clock) -> None:
        self._store = store
        self._index = space.release.index
        self._originals = space.originals
        self._clock = clock
        self._losses = Losses()

    def of(self, rows: Sequence[LogRow]) -> Usable:
        """Return the rows that can be worked, and take in what a source says otherwise.

        Raises:
            SourceUnavailableError: a source does not answer; nothing of these rows is done.
        """
        kept = elsewhere(rows)
        if not kept:
            return Usable(rows=rows, lost={})
        found = required(self._originals).find(self._index, kept, self._losses)
        if found.moved:
            self._take_in({one.id: one for one in kept}, found)
        whole = {row.id: row for row in found.filled(rows)}
        return Usable(
            rows=[
                whole.get(row.id, row)
                for row in rows
                if row.id in whole or row.id in found.lost
            ],
            lost=found.lost,
        )

    def _take_in(self, before: Mapping[DocumentId, Document], found: Found) -> None:
        while found.moved:
            try:
                self._append(before, found.moved)
            except FieldTypeError as error:
                name = DocumentId(error.document)
                source, _ = found.moved.pop(name)
                found.lost[name] = NoContentError(
                    source=source.name, document=name, why=error.message
                )
            else:
                return

    def _append(
        self,
        before: Mapping[DocumentId, Document],
        moved: Mapping[DocumentId, tuple[Source, Record]],
    ) -> None:
        with self._store.begin() as tx:
            now = tx.log.get(self._index, list(moved))
            # Only in place of the version that was asked for: what came meanwhile is newer.
            still = {
                name: said
                for name, said in moved.items()
                if name in now and now[name].document == before[name]
            }
            changes = [source.given(record) or name for name, (source, record) in still.items()]
            if changes:
                tx.log.append(self._index, changes, at=self._clock.now())
            for name, (source, record) in still.items():
                if record.document is None:
                    tx.sources.unnote(self._index, source.name, [name])
