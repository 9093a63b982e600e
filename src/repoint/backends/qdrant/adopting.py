"""Taking over a team's own collection (``ports.adoption.Adopter``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from qdrant_client import QdrantClient, models

from repoint.backends.qdrant import points
from repoint.backends.qdrant.adopted import AdoptedQdrantCollection
from repoint.backends.qdrant.collection import look
from repoint.backends.qdrant.engine import Engine
from repoint.backends.qdrant.layouts import (
    NOTES,
    document_of,
    has_own_ids,
    id_of,
    is_ours,
    layout_of,
    params_of,
    state_of,
    vector_of,
)
from repoint.beside.signatures import made_of
from repoint.domain.adoption import Bypass, BypassKind, Layout
from repoint.domain.errors import (
    AlreadyExistsError,
    CollectionMissingError,
    FingerprintMismatchError,
    NotFoundError,
    UnsupportedError,
)
from repoint.domain.ids import CollectionName, DocumentId, Lsn
from repoint.domain.spec import Distance
from repoint.ports.adoption import Foreign, ForeignPage, Note, Wish
from repoint.ports.backend import CollectionSpec

_DISTANCES = {
    Distance.COSINE: models.Distance.COSINE,
    Distance.DOT: models.Distance.DOT,
    Distance.L2: models.Distance.EUCLID,
}


class QdrantAdopter:
    """Takes over collections of one Qdrant."""

    def __init__(
        self, engine: Engine, *, collections: Callable[[], Sequence[CollectionName]]
    ) -> None:
        self._engine = engine
        self._collections = collections

    def look(self, wish: Wish, *, alias: str) -> Foreign:
        """Return what stands there."""

        def read(client: QdrantClient) -> Foreign:
            names = sorted(one.name for one in client.get_collections().collections)
            if wish.collection not in names:
                raise NotFoundError(what="collection", name=wish.collection, known=names)
            layout = layout_of(client, wish)
            params = params_of(client, layout)
            self._require_unique(layout)
            return Foreign(
                layout=layout,
                rows=int(client.count(wish.collection, exact=True).count),
                dimensions=int(params.size),
                name_taken_by=f"collection {alias}" if alias in names else "",
                normalises=params.distance == models.Distance.COSINE,
            )

        return self._engine.run(read, about=wish.collection)

    def sample(self, layout: Layout, *, count: int, seed: int) -> ForeignPage:
        """Return points drawn by the server itself; a seed chooses nothing here."""
        del seed

        def read(client: QdrantClient) -> list[models.ScoredPoint]:
            query = models.SampleQuery(sample=models.Sample.RANDOM)
            found: list[models.ScoredPoint] = client.query_points(
                layout.collection,
                query=query,
                limit=count,
                with_payload=True,
                with_vectors=True,
            ).points
            return found

        return _page(layout, self._engine.run(read, about=layout.collection))

    def read(self, layout: Layout, *, after: str, limit: int) -> ForeignPage:
        """Return the points that follow in the order of their ids."""
        whole = after.isdigit()

        def read(client: QdrantClient) -> tuple[list[models.Record], object]:
            page: tuple[list[models.Record], object] = client.scroll(
                layout.collection,
                limit=limit,
                offset=(int(after) if whole else after) if after else None,
                with_payload=True,
                with_vectors=True,
            )
            return page

        found, following = self._engine.run(read, about=layout.collection)
        return _page(layout, found, cursor=None if following is None else str(following))

    def begin(self, spec: CollectionSpec) -> None:
        """Make the collection beside the team's."""
        layout = spec.adopted
        if layout is None or spec.lexical:
            raise UnsupportedError(driver="qdrant", what="hybrid search")

        def make(client: QdrantClient) -> None:
            kept = params_of(client, layout).distance
            if kept != _DISTANCES[spec.distance]:
                raise UnsupportedError(
                    driver="qdrant",
                    what=f"distance {spec.distance} in {layout.collection}, which was made "
                    f"for {kept}",
                    hint="declare the distance that it was made with",
                )
            if not client.collection_exists(spec.name):
                self._require_free(layout)
                client.create_collection(
                    spec.name,
                    vectors_config={
                        points.VECTOR: models.VectorParams(size=1, distance=models.Distance.DOT)
                    },
                    metadata=points.metadata_of(spec),
                )
            found = look(client, spec.name)
            if found is None or found.fingerprint != spec.fingerprint:
                raise FingerprintMismatchError(
                    collection=spec.name,
                    expected=spec.fingerprint,
                    found=found.fingerprint if found else None,
                )

        self._engine.run(make, about=layout.collection)

    def note(self, name: CollectionName, notes: Sequence[Note]) -> None:
        """Note points in one request."""
        if notes:
            self.opened(name).note(notes)

    def bypassed(self, name: CollectionName) -> Iterator[Bypass]:
        """Yield what is not as it was noted: points as they stand, then those that are gone."""
        collection = self.opened(name)
        layout = _layout(collection.spec)
        positions = collection.positions()
        seen: set[DocumentId] = set()
        for page in collection.pages(with_vectors=False):
            for point in page:
                seen.add(id_of(layout, point))
                found = _bypass(layout, point, positions)
                if found is not None:
                    yield found
        for gone, (lsn, emptied) in positions.items():
            if not emptied and gone not in seen:
                yield Bypass(document=gone, kind=BypassKind.DELETED, noted=lsn, content=None)

    def destroy(self, name: CollectionName) -> None:
        """Delete the team's collection, then what stands beside it."""

        def drop(client: QdrantClient) -> None:
            if not client.collection_exists(name):
                return
            spec = look(client, name)
            if spec is not None and spec.adopted is not None:
                client.delete_collection(spec.adopted.collection)
            client.delete_collection(name)

        self._engine.run(drop, about=name)

    def let_go(self, layout: Layout) -> None:
        """Take what was added to the points' payloads away again."""

        def clear(client: QdrantClient) -> None:
            offset: object = None
            while True:
                found, offset = client.scroll(layout.collection, limit=1024, offset=offset)
                added = sorted({n for one in found for n in one.payload or {} if is_ours(n)})
                if added:
                    ids = [one.id for one in found]
                    client.delete_payload(layout.collection, added, points=ids, wait=True)
                if offset is None:
                    return

        self._engine.run(clear, about=layout.collection)

    def opened(self, name: CollectionName) -> AdoptedQdrantCollection:
        """Return an adopted collection."""
        spec = self._spec(name)
        if spec is None or spec.adopted is None:
            raise CollectionMissingError(collection=name)
        return AdoptedQdrantCollection(spec=spec, layout=spec.adopted, engine=self._engine)

    def _spec(self, name: CollectionName) -> CollectionSpec | None:
        return self._engine.run(lambda client: look(client, name), about=name)

    def _require_free(self, layout: Layout) -> None:
        for name in self._collections():
            spec = self._spec(name)
            adopted = spec.adopted if spec is not None else None
            if adopted is not None and adopted.collection == layout.collection:
                raise AlreadyExistsError(
                    what="adoption of", name=f"{layout.collection} as {name}"
                )

    def _require_unique(self, layout: Layout) -> None:
        if has_own_ids(layout):
            return
        seen: set[DocumentId] = set()
        after = ""
        while True:
            page = self.read(layout, after=after, limit=1024)
            names = [row.document.id for row in page.rows]
            if len(set(names)) != len(names) or not seen.isdisjoint(names):
                raise UnsupportedError(
                    driver="qdrant",
                    what=f"ids in {layout.id.name!r} that occur more than once",
                    hint="each point is one document: adopt by the points' own ids: "
                    "--id-field id",
                )
            seen.update(names)
            if page.cursor is None:
                return
            after = page.cursor


def _layout(spec: CollectionSpec) -> Layout:
    if spec.adopted is None:
        raise CollectionMissingError(collection=spec.name)
    return spec.adopted


def _page(
    layout: Layout, found: Sequence[models.Record], *, cursor: str | None = None
) -> ForeignPage:
    rows = (
        (
            document_of(layout, point),
            f"{state_of(layout, point.payload or {})} {made_of(vector)}",
            vector,
        )
        for point in found
        for vector in (vector_of(layout, point),)
    )
    return ForeignPage.of(rows, cursor=cursor)


def _bypass(
    layout: Layout,
    point: models.Record,
    positions: Mapping[DocumentId, tuple[Lsn, bool]],
) -> Bypass | None:
    payload = point.payload or {}
    notes = payload.get(NOTES) or {}
    document = document_of(layout, point)
    lsn, emptied = positions.get(document.id, (None, False))
    # Its note may have come back with it, from a copy that was made before a later write.
    is_newest = lsn is None or int(notes.get("lsn", -1)) >= lsn
    if is_newest and notes.get("state") == state_of(layout, payload):
        return None
    if not notes.get("known") and not document.text.strip():
        return None
    return Bypass.of(document, noted=lsn, emptied=emptied)
