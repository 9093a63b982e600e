"""Collections in this process: exact, ordered, and the model for every other backend.

Small enough to be read as the definition of ``ports.backend``; the conformance suite
compares other backends with it. It keeps every slot with its LSN, emptied ones included.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Final

import numpy as np
import numpy.typing as npt

from repoint.domain.document import Chunk, Entry, Metadata
from repoint.domain.errors import (
    CollectionMissingError,
    FingerprintMismatchError,
    UnsupportedError,
)
from repoint.domain.filters import Filter, matches
from repoint.domain.ids import CollectionName, DocumentId, Fingerprint, Lsn
from repoint.domain.spec import Distance
from repoint.ports.backend import (
    Capabilities,
    CollectionSpec,
    Counts,
    FloatVector,
    Hit,
    SpaceMatrix,
    SpaceVector,
    StoredBatch,
)
from repoint.ports.spaces import chunk_rows, query_values

CAPABILITIES: Final = Capabilities(
    name="memory",
    aliases=True,
    lexical=True,
    conditional_writes=True,
    durable=False,
    shared=False,
    approximate=False,
    distances=frozenset(Distance),
    forgets=True,
    served=False,
)

#: Rows of one batch of a scan.
BATCH: Final = 1024
#: BM25's two constants (Robertson and Zaragoza, 2009).
K1: Final = 1.2
B: Final = 0.75

_WORD: Final = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One chunk place of a document; without a chunk it is emptied."""

    document: DocumentId
    slot: int
    lsn: Lsn
    chunk: Chunk | None
    vector: FloatVector | None
    metadata: Metadata


class Snapshot:
    """The stored chunks at one moment, in order of document id and slot, ready to search."""

    def __init__(self, slots: Sequence[Slot], dimensions: int) -> None:
        self.slots = slots
        vectors = [slot.vector for slot in slots if slot.vector is not None]
        # Double precision, so that the model's own rounding never decides an order.
        self.matrix = np.array(vectors, dtype=np.float64).reshape(len(slots), dimensions)
        self._words: list[Counter[str]] | None = None

    def scores(self, query: FloatVector, distance: Distance) -> npt.NDArray[np.float32]:
        """Return every chunk's score; equal vectors get equal scores."""
        wanted = query.astype(np.float64)
        if distance is Distance.L2:
            scores = -np.square(self.matrix - wanted).sum(axis=1)
        else:
            scores = (self.matrix * wanted).sum(axis=1)
        if distance is Distance.COSINE:
            norms = np.linalg.norm(self.matrix, axis=1) * np.linalg.norm(wanted)
            scores = np.divide(scores, norms, out=np.zeros_like(scores), where=norms > 0)
        single: npt.NDArray[np.float32] = scores.astype(np.float32)
        return single

    def words(self) -> list[Counter[str]]:
        """Return how often each word occurs in each chunk."""
        if self._words is None:
            texts = (slot.chunk.text if slot.chunk else "" for slot in self.slots)
            self._words = [Counter(_words(text)) for text in texts]
        return self._words

    def relevance(self, text: str) -> npt.NDArray[np.float64]:
        """Return every chunk's BM25 score for the words of the text; 0 is no match."""
        counts = self.words()
        lengths = np.array([words.total() for words in counts], dtype=np.float64)
        scores = np.zeros(len(counts))
        mean = lengths.mean() if len(counts) else 0.0
        if not mean:
            return scores
        for word in set(_words(text)):
            often = np.array([words[word] for words in counts], dtype=np.float64)
            having = int(np.count_nonzero(often))
            rarity = math.log(1 + (len(counts) - having + 0.5) / (having + 0.5))
            scores += rarity * often * (K1 + 1) / (often + K1 * (1 - B + B * lengths / mean))
        return scores


class MemoryCollection:
    """One release's vectors in this process."""

    def __init__(self, spec: CollectionSpec) -> None:
        self._spec = spec
        self._lock = RLock()
        self._slots: dict[DocumentId, dict[int, Slot]] = {}
        self._snapshot: Snapshot | None = None

    @property
    def spec(self) -> CollectionSpec:
        """What it was made with."""
        return self._spec

    def put(self, entries: Sequence[Entry], vectors: SpaceMatrix) -> None:
        """Write whole documents, slot by slot, each unless a higher LSN stands there."""
        rows = iter(chunk_rows(self._spec, entries, vectors).copy())
        with self._lock:
            for entry in entries:
                stored = self._slots.setdefault(entry.document, {})
                for number in range(max(entry.slots, len(entry.chunks))):
                    filled = number < len(entry.chunks)
                    new = Slot(
                        document=entry.document,
                        slot=number,
                        lsn=entry.lsn,
                        chunk=entry.chunks[number] if filled else None,
                        vector=next(rows) if filled else None,
                        metadata=dict(entry.metadata) if filled else {},
                    )
                    old = stored.get(number)
                    if old is None or old.lsn <= new.lsn:
                        stored[number] = new
            self._snapshot = None

    def search(
        self,
        query: SpaceVector,
        *,
        limit: int,
        where: Filter | None = None,
        exact: bool = False,  # noqa: ARG002 - every search is
    ) -> list[Hit]:
        """Return the nearest chunks by comparing with every vector."""
        values = query_values(self._spec, query)
        snapshot = self._now()
        scores = snapshot.scores(values, self._spec.distance)
        return _best(snapshot, scores, range(len(scores)), limit=limit, where=where)

    def search_text(self, text: str, *, limit: int, where: Filter | None = None) -> list[Hit]:
        """Return the chunks that share a word with the text, by BM25."""
        if not self._spec.lexical:
            raise UnsupportedError(
                driver=CAPABILITIES.name,
                what=f"text search in {self._spec.name}",
                hint="give the release a hybrid section",
            )
        snapshot = self._now()
        scores = snapshot.relevance(text)
        found = np.flatnonzero(scores > 0).tolist()
        return _best(snapshot, scores, found, limit=limit, where=where)

    def stored(
        self, documents: Sequence[DocumentId], *, with_vectors: bool = False
    ) -> StoredBatch:
        """Return what stands for these documents."""
        with self._lock:
            rows = [
                slot
                for document in dict.fromkeys(documents)
                for _, slot in sorted(self._slots.get(document, {}).items())
                if slot.chunk is not None
            ]
        return self._batch(rows, with_vectors=with_vectors)

    def scan(self, *, with_vectors: bool = False) -> Iterator[StoredBatch]:
        """Return an iterator over the chunks that stand now."""
        rows = self._now().slots
        return (
            self._batch(rows[start : start + BATCH], with_vectors=with_vectors)
            for start in range(0, len(rows), BATCH)
        )

    def counts(self) -> Counts:
        """Return how much it holds."""
        with self._lock:
            everything = sum(len(slots) for slots in self._slots.values())
            live = self._now().slots
        return Counts(
            documents=len({slot.document for slot in live}),
            chunks=len(live),
            emptied=everything - len(live),
        )

    def purge(
        self, documents: Sequence[DocumentId] = (), *, emptied_below: Lsn | None = None
    ) -> None:
        """Forget these documents, and emptied slots below the LSN."""
        with self._lock:
            for document in documents:
                self._slots.pop(document, None)
            if emptied_below is not None:
                self._slots = {
                    document: kept
                    for document, slots in self._slots.items()
                    if (kept := _guards(slots, emptied_below))
                }
            self._snapshot = None

    def optimise(self, *, for_search: bool = True) -> None:
        """Do nothing: every search is exact and nothing is fragmented."""

    def forget(self) -> int:
        """Return 0: what was purged is nowhere."""
        return 0

    def _now(self) -> Snapshot:
        with self._lock:
            if self._snapshot is None:
                live = [
                    slot
                    for _, slots in sorted(self._slots.items())
                    for _, slot in sorted(slots.items())
                    if slot.chunk is not None
                ]
                self._snapshot = Snapshot(live, self._spec.dimensions)
            return self._snapshot

    def _batch(self, rows: Sequence[Slot], *, with_vectors: bool) -> StoredBatch:
        vectors = None
        if with_vectors:
            found = [row.vector for row in rows if row.vector is not None]
            vectors = np.array(found, dtype=np.float32).reshape(-1, self._spec.dimensions)
        return StoredBatch(
            documents=[row.document for row in rows],
            slots=np.array([row.slot for row in rows], dtype=np.int32),
            lsns=np.array([row.lsn for row in rows], dtype=np.int64),
            digests=[row.chunk.digest for row in rows if row.chunk is not None],
            vectors=vectors,
        )


class MemoryBackend:
    """Collections that live as long as this object."""

    def __init__(self, folder: Path | None = None) -> None:
        del folder  # every backend is opened with one; this one keeps nothing there
        self._lock = RLock()
        self._collections: dict[CollectionName, MemoryCollection] = {}
        self._aliases: dict[str, CollectionName] = {}

    @property
    def capabilities(self) -> Capabilities:
        """What it can do beyond the common promises."""
        return CAPABILITIES

    def create(self, spec: CollectionSpec) -> MemoryCollection:
        """Make the collection, or open it when it is already there."""
        with self._lock:
            if spec.name not in self._collections:
                self._collections[spec.name] = MemoryCollection(spec)
            return self.open(spec.name, fingerprint=spec.fingerprint)

    def open(self, name: CollectionName, *, fingerprint: Fingerprint) -> MemoryCollection:
        """Return the collection if it carries this fingerprint."""
        with self._lock:
            collection = self._collections.get(name)
        if collection is None:
            raise CollectionMissingError(collection=name)
        found = collection.spec.fingerprint
        if found != fingerprint:
            raise FingerprintMismatchError(collection=name, expected=fingerprint, found=found)
        return collection

    def drop(self, name: CollectionName) -> None:
        """Forget a collection, and the aliases that pointed at it."""
        with self._lock:
            self._collections.pop(name, None)
            self._aliases = {a: n for a, n in self._aliases.items() if n != name}

    def collections(self) -> Sequence[CollectionName]:
        """Return the names of the collections, sorted."""
        with self._lock:
            return sorted(self._collections)

    def set_alias(self, alias: str, name: CollectionName) -> None:
        """Point the alias at the collection, in one step."""
        with self._lock:
            if name not in self._collections:
                raise CollectionMissingError(collection=name)
            self._aliases[alias] = name

    def alias_target(self, alias: str) -> CollectionName | None:
        """Return what the alias points at."""
        with self._lock:
            return self._aliases.get(alias)

    def close(self) -> None:
        """Do nothing: the collections stay until this object goes."""


def _best(
    snapshot: Snapshot,
    scores: npt.NDArray[np.float32] | npt.NDArray[np.float64],
    rows: Sequence[int],
    *,
    limit: int,
    where: Filter | None,
) -> list[Hit]:
    if where is not None:
        rows = [row for row in rows if matches(where, snapshot.slots[row].metadata)]
    # The snapshot is in order of document and slot, and the sort is stable.
    ranked = sorted(rows, key=lambda row: -scores[row])[: max(limit, 0)]
    return [_hit(snapshot.slots[row], float(scores[row])) for row in ranked]


def _hit(slot: Slot, score: float) -> Hit:
    chunk = slot.chunk or Chunk.of("", start=0, end=0)
    return Hit(
        document=slot.document,
        slot=slot.slot,
        lsn=slot.lsn,
        score=score,
        text=chunk.text,
        start=chunk.start,
        end=chunk.end,
        metadata=dict(slot.metadata),
    )


def _guards(slots: Mapping[int, Slot], below: Lsn) -> dict[int, Slot]:
    return {n: s for n, s in slots.items() if s.chunk is not None or s.lsn >= below}


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
