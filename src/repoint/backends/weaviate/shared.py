"""One release's vectors under a name of their own, in a class that several releases share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final
from uuid import UUID

from weaviate import WeaviateClient
from weaviate.classes.query import Filter as Where
from weaviate.collections.classes.filters import FilterReturn

from repoint.backends.weaviate import entries as standing_entries
from repoint.backends.weaviate import objects
from repoint.backends.weaviate.classes import RELEASE
from repoint.backends.weaviate.collection import WeaviateCollection
from repoint.backends.weaviate.engine import Engine
from repoint.backends.weaviate.filters import PARTS, filled
from repoint.backends.weaviate.names import class_name, field_name
from repoint.backends.weaviate.objects import Written
from repoint.backends.weaviate.shelf import HEAVY_PAGE, MOST, PAGE, Row, Shelf
from repoint.domain.document import Entry
from repoint.domain.errors import FingerprintMismatchError, UnsupportedError
from repoint.domain.placing import Place
from repoint.ports.backend import CollectionSpec, FloatMatrix, StoredBatch

#: A share of the chunks that is read at once is at most this part of a page, as chance has it.
_ROOM: Final = 2


class SharedShelf(Shelf):
    """The objects of one release among those of its class."""

    def __init__(self, spec: CollectionSpec, place: Place) -> None:
        super().__init__(spec)
        self._field = str(place.vector_field)
        self._class = class_name(place.collection)
        self._vector = field_name(self._field)

    def within(self, where: FilterReturn) -> FilterReturn:
        """Return a condition on this release's objects; without any its vectors say it."""
        return Where.by_property(RELEASE).equal(self._field) & where

    def written(
        self, entries: Sequence[Entry], matrix: FloatMatrix, *, standing: Mapping[UUID, int]
    ) -> Iterator[Written]:
        """Yield entries as this release's objects."""
        return objects.written(
            self._spec, entries, matrix, standing=standing, field=self._field
        )

    def share(
        self, client: WeaviateClient, begin: int, end: int, *, with_vectors: bool
    ) -> list[Row] | None:
        """Return the chunks of a share, None if they are more than are read at once.

        Raises:
            UnsupportedError: it is no longer to be parted, and they are still more.
        """
        is_smallest = end - begin == 1
        most = HEAVY_PAGE if with_vectors else PAGE
        most = MOST if is_smallest else most
        found = self.handle(client).query.fetch_objects(
            filters=self.within(filled(begin=begin, end=end)),
            limit=most,
            include_vector=with_vectors,
            return_properties=list(objects.stored_names(with_vectors=with_vectors)),
        )
        if len(found.objects) < most:
            return list(self._rows(found.objects))
        if is_smallest:
            raise UnsupportedError(
                driver="weaviate", what=f"more than {MOST * PARTS:,} chunks in a release"
            )
        return None


class SharedWeaviateCollection(WeaviateCollection):
    """One release. What stands of others in the class is neither read nor written."""

    def __init__(self, *, spec: CollectionSpec, place: Place, engine: Engine) -> None:
        super().__init__(spec=spec, engine=engine)
        self._place = place
        self._own = SharedShelf(spec, place)
        self._shelf = self._own

    def _pages(self, *, with_vectors: bool) -> Iterator[StoredBatch]:
        """Yield share after share: the server's own order would pass over all releases."""
        page = (HEAVY_PAGE if with_vectors else PAGE) // _ROOM
        shares = min(-(-max(self._run(self._shelf.chunks), 1) // page), PARTS)
        borders = [PARTS * one // shares for one in range(shares + 1)]
        left = list(pairwise(borders))
        while left:
            begin, end = left.pop()
            rows = self._run(
                lambda client, begin=begin, end=end: self._own.share(  # type: ignore[misc]
                    client, begin, end, with_vectors=with_vectors
                )
            )
            if rows is None:
                middle = (begin + end) // 2
                left += [(begin, middle), (middle, end)]
            elif rows:
                yield objects.batch(rows, self._spec.dimensions, with_vectors=with_vectors)

    def _require_own(self, client: WeaviateClient) -> None:
        """Refuse a release that someone put in the place of this one (INV-1)."""
        seen = standing_entries.require(client, self._place, self._spec.name)
        if seen.spec is None or seen.spec.fingerprint != self._spec.fingerprint:
            raise FingerprintMismatchError(
                collection=self._spec.name,
                expected=self._spec.fingerprint,
                found=seen.spec.fingerprint if seen.spec else None,
            )
        self._keep(seen.fields)
