"""Taking over a team's own collection (``ports.adoption.Adopter``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pymilvus import MilvusClient
from pymilvus.client.types import LoadState

from repoint.backends.milvus import notes as beside
from repoint.backends.milvus.collection import look
from repoint.backends.milvus.engine import TIMEOUT_S, Engine
from repoint.backends.milvus.layouts import layout_of, left_out
from repoint.backends.milvus.names import physical
from repoint.backends.milvus.notes import MilvusNotes
from repoint.backends.milvus.rows import METRICS
from repoint.backends.milvus.schemas import Schema
from repoint.backends.milvus.team import MilvusTeamRows, index_of
from repoint.beside.collection import AdoptedCollection
from repoint.beside.reading import page_of, sampled
from repoint.domain.adoption import Bypass, Layout
from repoint.domain.errors import (
    AlreadyExistsError,
    CollectionMissingError,
    FingerprintMismatchError,
    NotFoundError,
    UnsupportedError,
)
from repoint.domain.ids import CollectionName
from repoint.ports.adoption import Foreign, ForeignPage, Note, Wish
from repoint.ports.backend import CollectionSpec
from repoint.ports.turns import turns_at

#: Stands before a cursor, so that a key which is an empty text is one too.
_CURSOR = ">"


class MilvusAdopter:
    """Takes over collections of one database."""

    def __init__(
        self, engine: Engine, *, collections: Callable[[], Sequence[CollectionName]]
    ) -> None:
        self._engine = engine
        self._collections = collections

    def look(self, wish: Wish, *, alias: str) -> Foreign:
        """Return what stands there; every key is looked at, for those that occur twice."""

        def read(client: MilvusClient) -> Foreign:
            names = sorted(client.list_collections(timeout=TIMEOUT_S))
            if wish.collection not in names:
                raise NotFoundError(what="collection", name=wish.collection, known=names)
            _require_one_partition(client, wish.collection)
            _require_loaded(client, wish.collection)
            schema = Schema.of(client, wish.collection)
            layout = layout_of(client, wish, schema)
            index_of(client, layout)
            rows = MilvusTeamRows(self._engine, layout, schema)
            count = rows.count()
            if not count:
                raise UnsupportedError(
                    driver="milvus", what=f"adopting {wish.collection}, which is empty"
                )
            rows.require_unique()
            shown = physical(alias)
            return Foreign(
                layout=layout,
                rows=count,
                dimensions=schema.dimensions(layout.vector),
                name_taken_by=f"collection {shown}" if shown in names else "",
                left_out=left_out(layout, schema),
            )

        return self._engine.run(read, about=wish.collection)

    def sample(self, layout: Layout, *, count: int, seed: int) -> ForeignPage:
        """Return rows drawn over the whole collection, by their keys."""
        return sampled(self._rows(layout), count=count, seed=seed)

    def read(self, layout: Layout, *, after: str, limit: int) -> ForeignPage:
        """Return the rows that follow in the order of their keys."""
        rows = self._rows(layout)
        last = after.removeprefix(_CURSOR) if after else None
        found = rows.page(after=last, limit=limit)
        cursor = _CURSOR + found[-1].key if len(found) == limit else None
        return page_of(found, cursor=cursor)

    def begin(self, spec: CollectionSpec) -> None:
        """Make the collection of notes."""
        layout = spec.adopted
        if layout is None or spec.lexical:
            raise UnsupportedError(
                driver="milvus", what="hybrid search in an adopted collection"
            )

        def make(client: MilvusClient) -> None:
            kept, wanted = index_of(client, layout).get("metric_type"), METRICS[spec.distance]
            if kept != wanted:
                raise UnsupportedError(
                    driver="milvus",
                    what=f"distance {spec.distance} in {layout.collection}, whose index was "
                    f"made for {kept}",
                    hint="declare the distance that it was made with",
                )
            if not client.has_collection(physical(spec.name), timeout=TIMEOUT_S):
                self._require_free(client, layout)
                beside.make(client, spec)
            found = look(client, spec.name)
            if found is None or found.fingerprint != spec.fingerprint:
                raise FingerprintMismatchError(
                    collection=spec.name,
                    expected=spec.fingerprint,
                    found=found.fingerprint if found else None,
                )
            _load(client, physical(spec.name))

        self._engine.run(make, about=layout.collection)

    def note(self, name: CollectionName, notes: Sequence[Note]) -> None:
        """Note rows beside them."""
        if notes:
            self.opened(name).note(notes)

    def bypassed(self, name: CollectionName) -> Iterator[Bypass]:
        """Yield what is not as it was noted."""
        return self.opened(name).bypassed()

    def destroy(self, name: CollectionName) -> None:
        """Delete the team's collection, then what stands beside it.

        Raises:
            UnsupportedError: an alias points at it; older servers would take that along.
        """

        def drop(client: MilvusClient) -> None:
            if not client.has_collection(physical(name), timeout=TIMEOUT_S):
                return
            spec = look(client, name)
            if spec is not None and spec.adopted is not None:
                place = spec.adopted.collection
                if client.has_collection(place, timeout=TIMEOUT_S):
                    require_unaliased(client, place)
                    client.drop_collection(place, timeout=TIMEOUT_S)
            client.drop_collection(physical(name), timeout=TIMEOUT_S)

        self._engine.run(drop, about=name)

    def opened(self, name: CollectionName) -> AdoptedCollection:
        """Return an adopted collection, loaded."""

        def read(client: MilvusClient) -> tuple[CollectionSpec | None, Schema | None]:
            spec = look(client, name)
            if spec is None or spec.adopted is None:
                return spec, None
            place = spec.adopted.collection
            if not client.has_collection(place, timeout=TIMEOUT_S):
                raise CollectionMissingError(collection=place)
            _load(client, physical(name))
            if not _is_loaded(client, place):
                client.load_collection(place, timeout=TIMEOUT_S)
            return spec, Schema.of(client, place)

        spec, schema = self._engine.run(read, about=name)
        if spec is None or spec.adopted is None or schema is None:
            raise CollectionMissingError(collection=name)
        return AdoptedCollection(
            spec=spec,
            driver="milvus",
            rows=MilvusTeamRows(self._engine, spec.adopted, schema, spec=spec),
            notes=MilvusNotes(self._engine, spec),
            turns=turns_at((*self._engine.place, name)),
        )

    def _rows(self, layout: Layout) -> MilvusTeamRows:
        schema = self._engine.run(
            lambda client: Schema.of(client, layout.collection), about=layout.collection
        )
        return MilvusTeamRows(self._engine, layout, schema)

    def _require_free(self, client: MilvusClient, layout: Layout) -> None:
        for name in self._collections():
            spec = look(client, name)
            adopted = spec.adopted if spec is not None else None
            if adopted is not None and adopted.collection == layout.collection:
                raise AlreadyExistsError(
                    what="adoption of", name=f"{layout.collection} as {name}"
                )


def require_unaliased(client: MilvusClient, place: str) -> None:
    """Refuse to drop what an alias points at.

    Raises:
        UnsupportedError: one does.
    """
    listed = client.list_aliases(collection_name=place, timeout=TIMEOUT_S)
    if aliases := sorted(listed["aliases"]):
        raise UnsupportedError(
            driver="milvus",
            what=f"dropping {place} while the alias {aliases[0]} points at it",
            hint="move or drop the alias first",
        )


def _require_one_partition(client: MilvusClient, name: str) -> None:
    described = client.describe_collection(name, timeout=TIMEOUT_S)
    if any(one.get("is_partition_key") for one in described["fields"]):
        return
    partitions = client.list_partitions(name, timeout=TIMEOUT_S)
    if len(partitions) > 1:
        raise UnsupportedError(
            driver="milvus",
            what=f"a collection with {len(partitions)} partitions, which rows are written to "
            "by name",
            hint="a partition key is fine: the server chooses the partition by it",
        )


def _require_loaded(client: MilvusClient, name: str) -> None:
    if not _is_loaded(client, name):
        raise UnsupportedError(
            driver="milvus",
            what=f"adopting {name}, which is not loaded",
            hint="load it as your application does: load_collection",
        )


def _is_loaded(client: MilvusClient, name: str) -> bool:
    state = client.get_load_state(name, timeout=TIMEOUT_S)["state"]
    return bool(state == LoadState.Loaded)


def _load(client: MilvusClient, name: str) -> None:
    """Index and load a collection of notes that was just made, or that somebody released."""
    if _is_loaded(client, name):
        return
    indexed = set(client.list_indexes(name, timeout=TIMEOUT_S))
    for field, index in beside.indexes(client).items():
        if field not in indexed:
            client.create_index(name, index, sync=False, timeout=TIMEOUT_S)
    client.load_collection(name, timeout=TIMEOUT_S)
