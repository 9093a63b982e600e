"""A team's own collection as one of repoint's: its rows stay, and all notes stand beside.

A search asks the team's rows and then what is known of those that it found, so nothing is
returned that repoint does not know or that was deleted. A write goes into the team's rows
first and beside them second, a delete the other way round: wherever one ends, what is not
noted is not found, and writing again completes it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

import numpy as np

from repoint.beside.deviations import deviations
from repoint.beside.sides import Noted, Notes, TeamRow, TeamRows, noted
from repoint.beside.signatures import made_of, was_made
from repoint.domain.adoption import Bypass
from repoint.domain.document import Entry
from repoint.domain.errors import UnsupportedError
from repoint.domain.filters import Filter
from repoint.domain.ids import DocumentId, Lsn
from repoint.ports.adoption import Note
from repoint.ports.backend import (
    CollectionSpec,
    Counts,
    FloatMatrix,
    FloatVector,
    Hit,
    SpaceMatrix,
    SpaceVector,
    StoredBatch,
)
from repoint.ports.spaces import chunk_rows, query_values, scores
from repoint.ports.turns import Turns

#: Stands for a digest where the row is not as repoint left it; no digest is ever equal.
BYPASSED: Final = "bypassed"
#: The most rows of a filter that a search names one by one.
NAMED: Final = 2_000
#: Neighbours asked for beyond those wanted: some may be unknown to repoint.
SPARE: Final = 16
#: Seconds for which a search trusts that the collection is still this release's.
OWNED: Final = 0.5


class AdoptedCollection:
    """One collection of a team, and what is known of its rows."""

    def __init__(
        self, *, spec: CollectionSpec, driver: str, rows: TeamRows, notes: Notes, turns: Turns
    ) -> None:
        self._spec = spec
        self._driver = driver
        self._rows = rows
        self._notes = notes
        self._turns = turns
        self._owned = time.monotonic()

    @property
    def spec(self) -> CollectionSpec:
        """What it was adopted as, as the collection beside carries it."""
        return self._spec

    def put(self, entries: Sequence[Entry], vectors: SpaceMatrix) -> None:
        """Write whole documents into the team's own rows, each unless a higher LSN is seen."""
        matrix = chunk_rows(self._spec, entries, vectors)
        self._require_single(entries)
        places = iter(range(len(matrix)))
        filled = {entry.document: next(places) for entry in entries if entry.chunks}
        if not entries:
            return
        with self._turns.of(entry.document for entry in entries):
            self._require_own()
            new, standing = self._not_newer(entries)
            if chosen := [entry for entry in new if entry.chunks]:
                rows = matrix[[filled[entry.document] for entry in chosen]]
                self._fill(chosen, rows, standing)
            if emptied := [entry for entry in new if not entry.chunks]:
                self._empty(emptied, standing)

    def note(self, notes: Sequence[Note]) -> None:
        """Note rows that stand already, each unless a higher LSN is seen."""
        states = {note.entry.document: note.state for note in notes}
        with self._turns.of(states):
            self._require_own()
            new, _ = self._not_newer([note.entry for note in notes])
            kept = []
            for entry in new:
                state, made, key = states[entry.document].split(" ", 2)
                kept.append(noted(entry, key=key, state=state, made=made))
            self._notes.write(kept)

    def bypassed(self) -> Iterator[Bypass]:
        """Yield the documents that are not as repoint wrote or noted them."""
        self._require_own()
        return deviations(self._rows, self._notes)

    def search(
        self,
        query: SpaceVector,
        *,
        limit: int,
        where: Filter | None = None,
        exact: bool = False,
    ) -> list[Hit]:
        """Return the nearest known rows; exactly by reading every vector."""
        values = query_values(self._spec, query)
        if limit <= 0:
            return []
        if time.monotonic() - self._owned > OWNED:
            self._require_own()
        found = None if exact else self._by_index(values, limit=limit, where=where)
        if found is None:
            found = self._by_reading(values, limit=limit, where=where)
        return found[:limit]

    def search_text(self, text: str, *, limit: int, where: Filter | None = None) -> list[Hit]:
        """Refuse: no words of an adopted collection are ranked."""
        del text, limit, where
        raise UnsupportedError(
            driver=self._driver, what=f"text search in the adopted {self._spec.name}"
        )

    def stored(
        self, documents: Sequence[DocumentId], *, with_vectors: bool = False
    ) -> StoredBatch:
        """Return what stands for these documents, in their order."""
        self._require_own()
        wanted = list(dict.fromkeys(documents))
        known = self._notes.of(wanted)
        rows = self._rows_of(wanted, known)
        pairs = [(row, known.get(name)) for name in wanted for row in rows.get(name, ())]
        return self._batch(pairs, with_vectors=with_vectors)

    def scan(self, *, with_vectors: bool = False) -> Iterator[StoredBatch]:
        """Return an iterator over the rows, known to repoint or not."""
        self._require_own()
        return (
            self._batch(self._known(page), with_vectors=with_vectors)
            for page in self._rows.pages(with_vectors=True)
        )

    def counts(self) -> Counts:
        """Return how much of it repoint knows."""
        self._require_own()
        filled, emptied = self._notes.counts()
        return Counts(documents=filled, chunks=filled, emptied=emptied)

    def purge(
        self, documents: Sequence[DocumentId] = (), *, emptied_below: Lsn | None = None
    ) -> None:
        """Delete rows that repoint wrote or noted, and what it knows of them."""
        self._require_own()
        if documents:
            known = self._notes.of(documents)
            rows = self._rows_of(documents, known)
            self._rows.remove(
                [
                    row.key
                    for name, found in rows.items()
                    if name in known and known[name].filled
                    for row in found
                    if row.key == known[name].key
                ]
            )
            self._notes.remove(documents)
        if emptied_below is not None:
            self._notes.remove_emptied(emptied_below)

    def optimise(self, *, for_search: bool = True) -> None:
        """Make sure that it stands: the server indexes and compacts by itself."""
        del for_search
        self._require_own()

    # Writing

    def _require_single(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if len(entry.chunks) > 1 or (entry.chunks and entry.content is None):
                raise UnsupportedError(
                    driver=self._driver,
                    what=f"document {entry.document!r} with {len(entry.chunks)} chunks in an "
                    "adopted collection, which has one vector a row",
                )

    def _not_newer(
        self, entries: Sequence[Entry]
    ) -> tuple[list[Entry], dict[DocumentId, Noted]]:
        known = self._notes.of([entry.document for entry in entries])
        new = [
            entry
            for entry in entries
            if entry.document not in known or known[entry.document].lsn <= entry.lsn
        ]
        return new, known

    def _fill(
        self, entries: Sequence[Entry], matrix: FloatMatrix, known: dict[DocumentId, Noted]
    ) -> None:
        before = self._rows_of([entry.document for entry in entries], known)
        contents = [entry.content for entry in entries if entry.content is not None]
        self._notes.require_fitting(
            [noted(entry, key=entry.document, state="", made="") for entry in entries]
        )
        written = self._rows.write(contents, matrix, before)
        pairs = list(zip(entries, matrix, written, strict=True))
        self._notes.write(
            [
                noted(entry, key=key, state=state, made=made_of(vector))
                for entry, vector, (key, state) in pairs
            ]
        )
        # Rows that a document had under another key; the new one is noted by now.
        old = [
            row.key
            for entry, _, (key, _) in pairs
            for row in before.get(entry.document, ())
            if row.key != key
        ]
        self._rows.remove(old)

    def _empty(self, entries: Sequence[Entry], known: dict[DocumentId, Noted]) -> None:
        """Write tombstones; a document that cannot be taken leaves its row as it is."""
        rows = self._rows_of([entry.document for entry in entries], known)
        notes = []
        for entry in entries:
            name, left = entry.document, None
            if entry.content is not None:
                left = next(iter(rows.get(name, ())), None)
            notes.append(
                Noted(
                    document=name,
                    lsn=entry.lsn,
                    filled=False,
                    # Kept also of a row that goes: who ends this finds it by that.
                    key=left.key if left else known[name].key if name in known else "",
                    state=left.state if left else "",
                )
            )
        self._notes.write(notes)
        # Also rows that nobody noted: they are deleted by whoever deletes the document.
        deleted = [entry.document for entry in entries if entry.content is None]
        self._rows.remove([row.key for name in deleted for row in rows.get(name, ())])

    # Reading

    def _rows_of(
        self, documents: Sequence[DocumentId], known: dict[DocumentId, Noted]
    ) -> dict[DocumentId, list[TeamRow]]:
        """Return the rows of documents; the one that is noted comes first."""
        keys = {known[name].key: name for name in documents if name in known}
        keys.pop("", None)
        made = self._rows.keys_are_made
        found: dict[DocumentId, list[TeamRow]] = {}
        wanted = set(documents)
        for row in self._rows.named(
            list(documents), list(keys) if made else [], with_vectors=True
        ):
            name = keys.get(row.key, row.document.id) if made else row.document.id
            if name in wanted:
                found.setdefault(name, []).append(row)
        for name, rows in found.items():
            own = known[name].key if name in known else ""
            rows.sort(key=lambda row: row.key != own)
        return found

    def _known(self, page: Sequence[TeamRow]) -> list[tuple[TeamRow, Noted | None]]:
        if self._rows.keys_are_made:
            held = self._notes.at([row.key for row in page])
            return [(row, held.get(row.key)) for row in page]
        known = self._notes.of([row.document.id for row in page if row.document.id])
        return [(row, known.get(row.document.id)) for row in page]

    def _batch(
        self, pairs: Sequence[tuple[TeamRow, Noted | None]], *, with_vectors: bool
    ) -> StoredBatch:
        kept = [(row, known) for row, known in pairs if _stands(row, known)]
        vectors = np.full((len(kept), self._spec.dimensions), np.nan, dtype=np.float32)
        for place, (row, known) in enumerate(kept):
            if row.vector is not None and was_made(row.vector, known.made if known else ""):
                vectors[place] = row.vector
        return StoredBatch(
            documents=[known.document if known else row.document.id for row, known in kept],
            slots=np.zeros(len(kept), dtype=np.int32),
            lsns=np.array([known.lsn if known else 0 for _, known in kept], dtype=np.int64),
            digests=[
                known.digest if known and known.filled and _same(row, known) else BYPASSED
                for row, known in kept
            ],
            vectors=vectors if with_vectors else None,
        )

    def _by_index(
        self, values: FloatVector, *, limit: int, where: Filter | None
    ) -> list[Hit] | None:
        """Return the nearest, with all that are as near as the last; None if some are lost."""
        among = None if where is None else self._notes.passing(where, most=NAMED)
        if among is not None and not among:
            return []
        count = min(limit + SPARE, self._rows.most)
        while True:
            near = self._rows.nearest(values, limit=count, among=among)
            held = self._notes.matching([one.key for one in near], where)
            hits = [
                _hit(held[one.key], text=one.text, score=one.score)
                for one in near
                if one.key in held
            ]
            if len(near) < count:
                # Fewer than asked: either there are no more, or the index lost its way.
                whole = len(among) if among is not None else self._rows.count()
                return None if len(near) < min(count, whole) else _best(hits)
            if len(hits) >= limit and hits[limit - 1].score > near[-1].score:
                return _best(hits)
            if count == self._rows.most:
                return _best(hits) if len(hits) >= limit else None
            count = min(4 * count, self._rows.most)

    def _by_reading(
        self, values: FloatVector, *, limit: int, where: Filter | None
    ) -> list[Hit]:
        """Return the nearest by comparing with every vector, page by page."""
        best: list[Hit] = []
        for page in self._rows.pages(with_vectors=True):
            rows = [row for row in page if row.vector is not None]
            held = self._notes.matching([row.key for row in rows], where)
            rows = [row for row in rows if row.key in held]
            if not rows:
                continue
            matrix = np.array([row.vector for row in rows], dtype=np.float32)
            near = scores(matrix, values, self._spec.distance).tolist()
            best += [
                _hit(held[row.key], text=row.document.text, score=score)
                for row, score in zip(rows, near, strict=True)
            ]
            best = list(islice(_best(best), limit))
        return best

    def _require_own(self) -> None:
        self._notes.require_own()
        self._owned = time.monotonic()


def _stands(row: TeamRow, known: Noted | None) -> bool:
    if known is not None and known.filled:
        return True
    changed = known is None or not _same(row, known)
    return changed and bool(row.document.id) and bool(row.document.text.strip())


def _same(row: TeamRow, known: Noted) -> bool:
    """Return whether a row is the one that was noted, with the content that it had."""
    return (row.key, row.state) == (known.key, known.state)


def _hit(known: Noted, *, text: str, score: float) -> Hit:
    return Hit(
        document=known.document,
        slot=0,
        lsn=known.lsn,
        score=score,
        text=text if known.text is None else known.text,
        start=known.start,
        end=known.end,
        metadata=known.metadata,
    )


def _best(found: Sequence[Hit]) -> list[Hit]:
    return sorted(found, key=lambda one: (-one.score, one.document))
