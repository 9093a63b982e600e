"""A team's own collection as one of repoint's: its points stay, notes are added to them.

What a search needs stands in the points' payloads: one object, and the fields for filters.
Beside the collection stands one of repoint's with a point for each document that it knows
of: positions, and tombstones, which never stand among the team's points.

A write goes into the team's points first and beside them second, a delete the other way
round, and each then looks at the other: whichever is older gives way.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from uuid import uuid5

import numpy as np
from qdrant_client import QdrantClient, models

from repoint.backends.qdrant.collection import BATCH, QdrantCollection
from repoint.backends.qdrant.engine import Engine
from repoint.backends.qdrant.filters import condition
from repoint.backends.qdrant.layouts import (
    NOTES,
    document_of,
    has_own_ids,
    id_of,
    payload_of,
    state_of,
    vector_of,
)
from repoint.backends.qdrant.noting import (
    BYPASSED,
    KNOWN,
    SPACE,
    beside,
    delete,
    not_newer,
    notes_of,
)
from repoint.beside.signatures import made_of, was_made
from repoint.domain.adoption import FieldKind, Layout
from repoint.domain.document import Entry
from repoint.domain.errors import UnsupportedError
from repoint.domain.filters import Filter
from repoint.domain.ids import DocumentId, Lsn
from repoint.ports.adoption import Note
from repoint.ports.backend import (
    CollectionSpec,
    Counts,
    FloatVector,
    Hit,
    SpaceMatrix,
    StoredBatch,
)
from repoint.ports.spaces import chunk_rows


class AdoptedQdrantCollection(QdrantCollection):
    """One collection of a team, and what is known of its points."""

    def __init__(self, *, spec: CollectionSpec, layout: Layout, engine: Engine) -> None:
        super().__init__(spec=spec, engine=engine)
        self._layout = layout
        self._place = layout.collection
        self._using = layout.vector or None
        self._shown = (NOTES, *self._team_keys())

    def put(self, entries: Sequence[Entry], vectors: SpaceMatrix) -> None:
        """Write whole documents into the team's own points, unless a higher LSN is there."""
        matrix = chunk_rows(self._spec, entries, vectors)
        filled = [entry for entry in entries if entry.chunks]
        for entry in filled:
            if len(entry.chunks) > 1 or entry.content is None:
                raise UnsupportedError(
                    driver="qdrant",
                    what=f"document {entry.document!r} with {len(entry.chunks)} chunks in an "
                    "adopted collection, which has one vector a point",
                )
        emptied = [entry for entry in entries if not entry.chunks]

        def write(client: QdrantClient) -> None:
            self._require_own(client)
            if filled:
                self._fill(client, filled, matrix)
            if emptied:
                self._empty(client, emptied)

        self._engine.write(write, about=self._place)

    def note(self, notes: Sequence[Note]) -> None:
        """Note points that stand already."""

        def write(client: QdrantClient) -> None:
            self._require_own(client)
            there = self._points(client, [note.entry.document for note in notes])
            operations = []
            for note in notes:
                point = there.get(note.entry.document)
                if point is None:
                    continue
                state, _, made = note.state.partition(" ")
                payload = notes_of(note.entry, state=state, made=made)
                guard = not_newer(note.entry.lsn, ids=[point.id])
                operations.append(
                    models.SetPayloadOperation(
                        set_payload=models.SetPayload(payload=payload, filter=guard)
                    )
                )
            if operations:
                client.batch_update_points(self._place, operations, wait=True)
            self._position(client, [note.entry for note in notes], emptied=False)

        self._engine.run(write, about=self._place)

    def stored(
        self, documents: Sequence[DocumentId], *, with_vectors: bool = False
    ) -> StoredBatch:
        """Return what stands for these documents, in their order."""

        def read(client: QdrantClient) -> list[models.Record]:
            self._require_own(client)
            found = self._points(client, list(dict.fromkeys(documents)), with_vectors=True)
            return [found[one] for one in dict.fromkeys(documents) if one in found]

        found = self._engine.run(read, about=self._place)
        return self._of_points(found, with_vectors=with_vectors)

    def scan(self, *, with_vectors: bool = False) -> Iterator[StoredBatch]:
        """Return an iterator over the points, known to repoint or not."""
        self._engine.run(self._require_own, about=self._place)
        return (
            self._of_points(page, with_vectors=with_vectors)
            for page in self.pages(with_vectors=True)
        )

    def counts(self) -> Counts:
        """Return how much of it repoint knows."""
        emptied = models.FieldCondition(key="emptied", match=models.MatchValue(value=True))

        def read(client: QdrantClient) -> Counts:
            self._require_own(client)
            known = models.Filter(must=[KNOWN])
            count = int(client.count(self._place, count_filter=known, exact=True).count)
            gone = models.Filter(must=[emptied])
            guards = int(client.count(self._spec.name, count_filter=gone, exact=True).count)
            return Counts(documents=count, chunks=count, emptied=guards)

        return self._engine.run(read, about=self._place)

    def purge(
        self, documents: Sequence[DocumentId] = (), *, emptied_below: Lsn | None = None
    ) -> None:
        """Delete points that repoint wrote or noted, and what it knows of them."""

        def purge(client: QdrantClient) -> None:
            if documents:
                ids = [point.id for point in self._points(client, documents).values()]
                known = models.Filter(must=[models.HasIdCondition(has_id=ids), KNOWN])
                delete(client, self._place, known)
                beside = models.HasIdCondition(has_id=[beside(one) for one in documents])
                delete(client, self._spec.name, models.Filter(must=[beside]))
            if emptied_below is not None:
                old = [
                    models.FieldCondition(key="emptied", match=models.MatchValue(value=True)),
                    models.FieldCondition(key="lsn", range=models.Range(lt=emptied_below)),
                ]
                delete(client, self._spec.name, models.Filter(must=old))

        self._engine.run(purge, about=self._place)

    def positions(self) -> dict[DocumentId, tuple[Lsn, bool]]:
        """Return the position of each document that is known, and whether it was emptied."""
        return {
            DocumentId(str(one.payload["document"])): (
                Lsn(int(one.payload["lsn"])),
                bool(one.payload["emptied"]),
            )
            for page in self._scrolled(self._spec.name, with_vectors=False)
            for one in page
        }

    def pages(self, *, with_vectors: bool) -> Iterator[list[models.Record]]:
        """Yield the team's points, page by page in the order of their ids."""
        return self._scrolled(self._place, with_vectors=with_vectors)

    # What the team's collection holds in another form

    def _kept(self, where: Filter | None) -> models.Filter:
        return models.Filter(must=[KNOWN] if where is None else [KNOWN, condition(where)])

    def _hit(self, point: models.ScoredPoint, score: float) -> Hit:
        notes = point.payload[NOTES]
        document = document_of(self._layout, point)
        return Hit(
            document=document.id,
            slot=0,
            lsn=Lsn(int(notes["lsn"])),
            score=score,
            text=document.text if notes["text"] is None else str(notes["text"]),
            start=int(notes["start"]),
            end=int(notes["end"]),
            metadata=json.loads(str(notes["metadata"])),
        )

    # Writing

    def _fill(self, client: QdrantClient, entries: Sequence[Entry], rows: FloatVector) -> None:
        there = self._points(client, [one.document for one in entries], with_vectors=True)
        operations = []
        for entry, vector in zip(entries, rows, strict=True):
            assert entry.content is not None  # noqa: S101 - ``put`` saw to it
            point = there.get(entry.document)
            before = {} if point is None else point.payload or {}
            payload = payload_of(self._layout, entry.content, before)
            notes = notes_of(entry, state=state_of(self._layout, payload), made=made_of(vector))
            place = self._new_id(entry.document) if point is None else point.id
            struct = models.PointStruct(
                id=place,
                vector=self._vectors(point, vector),
                payload={**payload, **notes},
            )
            listed = models.PointsList(points=[struct], update_filter=not_newer(entry.lsn))
            operations.append(models.UpsertOperation(upsert=listed))
        client.batch_update_points(self._place, operations, wait=True)
        self._position(client, entries, emptied=False)
        self._give_way(client, entries, unnoted=False)

    def _empty(self, client: QdrantClient, entries: Sequence[Entry]) -> None:
        """Write tombstones; a document that cannot be taken leaves its point as it is."""
        self._position(client, entries, emptied=True)
        deleted = [entry for entry in entries if entry.content is None]
        # Also points that nobody noted: they are deleted by whoever deletes the document.
        self._give_way(client, deleted, unnoted=True)
        refused = [entry for entry in entries if entry.content is not None]
        for name, point in self._points(client, [one.document for one in refused]).items():
            lsn = next(one.lsn for one in refused if one.document == name)
            client.set_payload(
                self._place,
                {"known": False, "lsn": lsn, "state": state_of(self._layout, point.payload)},
                points=not_newer(lsn, ids=[point.id]),
                key=NOTES,
                wait=True,
            )

    def _give_way(
        self, client: QdrantClient, entries: Sequence[Entry], *, unnoted: bool
    ) -> None:
        """Delete points that are older than a tombstone beside them."""
        if not entries:
            return
        found = client.retrieve(self._spec.name, [beside(one.document) for one in entries])
        gone = {
            DocumentId(str(one.payload["document"])): Lsn(int(one.payload["lsn"]))
            for one in found
            if one.payload["emptied"]
        }
        for name, point in self._points(client, list(gone)).items():
            ids = [point.id]
            noted = models.Range(lte=gone[name])
            older = [models.FieldCondition(key=f"{NOTES}.lsn", range=noted)]
            has = models.HasIdCondition(has_id=ids)
            kept = (
                not_newer(gone[name], ids=ids) if unnoted else models.Filter(must=[has, *older])
            )
            delete(client, self._place, kept)

    def _position(
        self, client: QdrantClient, entries: Sequence[Entry], *, emptied: bool
    ) -> None:
        operations = []
        for entry in entries:
            struct = models.PointStruct(
                id=beside(entry.document),
                vector={},
                payload={"document": entry.document, "lsn": entry.lsn, "emptied": emptied},
            )
            older = models.FieldCondition(key="lsn", range=models.Range(lte=entry.lsn))
            listed = models.PointsList(
                points=[struct], update_filter=models.Filter(must=[older])
            )
            operations.append(models.UpsertOperation(upsert=listed))
        if operations:
            client.batch_update_points(self._spec.name, operations, wait=True)

    def _vectors(self, point: models.Record | None, vector: FloatVector) -> object:
        """Return the vectors of a point: the new one, and others of the team's as they were."""
        if not self._layout.vector:
            return vector.tolist()
        others = point.vector if point is not None and isinstance(point.vector, dict) else {}
        return {**others, self._layout.vector: vector.tolist()}

    # Reading

    def _of_points(self, found: Sequence[models.Record], *, with_vectors: bool) -> StoredBatch:
        kept = [one for one in found if self._stands(one)]
        vectors = np.full((len(kept), self._spec.dimensions), np.nan, dtype=np.float32)
        digests = []
        for place, one in enumerate(kept):
            notes: Mapping[str, object] = (one.payload or {}).get(NOTES) or {}
            vector = vector_of(self._layout, one)
            if vector is not None and was_made(vector, notes.get("made")):
                vectors[place] = vector
            same = notes.get("state") == state_of(self._layout, one.payload or {})
            digests.append(str(notes["digest"]) if notes.get("known") and same else BYPASSED)
        return StoredBatch(
            documents=[id_of(self._layout, one) for one in kept],
            slots=np.zeros(len(kept), dtype=np.int32),
            lsns=np.array(
                [int(((one.payload or {}).get(NOTES) or {}).get("lsn", 0)) for one in kept],
                dtype=np.int64,
            ),
            digests=digests,
            vectors=vectors if with_vectors else None,
        )

    def _stands(self, point: models.Record) -> bool:
        payload = point.payload or {}
        notes = payload.get(NOTES) or {}
        if notes.get("known"):
            return True
        changed = notes.get("state") != state_of(self._layout, payload)
        return changed and bool(document_of(self._layout, point).text.strip())

    def _points(
        self,
        client: QdrantClient,
        documents: Iterable[DocumentId],
        *,
        with_vectors: bool = False,
    ) -> dict[DocumentId, models.Record]:
        """Return the team's points of these documents; a noted one before others."""
        held = [one for one in documents if not self._layout.id.refuses_id(one)]
        if not held:
            return {}
        if has_own_ids(self._layout):
            ids = [self._new_id(one) for one in held]
            found = client.retrieve(self._place, ids, with_vectors=with_vectors)
        else:
            among = models.MatchAny(any=held)
            wanted = models.FieldCondition(key=self._layout.id.name, match=among)
            found = []
            offset: object = None
            while True:
                page, offset = client.scroll(
                    self._place,
                    scroll_filter=models.Filter(must=[wanted]),
                    limit=BATCH,
                    offset=offset,
                    with_vectors=with_vectors,
                )
                found += page
                if offset is None:
                    break
        found.sort(key=lambda one: NOTES in (one.payload or {}))
        return {id_of(self._layout, one): one for one in found}

    def _scrolled(self, name: str, *, with_vectors: bool) -> Iterator[list[models.Record]]:
        offset: object = None
        while True:

            def read(
                client: QdrantClient, after: object = offset
            ) -> tuple[list[models.Record], object]:
                page: tuple[list[models.Record], object] = client.scroll(
                    name, limit=BATCH, offset=after, with_vectors=with_vectors
                )
                return page

            found, offset = self._engine.run(read, about=name)
            if found:
                yield found
            if offset is None:
                return

    def _new_id(self, document: DocumentId) -> models.ExtendedPointId:
        if not has_own_ids(self._layout):
            return str(uuid5(SPACE, document))
        return int(document) if self._layout.id.kind is FieldKind.INTEGER else str(document)

    def _team_keys(self) -> list[str]:
        titles = [self._layout.title.name] if self._layout.title is not None else []
        own = [] if has_own_ids(self._layout) else [self._layout.id.name]
        return [self._layout.text.name, *titles, *own]
