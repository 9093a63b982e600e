"""One release's vectors as one collection of Qdrant."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from qdrant_client import QdrantClient, models

from repoint.backends.qdrant import points
from repoint.backends.qdrant.engine import Engine
from repoint.backends.qdrant.filters import condition
from repoint.domain.document import Entry
from repoint.domain.errors import (
    CollectionMissingError,
    FingerprintMismatchError,
    UnsupportedError,
)
from repoint.domain.filters import Filter
from repoint.domain.ids import CollectionName, DocumentId, Lsn
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
from repoint.ports.spaces import chunk_rows, query_values

#: Points of one batch of a scan.
BATCH: Final = 1024
#: Seconds for which a search trusts that the collection is still this release's.
OWNED: Final = 0.5


class QdrantCollection:
    """One collection. A handle sees what other processes write, at its next call."""

    def __init__(self, *, spec: CollectionSpec, engine: Engine) -> None:
        self._spec = spec
        self._engine = engine
        self._owned = time.monotonic()
        #: Where the points are, which vector of theirs is meant, and what a hit shows.
        self._place: str = spec.name
        self._using: str | None = points.VECTOR
        self._shown: tuple[str, ...] = points.HIT

    @property
    def spec(self) -> CollectionSpec:
        """What it was made with, as the collection's metadata carries it."""
        return self._spec

    def put(self, entries: Sequence[Entry], vectors: SpaceMatrix) -> None:
        """Write whole documents in one request, each slot unless a higher LSN is there."""
        matrix = chunk_rows(self._spec, entries, vectors)
        operations = points.upserts(self._spec, entries, matrix)
        if not operations:
            return

        def write(client: QdrantClient) -> None:
            self._require_own(client)
            client.batch_update_points(self._spec.name, operations, wait=True)

        self._engine.write(write, about=self._spec.name)

    def search(
        self,
        query: SpaceVector,
        *,
        limit: int,
        where: Filter | None = None,
        exact: bool = False,
    ) -> list[Hit]:
        """Return the nearest chunks, with a whole look at those that tie for the last place."""
        values = query_values(self._spec, query)
        if limit <= 0:
            return []
        # An emptied slot has no vector, so nothing finds it, whatever else is asked for.
        found = self._first(
            values.tolist(),
            using=self._using,
            limit=limit,
            where=where,
            whole=exact or self._engine.is_local or self._spec.ann.kind is AnnKind.FLAT,
        )
        return _best([self._hit(one, self._score(one.score, values)) for one in found], limit)

    def search_text(self, text: str, *, limit: int, where: Filter | None = None) -> list[Hit]:
        """Return the chunks that share a word with the text, by the engine's BM25."""
        if not self._spec.lexical:
            raise UnsupportedError(
                driver="qdrant",
                what=f"text search in {self._spec.name}",
                hint="give the release a hybrid section",
            )
        if limit <= 0 or not text.strip():
            return []
        # An emptied slot has no text.
        words = models.TextQuery(text=text.encode("utf-8", "replace").decode())
        found = self._first(words, using=points.WORDS, limit=limit, where=where, whole=True)
        return _best([self._hit(one, one.score) for one in found], limit)

    def stored(
        self, documents: Sequence[DocumentId], *, with_vectors: bool = False
    ) -> StoredBatch:
        """Return what stands for these documents, in their order and that of the slots."""
        places = {document: place for place, document in enumerate(dict.fromkeys(documents))}
        found: list[models.Record] = []
        if places:
            among = models.MatchAny(any=list(places))
            wanted = [models.FieldCondition(key="document", match=among), self._filled()]
            for page in self._pages(wanted, with_vectors=with_vectors):
                found.extend(page)
        found.sort(key=lambda one: (places[one.payload["document"]], one.payload["slot"]))
        return self._batch(found, with_vectors=with_vectors)

    def scan(self, *, with_vectors: bool = False) -> Iterator[StoredBatch]:
        """Return an iterator over the chunks, page by page as each is read."""
        self._engine.run(self._require_own, about=self._spec.name)
        return (
            self._batch(page, with_vectors=with_vectors)
            for page in self._pages([self._filled()], with_vectors=with_vectors)
        )

    def counts(self) -> Counts:
        """Return how much it holds; a document is counted by its first slot."""
        first = models.FieldCondition(key="slot", match=models.MatchValue(value=0))

        def count(client: QdrantClient, *must: models.Condition) -> int:
            counted = client.count(
                self._spec.name, count_filter=models.Filter(must=list(must)), exact=True
            )
            return int(counted.count)

        def read(client: QdrantClient) -> Counts:
            self._require_own(client)
            everything = int(client.count(self._spec.name, exact=True).count)
            chunks = count(client, points.filled())
            return Counts(
                documents=count(client, points.filled(), first),
                chunks=chunks,
                emptied=everything - chunks,
            )

        return self._engine.run(read, about=self._spec.name)

    def purge(
        self, documents: Sequence[DocumentId] = (), *, emptied_below: Lsn | None = None
    ) -> None:
        """Delete these documents' points, and emptied slots below the LSN."""
        conditions: list[list[models.Condition]] = []
        if documents:
            among = models.MatchAny(any=list(documents))
            conditions.append([models.FieldCondition(key="document", match=among)])
        if emptied_below is not None:
            conditions.append(
                [
                    models.FieldCondition(key="filled", match=models.MatchValue(value=False)),
                    models.FieldCondition(key="lsn", range=models.Range(lt=emptied_below)),
                ]
            )

        def delete(client: QdrantClient) -> None:
            for must in conditions:
                selector = models.FilterSelector(filter=models.Filter(must=must))
                client.delete(self._spec.name, points_selector=selector, wait=True)

        self._engine.run(delete, about=self._spec.name)

    def optimise(self, *, for_search: bool = True) -> None:
        """Make sure that it stands: the server optimises by itself."""
        del for_search
        self._engine.run(self._require_own, about=self._spec.name)

    def _first(
        self,
        query: list[float] | models.TextQuery,
        *,
        using: str | None,
        limit: int,
        where: Filter | None,
        whole: bool,
    ) -> list[models.ScoredPoint]:
        """Return the best points, and all that tie for the last place; ``whole`` is exact."""
        kept = self._kept(where)
        count = limit + 1

        def ask(client: QdrantClient) -> list[models.ScoredPoint]:
            if time.monotonic() - self._owned > OWNED:
                self._require_own(client)
            by_vector = not isinstance(query, models.TextQuery)
            answer = client.query_points(
                self._place,
                query=query,
                using=using,
                query_filter=kept,
                search_params=self._parameters(exact=whole, count=count) if by_vector else None,
                limit=count,
                with_payload=list(self._shown),
            )
            found: list[models.ScoredPoint] = answer.points
            return found

        while True:
            found = self._engine.run(ask, about=self._spec.name)
            if not whole and len(found) < count:
                whole = True  # the graph may have lost its way among what the filter leaves
            elif len(found) < count or found[limit - 1].score != found[count - 1].score:
                return found
            else:
                count *= 2

    def _kept(self, where: Filter | None) -> models.Filter | None:
        """Return what is searched among."""
        return None if where is None else models.Filter(must=[condition(where)])

    def _filled(self) -> models.FieldCondition:
        """Return the condition of a slot that is not emptied."""
        return points.filled()

    def _batch(self, found: Sequence[models.Record], *, with_vectors: bool) -> StoredBatch:
        return points.batch(found, self._spec.dimensions, with_vectors=with_vectors)

    def _hit(self, point: models.ScoredPoint, score: float) -> Hit:
        return points.hit(point.payload, score)

    def _pages(
        self, must: list[models.Condition], *, with_vectors: bool
    ) -> Iterator[list[models.Record]]:
        payload = [*points.STORED, *(["text", "length"] if with_vectors else [])]
        offset: object = None

        def read(client: QdrantClient) -> tuple[list[models.Record], object]:
            page: tuple[list[models.Record], object] = client.scroll(
                self._spec.name,
                scroll_filter=models.Filter(must=must),
                limit=BATCH,
                offset=offset,
                with_payload=payload,
                with_vectors=with_vectors,
            )
            return page

        while True:
            found, offset = self._engine.run(read, about=self._spec.name)
            if found:
                yield found
            if offset is None:
                return

    def _parameters(self, *, exact: bool, count: int) -> models.SearchParams:
        ef = self._spec.ann.search.get("ef")
        return models.SearchParams(
            exact=exact, hnsw_ef=None if ef is None else max(int(ef), count)
        )

    def _score(self, score: float, values: FloatVector) -> float:
        if self._spec.distance is Distance.L2:
            return -score * score
        if self._spec.distance is Distance.COSINE and not np.any(values):
            return 0.0
        return score

    def _require_own(self, client: QdrantClient) -> None:
        """Refuse a collection that someone put in the place of this one (INV-1)."""
        found = look(client, self._spec.name)
        if found is None or found.fingerprint != self._spec.fingerprint:
            raise FingerprintMismatchError(
                collection=self._spec.name,
                expected=self._spec.fingerprint,
                found=found.fingerprint if found else None,
            )
        self._owned = time.monotonic()


def _best(hits: list[Hit], limit: int) -> list[Hit]:
    return sorted(hits, key=lambda one: (-one.score, one.document, one.slot))[:limit]


def look(client: QdrantClient, name: CollectionName) -> CollectionSpec | None:
    """Return the spec that a collection carries, None if it carries none of ours.

    Raises:
        CollectionMissingError: nothing has that name.
    """
    if not client.collection_exists(name):
        raise CollectionMissingError(collection=name)
    return points.spec_of(client.get_collection(name).config.metadata, name)
