"""The calls on one class that a collection is made of, each within the server's limits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias
from uuid import UUID

import numpy as np
from weaviate import WeaviateClient
from weaviate.classes.config import ConsistencyLevel
from weaviate.classes.query import Filter as Where
from weaviate.classes.query import MetadataQuery, Sort
from weaviate.collections import Collection as Handle
from weaviate.collections.classes.batch import ErrorObject
from weaviate.collections.classes.filters import FilterReturn
from weaviate.collections.classes.internal import Object
from weaviate.collections.classes.types import WeaviateProperties
from weaviate.exceptions import WeaviateBatchError

from repoint.backends.weaviate.classes import GUARD
from repoint.backends.weaviate.filters import filled
from repoint.backends.weaviate.names import class_name, document_key, vector_name
from repoint.backends.weaviate.objects import (
    HIT,
    Properties,
    Written,
    hit,
    stored_names,
    whole,
    written,
)
from repoint.domain.document import Entry
from repoint.domain.errors import RowsRefusedError
from repoint.domain.ids import DocumentId
from repoint.domain.spec import Distance
from repoint.ports.backend import CollectionSpec, FloatMatrix, FloatVector, Hit

Row: TypeAlias = tuple[Properties, FloatVector | None]
Found: TypeAlias = Object[WeaviateProperties, None]
#: As the client's searches return it: with a distance or a score.
Ranked: TypeAlias = Object[WeaviateProperties, None]

#: The most that the server gives for one question, and deletes by one call.
MOST: Final = 10_000
#: Objects of one page of a scan, without vectors and texts and with them.
PAGE: Final = 1024
HEAVY_PAGE: Final = 512
#: Documents that one condition names.
NAMED: Final = 200
#: About as many bytes go into one write.
WRITE_BYTES: Final = 16_000_000
#: How the server says that a property does not hold what its type is for.
_OF_OBJECT: Final = re.compile(r"invalid \S+(?: array)? property |invalid object")
_QUOTED: Final = 300


class Shelf:
    """One class, or one tenant's share of it."""

    #: Put before the names of properties that are repoint's, where others stand beside them.
    prefix = ""

    def __init__(self, spec: CollectionSpec, *, tenant: str = "") -> None:
        self._spec = spec
        self._tenant = tenant
        self._class = class_name(spec.name)
        #: A class of another space does not have it (INV-1); None where it has no name.
        self._vector: str | None = vector_name(spec.fingerprint)
        self._text = "text"
        self._shown: tuple[str, ...] = HIT
        self._opened: tuple[WeaviateClient, Handle] | None = None

    def handle(self, client: WeaviateClient) -> Handle:
        """Return the client's handle; a replicated class is read as it was written."""
        if self._opened is None or self._opened[0] is not client:
            named = client.collections.use(self._class)
            handle = named.with_consistency_level(ConsistencyLevel.QUORUM)
            if self._tenant:
                handle = handle.with_tenant(self._tenant)
            self._opened = client, handle
        return self._opened[1]

    def nearest(
        self,
        client: WeaviateClient,
        values: FloatVector,
        *,
        limit: int,
        where: FilterReturn | None,
    ) -> list[Hit]:
        """Return the nearest chunks by the class's own index."""
        found = self.handle(client).query.near_vector(
            values.tolist(),
            target_vector=self._vector,
            limit=limit,
            filters=None if where is None else self.within(where),
            return_metadata=MetadataQuery(distance=True),
            return_properties=list(self._shown),
        )
        cosine = self._spec.distance is Distance.COSINE
        return [
            self.hit(one, (1.0 if cosine else 0.0) - (one.metadata.distance or 0.0))
            for one in found.objects
        ]

    def worded(
        self, client: WeaviateClient, text: str, *, limit: int, where: FilterReturn | None
    ) -> list[Hit]:
        """Return the chunks that have some of the words."""
        found = self.handle(client).query.bm25(
            text,
            query_properties=[self._text],
            limit=limit,
            filters=None if where is None else self.within(where),
            return_metadata=MetadataQuery(score=True),
            return_properties=list(self._shown),
        )
        return [self.hit(one, one.metadata.score or 0.0) for one in found.objects]

    def within(self, where: FilterReturn) -> FilterReturn:
        """Return a condition on what is this shelf's among the objects of its class."""
        return where

    def written(
        self, entries: Sequence[Entry], matrix: FloatMatrix, *, standing: Mapping[UUID, int]
    ) -> Iterator[Written]:
        """Yield entries as objects, but for slots in which a higher LSN stands."""
        return written(self._spec, entries, matrix, standing=standing)

    def hit(self, found: Ranked, score: float) -> Hit:
        """Return a found object as a hit."""
        return hit(found.properties, score)

    def standing(
        self, client: WeaviateClient, documents: Sequence[DocumentId]
    ) -> dict[UUID, int]:
        """Return the LSN of each slot that these documents have, emptied ones too."""
        return {
            one.uuid: whole(one.properties["lsn"])
            for group in groups(documents)
            for one in self._of(client, group, ("lsn",), with_vectors=False)
        }

    def stored(
        self, client: WeaviateClient, documents: Sequence[DocumentId], *, with_vectors: bool
    ) -> Iterator[Row]:
        """Yield the chunks of these documents."""
        for group in groups(documents):
            properties = stored_names(with_vectors=with_vectors)
            found = self._of(client, group, properties, with_vectors=with_vectors)
            yield from self._rows(found)

    def page(
        self, client: WeaviateClient, *, after: UUID | None, with_vectors: bool
    ) -> tuple[list[Row], UUID | None]:
        """Return the chunks after an id, in the order of ids, and where to go on."""
        found = self.handle(client).query.fetch_objects(
            limit=HEAVY_PAGE if with_vectors else PAGE,
            after=after,
            include_vector=with_vectors,
            return_properties=list(stored_names(with_vectors=with_vectors)),
        )
        last = found.objects[-1].uuid if found.objects else None
        return list(self._rows(found.objects)), last

    def count(self, client: WeaviateClient, where: FilterReturn) -> int:
        """Return how many objects meet a condition."""
        kept = self.within(where)
        counted = self.handle(client).aggregate.over_all(filters=kept, total_count=True)
        return counted.total_count or 0

    def chunks(self, client: WeaviateClient) -> int:
        """Return how many slots are not emptied."""
        return self.count(client, filled(prefix=self.prefix))

    def is_indexing(self, client: WeaviateClient) -> bool:
        """Return whether vectors wait for the index, as they do with ``ASYNC_INDEXING``."""
        return any(
            "INDEXING" in {one.status, *(one.per_node_status or {}).values()}
            for one in self.handle(client).config.get_shards()
            if self._tenant in {"", one.name}
        )

    def write(self, client: WeaviateClient, given: Iterable[Written]) -> None:
        """Write objects, in calls that are not too large.

        Raises:
            RowsRefusedError: some will never be taken as they are; named where they are
                repoint's own objects.
            WeaviateBatchError: some were not written.
        """
        handle = self.handle(client)
        for part in _parts(given, vector_bytes=4 * self._spec.dimensions):
            done = handle.data.insert_many(part)
            if not done.has_errors:
                continue
            first = next(iter(done.errors.values())).message
            if not all(is_of_object(error.message) for error in done.errors.values()):
                raise WeaviateBatchError(first)
            named = {} if self.prefix else _named(part, done.errors)
            raise RowsRefusedError(driver="weaviate", why=first[:_QUOTED], reasons=named)

    def delete(self, client: WeaviateClient, where: FilterReturn) -> None:
        """Delete all objects that meet a condition, as many calls as that takes.

        Raises:
            WeaviateBatchError: some were not deleted.
        """
        kept = self.within(where)
        while (done := self.handle(client).data.delete_many(where=kept)).matches:
            if done.failed:
                raise WeaviateBatchError(f"{done.failed} objects were not deleted")

    def _of(
        self,
        client: WeaviateClient,
        documents: Sequence[DocumentId],
        properties: Sequence[str],
        *,
        with_vectors: bool,
    ) -> Iterator[Found]:
        limit = HEAVY_PAGE if with_vectors else MOST
        wanted = self.within(of_documents(documents))
        floor, seen = 0, frozenset[UUID]()
        while True:  # in the order of slots, so that what a limit cuts off comes next
            page = (
                self.handle(client)
                .query.fetch_objects(
                    filters=wanted & Where.by_property("slot").greater_or_equal(floor),
                    limit=limit,
                    sort=Sort.by_property("slot"),
                    include_vector=with_vectors,
                    return_properties=[*properties, "slot", GUARD],
                )
                .objects
            )
            fresh = [one for one in page if one.uuid not in seen]
            yield from fresh
            if len(page) < limit or not fresh:
                return
            floor = whole(page[-1].properties["slot"])
            seen = frozenset(one.uuid for one in page if whole(one.properties["slot"]) == floor)

    def _rows(self, found: Iterable[Found]) -> Iterator[Row]:
        for one in found:
            if one.properties[GUARD] is None:
                vector = one.vector.get(self._vector or "")
                yield (
                    one.properties,
                    None if vector is None else np.asarray(vector, dtype=np.float32),
                )


def of_documents(documents: Sequence[DocumentId]) -> FilterReturn:
    """Return the condition of these documents' slots."""
    return Where.by_property("key").contains_any([document_key(one) for one in documents])


def groups(documents: Sequence[DocumentId]) -> Iterator[Sequence[DocumentId]]:
    """Yield the documents, each once, in groups that one condition can name."""
    named = list(dict.fromkeys(documents))
    for start in range(0, len(named), NAMED):
        yield named[start : start + NAMED]


def is_of_object(said: str) -> bool:
    """Return whether the server refuses an object for what its properties hold."""
    return _OF_OBJECT.search(said) is not None


def _named(part: Sequence[Written], errors: Mapping[int, ErrorObject]) -> dict[str, str]:
    return {
        str((part[place].properties or {}).get("document")): error.message[:_QUOTED]
        for place, error in errors.items()
    }


def _parts(given: Iterable[Written], *, vector_bytes: int) -> Iterator[list[Written]]:
    part: list[Written] = []
    size = 0
    for one in given:
        part.append(one)
        size += vector_bytes + sum(len(str(value)) for value in one.properties.values())
        if size >= WRITE_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part
