"""Whole corpora in a few numbers a document, so that two of them can be compared in memory.

Ids and digests are kept as 64-bit hashes and their sums. What these find different is then
read again by name and judged exactly, so a hash that two things share could only hide a
difference: for ten million documents once in 370,000 comparisons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from repoint.domain.ids import DocumentId
from repoint.ports.backend import StoredBatch

Hashes = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Documents in the order of their ids' hashes."""

    ids: Hashes
    #: Position of each; of stored documents the highest.
    lsns: Hashes
    chunks: npt.NDArray[np.int32]
    #: Sum over the chunks of the hash of place and digest.
    sums: Hashes
    #: Nothing can or need be said of it (log), or it must be read exactly (stored).
    marked: npt.NDArray[np.bool_]

    def at(self, ids: Hashes) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
        """Return where these ids stand, and whether they do."""
        if not len(self.ids):
            return np.zeros(len(ids), dtype=np.intp), np.zeros(len(ids), dtype=np.bool_)
        places = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        return places, self.ids[places] == ids


class LogSide:
    """Collects what the log says, a page at a time."""

    def __init__(self) -> None:
        self._pages: list[tuple[npt.NDArray[np.int64], ...]] = []

    def add(self, rows: Sequence[tuple[DocumentId, int, Sequence[str], bool]]) -> None:
        """Take documents: id, position, digests of their chunks, whether to leave it out."""
        self._pages.append(
            (
                hashes_of([row[0] for row in rows]),
                np.fromiter((row[1] for row in rows), np.int64, len(rows)),
                np.fromiter((len(row[2]) for row in rows), np.int64, len(rows)),
                np.fromiter((_sum(row[2]) for row in rows), np.int64, len(rows)),
                np.fromiter((row[3] for row in rows), np.int64, len(rows)),
            )
        )

    def corpus(self) -> Corpus:
        """Return what was collected."""
        ids, lsns, chunks, sums, marked = _joined(self._pages, 5)
        order = np.argsort(ids, kind="stable")
        return Corpus(
            ids=ids[order],
            lsns=lsns[order],
            chunks=chunks[order].astype(np.int32),
            sums=sums[order],
            marked=marked[order].astype(np.bool_),
        )


def stored_corpus(
    batches: Iterable[StoredBatch], suspicious: Callable[[StoredBatch], npt.NDArray[np.bool_]]
) -> Corpus:
    """Return what stands in a collection, chunk by chunk summed up to documents.

    Marked are documents with a chunk that is ``suspicious``, with chunks at several
    positions, or with one slot twice.
    """
    pages = []
    for batch in batches:
        keys = zip(batch.slots.tolist(), batch.digests, strict=True)
        pages.append(
            (
                hashes_of(batch.documents),
                np.asarray(batch.lsns, dtype=np.int64),
                np.asarray(batch.slots, dtype=np.int64),
                np.fromiter(map(hash, keys), np.int64, len(batch.digests)),
                suspicious(batch).astype(np.int64),
            )
        )
    ids, lsns, slots, sums, marked = _joined(pages, 5)
    order = np.lexsort((slots, ids))
    ids, lsns, slots = ids[order], lsns[order], slots[order]
    same = (ids[1:] == ids[:-1]) & ((slots[1:] == slots[:-1]) | (lsns[1:] != lsns[:-1]))
    marked = marked[order]
    marked[1:] |= same
    unique, starts, counts = np.unique(ids, return_index=True, return_counts=True)
    if not len(unique):
        return Corpus(ids=ids, lsns=lsns, chunks=slots.astype(np.int32), sums=sums, marked=same)
    return Corpus(
        ids=unique,
        lsns=np.maximum.reduceat(lsns, starts),
        chunks=counts.astype(np.int32),
        sums=np.add.reduceat(sums[order], starts),
        marked=np.maximum.reduceat(marked, starts).astype(np.bool_),
    )


def suspects(log: Corpus, stored: Corpus) -> Hashes:
    """Return the hashes of documents that may differ, sorted, without those left out."""
    places, known = stored.at(log.ids)
    agrees = ~known & (log.chunks == 0)
    if len(stored.ids):
        agrees |= (
            known
            & (stored.lsns[places] == log.lsns)
            & (stored.chunks[places] == log.chunks)
            & (stored.sums[places] == log.sums)
            & ~stored.marked[places]
        )
    _, in_log = log.at(stored.ids)
    return np.union1d(log.ids[~agrees & ~log.marked], stored.ids[~in_log])


class Wanted:
    """Finds the names behind hashes while documents stream by, each once."""

    def __init__(self, hashes: Hashes) -> None:
        self._hashes = hashes
        self._found = np.zeros(len(hashes), dtype=np.bool_)

    def among(self, documents: Sequence[DocumentId]) -> list[int]:
        """Return the places in the list of documents that are wanted and were not yet seen."""
        if self.done() or not documents:
            return []
        found = hashes_of(documents)
        places = np.minimum(np.searchsorted(self._hashes, found), len(self._hashes) - 1)
        new = (self._hashes[places] == found) & ~self._found[places]
        _, first = np.unique(found, return_index=True)
        mine = first[new[first]]
        self._found[places[mine]] = True
        return sorted(mine.tolist())

    def done(self) -> bool:
        """Return whether every name was found."""
        return bool(self._found.all())


def hashes_of(documents: Sequence[DocumentId]) -> Hashes:
    """Return 64 bits for each id; equal ids have equal bits within this process."""
    return np.fromiter(map(hash, documents), np.int64, len(documents))


def _sum(digests: Sequence[str]) -> int:
    total = sum(hash(key) for key in enumerate(digests)) & (1 << 64) - 1
    return total - (1 << 64) if total >> 63 else total


def _joined(
    pages: Sequence[tuple[npt.NDArray[np.int64], ...]], columns: int
) -> list[npt.NDArray[np.int64]]:
    if not pages:
        return [np.zeros(0, dtype=np.int64) for _ in range(columns)]
    return [np.concatenate([page[column] for page in pages]) for column in range(columns)]
