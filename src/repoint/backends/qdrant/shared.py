"""One release's vectors as a field of objects that it shares with other releases."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence

from qdrant_client import QdrantClient, models

from repoint.backends.qdrant import objects, points
from repoint.backends.qdrant.cells import CELLS, Cell, Change, view
from repoint.backends.qdrant.collection import BATCH, QdrantCollection
from repoint.backends.qdrant.engine import Engine
from repoint.backends.qdrant.filters import condition
from repoint.backends.qdrant.rewriting import rewrite
from repoint.domain.document import Entry
from repoint.domain.errors import FingerprintMismatchError
from repoint.domain.filters import Filter
from repoint.domain.ids import DocumentId, Lsn
from repoint.domain.placing import Place
from repoint.ports.backend import CollectionSpec, Counts, Hit, SpaceMatrix, StoredBatch
from repoint.ports.spaces import chunk_rows


class SharedQdrantCollection(QdrantCollection):
    """One field. Other releases' fields, and what they read, are never changed through it."""

    def __init__(self, *, spec: CollectionSpec, place: Place, engine: Engine) -> None:
        super().__init__(spec=spec, engine=engine)
        self._shared = place
        self._field = str(place.vector_field)
        self._place = place.collection
        self._using = self._field
        self._shown = (*points.HIT, f"{CELLS}.{self._field}")

    def put(self, entries: Sequence[Entry], vectors: SpaceMatrix) -> None:
        """Write whole documents, each slot in one step unless a higher LSN is there."""
        matrix = chunk_rows(self._spec, entries, vectors)
        rows = zip(matrix.tolist(), points.lengths_of(self._spec, matrix), strict=True)
        mark = secrets.token_hex(8)
        changes: list[Change] = []
        for entry in entries:
            for slot in range(max(entry.slots, len(entry.chunks))):
                content, length, vector = None, 1.0, None
                if slot < len(entry.chunks):
                    content = points.content_of(entry, entry.chunks[slot])
                    vector, length = next(rows)
                cell = Cell(lsn=entry.lsn, content=content, length=length, mark=mark)
                changes.append(
                    Change(document=entry.document, slot=slot, cell=cell, vector=vector)
                )
        if not changes:
            return

        def write(client: QdrantClient) -> None:
            self._require_own(client)
            rewrite(client, self._shared, changes)

        self._engine.write(write, about=self._spec.name)

    def counts(self) -> Counts:
        """Return how much of the objects is this release's."""
        first = models.FieldCondition(key="slot", match=models.MatchValue(value=0))
        emptied = objects.flag(self._field, "filled", value=False)

        def read(client: QdrantClient) -> Counts:
            self._require_own(client)
            documents, chunks, guards = (
                int(
                    client.count(
                        self._place, count_filter=models.Filter(must=must), exact=True
                    ).count
                )
                for must in ([self._filled(), first], [self._filled()], [emptied])
            )
            return Counts(documents=documents, chunks=chunks, emptied=guards)

        return self._engine.run(read, about=self._spec.name)

    def purge(
        self, documents: Sequence[DocumentId] = (), *, emptied_below: Lsn | None = None
    ) -> None:
        """Take this release out of objects; those that no other release has are deleted."""
        wanted: list[models.Filter] = []
        ours = models.Filter(
            should=[objects.flag(self._field, "filled", value=one) for one in (True, False)]
        )
        if documents:
            among = models.MatchAny(any=list(documents))
            wanted.append(
                models.Filter(must=[models.FieldCondition(key="document", match=among), ours])
            )
        if emptied_below is not None:
            below = models.FieldCondition(
                key=objects.path(self._field, "lsn"), range=models.Range(lt=emptied_below)
            )
            emptied = objects.flag(self._field, "filled", value=False)
            wanted.append(models.Filter(must=[emptied, below]))

        def remove(client: QdrantClient) -> None:
            self._require_own(client)
            for each in wanted:
                objects.remove(client, self._shared, each)

        self._engine.run(remove, about=self._spec.name)

    def _filled(self) -> models.FieldCondition:
        return objects.flag(self._field, "filled", value=True)

    def _kept(self, where: Filter | None) -> models.Filter | None:
        """Ask the metadata of this release's version, wherever that stands."""
        if where is None:
            return None
        apart = objects.flag(self._field, "apart", value=True)
        own = condition(where, within=objects.path(self._field, "own."))
        return models.Filter(
            should=[
                models.Filter(must=[condition(where)], must_not=[apart]),
                models.Filter(must=[apart, own]),
            ]
        )

    def _hit(self, point: models.ScoredPoint, score: float) -> Hit:
        seen = view(models.Record(id=point.id, payload=point.payload), self._field)
        return points.hit(seen.payload, score)

    def _batch(self, found: Sequence[models.Record], *, with_vectors: bool) -> StoredBatch:
        seen = [view(one, self._field) for one in found]
        return points.batch(
            seen, self._spec.dimensions, with_vectors=with_vectors, using=self._field
        )

    def _pages(
        self, must: list[models.Condition], *, with_vectors: bool
    ) -> Iterator[list[models.Record]]:
        payload = ["document", "slot", "digest", f"{CELLS}.{self._field}"]
        offset: object = None

        def read(client: QdrantClient) -> tuple[list[models.Record], object]:
            page: tuple[list[models.Record], object] = client.scroll(
                self._place,
                scroll_filter=models.Filter(must=must),
                limit=BATCH,
                offset=offset,
                with_payload=[*payload, *(["text"] if with_vectors else [])],
                with_vectors=[self._field] if with_vectors else False,
            )
            return page

        while True:
            found, offset = self._engine.run(read, about=self._spec.name)
            if found:
                yield found
            if offset is None:
                return

    def _require_own(self, client: QdrantClient) -> None:
        """Refuse a field that someone put in the place of this one (INV-1)."""
        found = objects.require(client, self._shared, self._spec.name)
        if found.fingerprint != self._spec.fingerprint:
            raise FingerprintMismatchError(
                collection=self._spec.name,
                expected=self._spec.fingerprint,
                found=found.fingerprint,
            )
        self._owned = time.monotonic()
