"""Taking over a team's own class (``ports.adoption.Adopter``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final
from uuid import UUID

from weaviate import WeaviateClient
from weaviate.classes.config import VectorDistances
from weaviate.collections.classes.config import CollectionConfig
from weaviate.exceptions import UnexpectedStatusCodeError, WeaviateInvalidInputError

from repoint.backends.weaviate.adopted import AdoptedWeaviateCollection, config_of
from repoint.backends.weaviate.classes import NOTE, look, make, note_properties
from repoint.backends.weaviate.engine import Engine
from repoint.backends.weaviate.filters import PART
from repoint.backends.weaviate.layouts import (
    PREFIX,
    Found,
    distance_of,
    document_of,
    has_own_ids,
    id_of,
    layout_of,
    made_of,
    names_of,
    note_of,
    state_of,
    vector_of,
)
from repoint.backends.weaviate.names import class_name
from repoint.backends.weaviate.naming import taken_by
from repoint.backends.weaviate.shelf import HEAVY_PAGE, MOST, PAGE
from repoint.backends.weaviate.team import Change, TeamShelf
from repoint.domain.adoption import Bypass, BypassKind, Layout
from repoint.domain.document import Json
from repoint.domain.errors import (
    AlreadyExistsError,
    CollectionMissingError,
    FingerprintMismatchError,
    NotFoundError,
    UnsupportedError,
)
from repoint.domain.ids import CollectionName, DocumentId, Fingerprint, Lsn
from repoint.domain.spec import AnnSpec, Distance
from repoint.ports.adoption import Foreign, ForeignPage, Note, Wish
from repoint.ports.backend import CollectionSpec

_DISTANCES: Final = {
    Distance.COSINE: VectorDistances.COSINE,
    Distance.DOT: VectorDistances.DOT,
    Distance.L2: VectorDistances.L2_SQUARED,
}


class WeaviateAdopter:
    """Takes over classes of one Weaviate."""

    def __init__(
        self,
        engine: Engine,
        *,
        collections: Callable[[], Sequence[CollectionName]],
        replicas: int,
    ) -> None:
        self._engine = engine
        self._collections = collections
        self._replicas = replicas

    def look(self, wish: Wish, *, alias: str) -> Foreign:
        """Return what stands there."""

        def read(client: WeaviateClient) -> Foreign:
            config = _class_of(client, wish.collection)
            layout, left_out = layout_of(config, wish)
            shelf = _shelf(layout)
            _require_unique(client, shelf, layout)
            counted = shelf.handle(client).aggregate.over_all(total_count=True)
            return Foreign(
                layout=layout,
                rows=counted.total_count or 0,
                dimensions=_dimensions(client, shelf, layout),
                name_taken_by=taken_by(client, alias, theirs=layout.collection),
                left_out=left_out,
            )

        return self._engine.run(read, about=wish.collection)

    def sample(self, layout: Layout, *, count: int, seed: int) -> ForeignPage:
        """Return objects drawn over the whole class."""
        found = self._engine.run(
            lambda client: _shelf(layout).drawn(client, count=count, seed=seed),
            about=layout.collection,
        )
        return _page(layout, found)

    def read(self, layout: Layout, *, after: str, limit: int) -> ForeignPage:
        """Return the objects that follow in the order of their ids."""
        found = self._engine.run(
            lambda client: _shelf(layout).objects_after(
                client,
                UUID(after) if after else None,
                limit=min(limit, HEAVY_PAGE),
                names=names_of(layout),
                with_vectors=True,
            ),
            about=layout.collection,
        )
        return _page(layout, found, cursor=str(found[-1].uuid) if found else None)

    def begin(self, spec: CollectionSpec) -> None:
        """Make the class beside the team's, and the two properties of a note in that one."""
        layout = _layout(spec)

        def prepare(client: WeaviateClient) -> None:
            config = config_of(client, layout)
            kept = distance_of(config, layout)
            if kept is not _DISTANCES[spec.distance]:
                raise UnsupportedError(
                    driver="weaviate",
                    what=f"distance {spec.distance} in {layout.collection}, which was made "
                    f"for {kept.value}",
                    hint="declare the distance that it was made with",
                )
            if spec.lexical and not _is_searchable(config, layout):
                raise UnsupportedError(
                    driver="weaviate",
                    what=f"hybrid search in {layout.collection}, whose {layout.text.name!r} "
                    "has no index for words",
                    hint="leave hybrid out of the spec",
                )
            try:
                found = look(client, spec.name).spec
            except CollectionMissingError:
                self._require_free(client, layout)
                make(client, spec, has_tenants=False, replicas=self._replicas)
                found = look(client, spec.name).spec
            if found is None or found.fingerprint != spec.fingerprint:
                raise FingerprintMismatchError(
                    collection=spec.name,
                    expected=spec.fingerprint,
                    found=found.fingerprint if found else None,
                )
            _add_properties(client, layout)

        self._engine.run(prepare, about=layout.collection)

    def note(self, name: CollectionName, notes: Sequence[Note]) -> None:
        """Note objects, several at a time."""
        if notes:
            self.opened(name).note(notes)

    def bypassed(self, name: CollectionName) -> Iterator[Bypass]:
        """Yield what is not as it was noted: objects as they stand, then what is gone."""
        collection = self.opened(name)
        layout = _layout(collection.spec)
        positions = collection.positions()
        seen: set[DocumentId] = set()
        for page in collection.pages(with_vectors=False):
            for one in page:
                seen.add(id_of(layout, one))
                found = _bypass(layout, one, positions)
                if found is not None:
                    yield found
        for gone, (lsn, emptied) in positions.items():
            if not emptied and gone not in seen:
                yield Bypass(document=gone, kind=BypassKind.DELETED, noted=lsn, content=None)

    def destroy(self, name: CollectionName) -> None:
        """Delete the team's class, then what stands beside it.

        Raises:
            UnsupportedError: an alias points at it, which Weaviate would leave behind.
        """

        def drop(client: WeaviateClient) -> None:
            try:
                spec = look(client, name).spec
            except CollectionMissingError:
                return
            if spec is not None and spec.adopted is not None:
                theirs = spec.adopted.collection
                aliases = sorted(client.alias.list_all(collection=theirs))
                if aliases:
                    raise UnsupportedError(
                        driver="weaviate",
                        what=f"deleting {theirs} while the alias {aliases[0]} points at it",
                        hint="move the alias or delete it first",
                    )
                client.collections.delete(theirs)
            client.collections.delete(class_name(name))

        self._engine.run(drop, about=name)

    def let_go(self, layout: Layout) -> None:
        """Take the notes from the team's objects; Weaviate takes no property from a class."""

        def clear(client: WeaviateClient) -> None:
            try:
                config = config_of(client, layout)
            except CollectionMissingError:
                return  # the team deleted it, and the notes with it
            added = [one.name for one in config.properties if one.name.startswith(PREFIX)]
            if not added:
                return
            shelf = _shelf(layout)
            for page in shelf.pages(client, names=[PREFIX + NOTE, PREFIX + PART], limit=PAGE):
                nothing: dict[str, Json] = dict.fromkeys(added)
                shelf.change(
                    client,
                    [
                        Change(place=one.uuid, properties=nothing)
                        for one in page
                        if any(value is not None for value in one.properties.values())
                    ],
                )

        self._engine.run(clear, about=layout.collection)

    def opened(self, name: CollectionName) -> AdoptedWeaviateCollection:
        """Return an adopted collection."""
        spec = self._engine.run(lambda client: look(client, name), about=name).spec
        if spec is None or spec.adopted is None:
            raise CollectionMissingError(collection=name)
        return AdoptedWeaviateCollection(spec=spec, layout=spec.adopted, engine=self._engine)

    def _require_free(self, client: WeaviateClient, layout: Layout) -> None:
        for name in self._collections():
            spec = look(client, name).spec
            adopted = spec.adopted if spec is not None else None
            if adopted is not None and adopted.collection == layout.collection:
                raise AlreadyExistsError(
                    what="adoption of", name=f"{layout.collection} as {name}"
                )


def _class_of(client: WeaviateClient, wanted: str) -> CollectionConfig:
    spelled = wanted[:1].upper() + wanted[1:]
    known = sorted(client.collections.list_all())
    if spelled in known:
        config = client.collections.use(spelled).config.get()
        if config.multi_tenancy_config.enabled:
            raise UnsupportedError(
                driver="weaviate",
                what=f"adopting {spelled}, which keeps tenants apart",
                hint="write each tenant's documents into an index of its own: repoint ingest",
            )
        return config
    behind = client.alias.list_all().get(spelled)
    if behind is not None:
        raise UnsupportedError(
            driver="weaviate",
            what=f"adopting the alias {spelled}",
            hint=f"name the class behind it: --collection {behind.collection}",
        )
    raise NotFoundError(what="class", name=wanted, known=known)


def _shelf(layout: Layout) -> TeamShelf:
    """Return the calls on a class that no release has yet."""
    spec = CollectionSpec(
        name=CollectionName(layout.collection),
        fingerprint=Fingerprint(""),
        dimensions=1,
        distance=Distance.COSINE,
        ann=AnnSpec(),
        lexical=False,
        adopted=layout,
    )
    return TeamShelf(spec, layout)


def _require_unique(client: WeaviateClient, shelf: TeamShelf, layout: Layout) -> None:
    if has_own_ids(layout):
        return
    seen: set[DocumentId] = set()
    for page in shelf.pages(client, names=[layout.id.name], limit=MOST):
        names = [name for one in page if (name := id_of(layout, one))]
        if len(set(names)) != len(names) or not seen.isdisjoint(names):
            twice = next(name for name in names if name in seen or names.count(name) > 1)
            raise UnsupportedError(
                driver="weaviate",
                what=f"ids in {layout.id.name!r} that occur more than once, as {twice!r}",
                hint="each object is one document: adopt by the objects' own ids: "
                "--id-field id",
            )
        seen.update(names)


def _dimensions(client: WeaviateClient, shelf: TeamShelf, layout: Layout) -> int:
    after: UUID | None = None
    while page := shelf.objects_after(client, after, names=(), with_vectors=True):
        for one in page:
            if (vector := vector_of(layout, one)) is not None:
                if vector.ndim != 1:
                    raise UnsupportedError(
                        driver="weaviate", what="several vectors an object under one name"
                    )
                return len(vector)
        after = page[-1].uuid
    raise UnsupportedError(
        driver="weaviate",
        what=f"adopting {layout.collection}, none of whose objects has a vector",
    )


def _add_properties(client: WeaviateClient, layout: Layout) -> None:
    names = {one.name for one in config_of(client, layout).properties}
    for made in note_properties(PREFIX):
        if made.name in names:
            continue
        try:
            client.collections.use(layout.collection).config.add_property(made)
        except (UnexpectedStatusCodeError, WeaviateInvalidInputError):
            again = {one.name for one in config_of(client, layout).properties}
            if made.name not in again:  # somebody else was not faster either
                raise


def _is_searchable(config: CollectionConfig, layout: Layout) -> bool:
    return any(
        one.index_searchable for one in config.properties if one.name == layout.text.name
    )


def _layout(spec: CollectionSpec) -> Layout:
    if spec.adopted is None:
        raise CollectionMissingError(collection=spec.name)
    return spec.adopted


def _page(layout: Layout, found: Sequence[Found], *, cursor: str | None = None) -> ForeignPage:
    rows = (
        (
            document_of(layout, one),
            f"{state_of(layout, one.properties)} {made_of(vector)}",
            vector,
        )
        for one in found
        for vector in (vector_of(layout, one),)
    )
    return ForeignPage.of(rows, cursor=cursor)


def _bypass(
    layout: Layout, found: Found, positions: Mapping[DocumentId, tuple[Lsn, bool]]
) -> Bypass | None:
    note, document = note_of(found), document_of(layout, found)
    if note.get("state") == state_of(layout, found.properties):
        return None
    if not note.get("known") and not document.text.strip():
        return None
    lsn, emptied = positions.get(document.id, (None, False))
    return Bypass.of(document, noted=lsn, emptied=emptied)
