"""One release's vectors as one collection of Chroma."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

import numpy as np

from repoint.backends.chroma import records
from repoint.backends.chroma.filters import Where, condition, joined
from repoint.backends.chroma.server import Found, Got, Server
from repoint.domain.document import Entry
from repoint.domain.errors import (
    CollectionMissingError,
    FingerprintMismatchError,
    UnsupportedError,
)
from repoint.domain.filters import Filter
from repoint.domain.ids import CollectionName, DocumentId, Fingerprint, Lsn
from repoint.domain.spec import AnnKind, Distance
from repoint.ports.backend import (
    CollectionSpec,
    Counts,
    FloatVector,
    Hit,
    SpaceMatrix,
    SpaceVector,
    StoredBatch,
)
from repoint.ports.spaces import chunk_rows, query_values, scores
from repoint.ports.turns import Turns

T = TypeVar("T")

#: Records that a page of a scan has on average, and at most.
PAGE: Final = 800
BATCH: Final = 1024
#: Ids of one question.
ASKED: Final = 500
#: Seconds for which a search trusts that the collection is still this release's.
OWNED: Final = 0.5
#: The condition that every record passes.
EVERY: Final[Where] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A release's collection, and that of its guards, by the server's own ids."""

    spec: CollectionSpec
    filled: str
    guards: str


class ChromaCollection:
    """One collection. A handle sees what other processes write, at its next call.

    Handles are by the server's id, so a collection that somebody put in its place is never
    asked by mistake; that it was put there is found out at the next write, and by a search
    after half a second at the latest.
    """

    def __init__(self, *, place: Place, server: Server, turns: Turns) -> None:
        self._place = place
        self._server = server
        self._turns = turns
        self._owned = time.monotonic()

    @property
    def spec(self) -> CollectionSpec:
        """What it was made with, as the collection's metadata carries it."""
        return self._place.spec

    def put(self, entries: Sequence[Entry], vectors: SpaceMatrix) -> None:
        """Write whole documents, each slot unless a higher LSN is seen there."""
        matrix = chunk_rows(self.spec, entries, vectors)
        slots = records.slots_of(entries)
        rows = {
            id_: number
            for number, id_ in enumerate(id_ for id_, slot in slots.items() if slot.chunk)
        }
        if not slots:
            return
        with self._turns.of(entry.document for entry in entries):
            self._require_own()
            filled, guards = (
                self._standing(where, list(slots))
                for where in (self._place.filled, self._place.guards)
            )
            new = {
                id_: slot
                for id_, slot in slots.items()
                if all(
                    int(old[id_]["lsn"]) <= slot.entry.lsn
                    for old in (filled, guards)
                    if id_ in old
                )
            }
            emptied = [id_ for id_, slot in new.items() if slot.chunk is None]
            written = [id_ for id_, slot in new.items() if slot.chunk is not None]
            # Guards come before what they guard goes, and go after what replaces them came:
            # wherever this ends, the higher of the two stands, and writing again ends it.
            if emptied:
                self._server.upsert(
                    self._place.guards,
                    ids=emptied,
                    vectors=records.guard_vectors(emptied),
                    metadatas=[records.record(id_, new[id_]) for id_ in emptied],
                )
                self._forget(self._place.filled, [id_ for id_ in emptied if id_ in filled])
            if written:
                chunks = [new[id_].chunk for id_ in written]
                self._server.upsert(
                    self._place.filled,
                    ids=written,
                    vectors=matrix[[rows[id_] for id_ in written]],
                    metadatas=[
                        records.record(id_, new[id_], over=filled.get(id_, {}))
                        for id_ in written
                    ],
                    documents=[chunk.text for chunk in chunks if chunk is not None],
                )
                self._forget(self._place.guards, [id_ for id_ in written if id_ in guards])

    def search(
        self,
        query: SpaceVector,
        *,
        limit: int,
        where: Filter | None = None,
        exact: bool = False,
    ) -> list[Hit]:
        """Return the nearest chunks; exactly by reading every vector that passes the filter."""
        values = query_values(self.spec, query)
        wanted: Where = True if where is None else condition(where)
        if limit <= 0 or wanted is False:
            return []
        if time.monotonic() - self._owned > OWNED:
            self._require_own()
        whole = exact or self.spec.ann.kind is AnnKind.FLAT
        found = None if whole else self._by_graph(values, limit=limit, where=wanted)
        if found is None:
            found = self._by_reading(values, limit=limit, where=wanted)
        return found[:limit]

    def search_text(self, text: str, *, limit: int, where: Filter | None = None) -> list[Hit]:
        """Refuse: words are not ranked here."""
        del text, limit, where
        raise UnsupportedError(
            driver="chroma",
            what=f"text search in {self.spec.name}",
            hint="its capabilities say so: repoint backends",
        )

    def stored(
        self, documents: Sequence[DocumentId], *, with_vectors: bool = False
    ) -> StoredBatch:
        """Return what stands for these documents, in their order and that of the slots."""
        self._require_own()
        places = {document: place for place, document in enumerate(dict.fromkeys(documents))}
        names, every = list(places), Got(ids=[], metadatas=[], documents=[], embeddings=[])
        for start in range(0, len(names), ASKED):
            among: Where = {"document": {"$in": names[start : start + ASKED]}}
            every = _together(every, self._read(among, with_vectors=with_vectors))
        rows = [row or records.NOTHING for row in every.metadatas or []]
        order = sorted(
            range(len(rows)),
            key=lambda n: (places[DocumentId(str(rows[n]["document"]))], rows[n]["slot"]),
        )
        return records.batch(
            _picked(every, order), self.spec.dimensions, with_vectors=with_vectors
        )

    def scan(self, *, with_vectors: bool = False) -> Iterator[StoredBatch]:
        """Return an iterator over the chunks, page by page as each is read."""
        self._require_own()
        return (
            records.batch(page, self.spec.dimensions, with_vectors=with_vectors)
            for page in self._pages(EVERY, with_vectors=with_vectors)
        )

    def counts(self) -> Counts:
        """Return how much it holds; a document is counted by its first slot."""
        self._require_own()
        first = self._on(lambda at: self._server.get(at.filled, include=[], where={"slot": 0}))
        return Counts(
            documents=len(first.ids),
            chunks=self._on(lambda at: self._server.count(at.filled)),
            emptied=self._on(lambda at: self._server.count(at.guards)),
        )

    def purge(
        self, documents: Sequence[DocumentId] = (), *, emptied_below: Lsn | None = None
    ) -> None:
        """Delete these documents' records, and emptied slots below the LSN."""
        self._require_own()
        for start in range(0, len(documents), ASKED):
            among = {"document": {"$in": list(documents[start : start + ASKED])}}
            self._server.remove(self._place.filled, where=among)
            self._server.remove(self._place.guards, where=among)
        if emptied_below is not None:
            self._server.remove(self._place.guards, where={"lsn": {"$lt": emptied_below}})

    def optimise(self, *, for_search: bool = True) -> None:
        """Make sure that it stands: the server keeps its graph by itself."""
        del for_search
        self._require_own()

    def _by_graph(self, values: FloatVector, *, limit: int, where: Where) -> list[Hit] | None:
        """Return the nearest, with all that are as near as the last; None if some are lost."""
        asked = values.tolist()
        count = limit + 1
        while True:
            found = self._on(partial(self._asked, vector=asked, limit=count, where=where))
            distances = found.distances[0]
            if len(distances) < count:
                # Fewer than asked: either there are no more, or the graph lost its way.
                if where is not True or len(distances) < self._on(
                    lambda at: self._server.count(at.filled)
                ):
                    return None
                break
            if distances[limit - 1] != distances[count - 1]:
                break
            count *= 2
        near = [self._score(distance, values) for distance in distances]
        return records.hits(found.metadatas[0], found.documents[0], near)

    def _asked(self, at: Place, *, vector: Sequence[float], limit: int, where: Where) -> Found:
        return self._server.query(at.filled, vector=vector, limit=limit, where=_given(where))

    def _by_reading(self, values: FloatVector, *, limit: int, where: Where) -> list[Hit]:
        """Return the nearest by comparing with every vector, page by page."""
        best: list[Hit] = []
        for page in self._pages(where, with_vectors=True):
            matrix = np.array(page.embeddings, dtype=np.float32)
            near = scores(matrix, values, self.spec.distance).tolist()
            best += records.hits(page.metadatas or [], page.documents or [], near)
            best.sort(key=lambda one: (-one.score, one.document, one.slot))
            del best[limit:]
        return best

    def _pages(self, where: Where, *, with_vectors: bool) -> Iterator[Got]:
        """Yield what passes the condition, by ranges of places, which no write moves."""
        ranges = max(1, -(-self._on(lambda at: self._server.count(at.filled)) // PAGE))
        borders = [records.PLACES * n // ranges for n in range(ranges + 1)]
        for low, high in itertools.pairwise(borders):
            within: list[Where] = [{"place": {"$gte": low}}, {"place": {"$lt": high}}]
            part = joined([*within, where] if ranges > 1 else [where], every=True)
            page = self._read(part, with_vectors=with_vectors)
            for start in range(0, len(page.ids), BATCH):
                yield _picked(page, range(start, min(start + BATCH, len(page.ids))))

    def _read(self, where: Where, *, with_vectors: bool) -> Got:
        include = ["metadatas", *(["documents", "embeddings"] if with_vectors else [])]
        got = self._on(
            lambda at: self._server.get(at.filled, include=include, where=_given(where))
        )
        rows = got.metadatas or []
        return _picked(got, [n for n, row in enumerate(rows) if records.is_ours(row)])

    def _standing(self, collection: str, ids: Sequence[str]) -> dict[str, records.Record]:
        found: dict[str, records.Record] = {}
        for start in range(0, len(ids), ASKED):
            got = self._server.get(
                collection, include=["metadatas"], ids=ids[start : start + ASKED]
            )
            found |= {
                id_: row for id_, row in zip(got.ids, got.metadatas or [], strict=True) if row
            }
        return found

    def _forget(self, collection: str, ids: Sequence[str]) -> None:
        for start in range(0, len(ids), ASKED):
            self._server.remove(collection, ids=ids[start : start + ASKED])

    def _score(self, distance: float, values: FloatVector) -> float:
        if self.spec.distance is Distance.L2:
            return -distance
        if self.spec.distance is Distance.COSINE and not np.any(values):
            return 0.0
        return 1.0 - distance

    def _on(self, call: Callable[[Place], T]) -> T:
        """Return what the call returns, once more where the release was made anew."""
        place = self._place
        try:
            return call(place)
        except CollectionMissingError:
            self._require_own()
            return call(self._place)

    def _require_own(self) -> None:
        """Refuse a collection that someone put in the place of this one (INV-1)."""
        self._place = look(
            self._server, self.spec.name, fingerprint=self.spec.fingerprint, known=self._place
        )
        self._owned = time.monotonic()


def look(
    server: Server,
    name: CollectionName,
    *,
    fingerprint: Fingerprint,
    known: Place | None = None,
) -> Place:
    """Return where the release of this name and fingerprint lies.

    Raises:
        CollectionMissingError: nothing has that name, or its guards were deleted.
        FingerprintMismatchError: it carries another fingerprint, or none.
    """
    found = server.described(name)
    if found is None:
        raise CollectionMissingError(collection=name)
    if known is not None and known.filled == found.id:
        return known
    spec = records.spec_of(found)
    if spec is None or spec.fingerprint != fingerprint:
        raise FingerprintMismatchError(
            collection=name, expected=fingerprint, found=spec.fingerprint if spec else None
        )
    guards = server.described(records.guards_name(found.id))
    if guards is None:
        raise CollectionMissingError(collection=records.guards_name(found.id))
    return Place(spec=spec, filled=found.id, guards=guards.id)


def _given(where: Where) -> object:
    return None if where is True else where


def _together(one: Got, other: Got) -> Got:
    return Got(
        ids=one.ids + other.ids,
        metadatas=(one.metadatas or []) + (other.metadatas or []),
        documents=(one.documents or []) + (other.documents or []),
        embeddings=(one.embeddings or []) + (other.embeddings or []),
    )


def _picked(got: Got, rows: Sequence[int]) -> Got:
    return Got(
        ids=[got.ids[n] for n in rows],
        metadatas=[got.metadatas[n] for n in rows] if got.metadatas else [],
        documents=[got.documents[n] for n in rows] if got.documents else [],
        embeddings=[got.embeddings[n] for n in rows] if got.embeddings else [],
    )
