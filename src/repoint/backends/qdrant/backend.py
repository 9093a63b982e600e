"""The collections of one Qdrant, and its aliases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from qdrant_client import QdrantClient, models

from repoint.backends.qdrant import CAPABILITIES, objects, points
from repoint.backends.qdrant.adopting import QdrantAdopter
from repoint.backends.qdrant.collection import QdrantCollection, look
from repoint.backends.qdrant.engine import FIELDS_VERSION, LEAST_VERSION, Engine
from repoint.backends.qdrant.shared import SharedQdrantCollection
from repoint.domain.errors import (
    AlreadyExistsError,
    BackendUnavailableError,
    CollectionMissingError,
    FingerprintMismatchError,
    MissingSettingError,
    UnsupportedError,
)
from repoint.domain.ids import CollectionName, Fingerprint
from repoint.domain.placing import Place, place_of
from repoint.domain.spec import AnnKind, Distance
from repoint.ports.backend import Capabilities, CollectionSpec
from repoint.ports.settings import BackendSettings

#: What ``options.strategy`` may be: a collection a release, or a field of shared objects.
_STRATEGIES: Final = ("collection", "vector_field")
_DISTANCES: Final = {
    Distance.COSINE: models.Distance.COSINE,
    Distance.DOT: models.Distance.DOT,
    Distance.L2: models.Distance.EUCLID,
}
_INDEXED: Final = (
    ("document", models.PayloadSchemaType.KEYWORD),
    ("filled", models.PayloadSchemaType.BOOL),
    ("lsn", models.PayloadSchemaType.INTEGER),
)
#: How the server's graph is built, by the names that specs use.
_BUILD: Final = {"m": "m", "ef_construction": "ef_construct"}


class QdrantBackend:
    """One server, which any number of processes may use, or one folder of this process."""

    def __init__(self, engine: Engine, *, shares: bool = False) -> None:
        self._engine = engine
        self._shares = shares

    @staticmethod
    def from_settings(settings: BackendSettings) -> QdrantBackend:
        """Return the backend, not connected yet.

        Raises:
            MissingSettingError: an option is unknown, or has no such value.
        """
        shares = _shares(settings)
        engine = Engine(
            url=settings.url,
            api_key=settings.api_key,
            folder=settings.folder,
            least_version=FIELDS_VERSION if shares else LEAST_VERSION,
        )
        return QdrantBackend(engine, shares=shares)

    @property
    def capabilities(self) -> Capabilities:
        """What it can do beyond the common promises; in a folder it is for one process.

        Whether a server ranks words, its version says; while it does not answer, it is taken
        not to. Where releases share objects, an alias names all of them and so no release,
        words would be ranked over the texts of all, and a team's collection is adopted
        through another table.
        """
        able = CAPABILITIES
        if self._engine.is_local:
            able = replace(able, shared=False, approximate=False, served=False)
        if self._shares:
            return replace(
                able, shares_objects=True, aliases=False, lexical=False, adopts=False
            )
        try:
            return replace(able, lexical=self._engine.ranks_words())
        except BackendUnavailableError:
            return replace(able, lexical=False)

    def create(self, spec: CollectionSpec) -> QdrantCollection:
        """Make the collection, or open it when it is already there."""
        self._check(spec)
        build = {_BUILD[name]: int(value) for name, value in spec.ann.build.items()}
        params = models.VectorParams(
            size=spec.dimensions,
            distance=_DISTANCES[spec.distance],
            hnsw_config=models.HnswConfigDiff(**build) if build else None,
        )

        def create(client: QdrantClient) -> None:
            place = self._place(client, spec.name)
            if place.vector_field is not None:
                objects.make(client, place, spec, params)
                return
            if client.collection_exists(spec.name):
                return
            client.create_collection(
                spec.name,
                vectors_config={points.VECTOR: params},
                metadata=points.metadata_of(spec),
            )

        def index(client: QdrantClient) -> None:
            place = self._place(client, spec.name)
            wanted = _INDEXED if place.vector_field is None else objects.indexed(place)
            for field, kind in () if self._engine.is_local else wanted:
                client.create_payload_index(place.collection, field, kind, wait=True)
            if spec.lexical:
                ranked = models.TextIndexParams(type=models.TextIndexType.TEXT, scoring=True)
                client.create_payload_index(spec.name, points.WORDS, ranked, wait=True)

        self._engine.run(create, about=spec.name)
        collection = self.open(spec.name, fingerprint=spec.fingerprint)
        # Whoever made it may have ended before this; what is there already stays as it is.
        self._engine.run(index, about=spec.name)
        return collection

    def open(self, name: CollectionName, *, fingerprint: Fingerprint) -> QdrantCollection:
        """Open a collection whose metadata carries this fingerprint."""

        def read(client: QdrantClient) -> tuple[Place, CollectionSpec | None]:
            place = self._place(client, name)
            if place.vector_field is None:
                return place, look(client, name)
            return place, objects.require(client, place, name)

        place, spec = self._engine.run(read, about=name)
        if spec is None or spec.fingerprint != fingerprint:
            raise FingerprintMismatchError(
                collection=name, expected=fingerprint, found=spec.fingerprint if spec else None
            )
        if spec.adopted is not None:
            return self.adopter().opened(name)
        if place.vector_field is not None:
            return SharedQdrantCollection(spec=spec, place=place, engine=self._engine)
        return QdrantCollection(spec=spec, engine=self._engine)

    def drop(self, name: CollectionName) -> None:
        """Delete a collection; Qdrant takes the aliases that pointed at it along.

        Of shared objects a release's field alone goes, and the objects with the last one.
        """

        def drop(client: QdrantClient) -> None:
            place = self._place(client, name)
            if place.vector_field is not None:
                objects.drop(client, place)
                return
            if client.collection_exists(name):
                spec = look(client, name)
                if spec is not None and spec.adopted is not None:
                    self.adopter().let_go(spec.adopted)
                client.delete_collection(name)

        self._engine.run(drop, about=name)

    def collections(self) -> Sequence[CollectionName]:
        """Return the names of the collections and fields that carry a spec of ours, sorted."""

        def read(client: QdrantClient) -> list[CollectionName]:
            every = [one.name for one in client.get_collections().collections]
            return [one for name in every for one in objects.names(client, name)]

        return sorted([*self._own(), *self._engine.run(read, about="the collections")])

    def _own(self) -> Sequence[CollectionName]:
        def read(client: QdrantClient) -> list[CollectionName]:
            names = [CollectionName(one.name) for one in client.get_collections().collections]
            return sorted(name for name in names if look(client, name) is not None)

        return self._engine.run(read, about="the collections")

    def set_alias(self, alias: str, name: CollectionName) -> None:
        """Point the alias at the collection by one action, which also moves one that exists.

        Raises:
            AlreadyExistsError: a collection has the name.
            CollectionMissingError: there is no such collection.
            UnsupportedError: releases share the objects, which an alias would all name.
        """
        if self._shares or place_of(name).vector_field is not None:
            raise UnsupportedError(
                driver="qdrant",
                what="an alias of objects that releases share",
                hint="the route says which vector to ask: repoint route",
            )

        def move(client: QdrantClient) -> None:
            names = {one.name for one in client.get_collections().collections}
            if alias in names:
                raise AlreadyExistsError(
                    what="collection of the database",
                    name=alias,
                    hint="set alias_prefix in the backend's table of repoint.toml",
                )
            if name not in names:
                raise CollectionMissingError(collection=name)
            spec = look(client, name)
            place = spec.adopted.collection if spec and spec.adopted else name
            made = models.CreateAlias(collection_name=place, alias_name=alias)
            # A list with a deletion would keep that one even if the creation failed.
            client.update_collection_aliases([models.CreateAliasOperation(create_alias=made)])

        self._engine.run(move, about=name)

    def alias_target(self, alias: str) -> CollectionName | None:
        """Return the collection that the alias points at."""

        def read(client: QdrantClient) -> CollectionName | None:
            for one in client.get_aliases().aliases:
                if one.alias_name == alias:
                    return self._named(client, one.collection_name)
            return None

        return self._engine.run(read, about=alias)

    def _named(self, client: QdrantClient, place: str) -> CollectionName:
        """Return the collection that stands in a place: an adopted one has another name."""
        for one in client.get_collections().collections:
            spec = look(client, CollectionName(one.name))
            if spec is not None and spec.adopted and spec.adopted.collection == place:
                return spec.name
        return CollectionName(place)

    def adopter(self) -> QdrantAdopter:
        """Return what takes over collections that a team made itself."""
        return QdrantAdopter(self._engine, collections=self._own)

    def _place(self, client: QdrantClient, name: CollectionName) -> Place:
        """Return where a release's vectors are; names without objects have the backend's."""
        place = place_of(name)
        if place.vector_field is None and self._shares and not client.collection_exists(name):
            return Place(objects.OBJECTS, name)
        return place

    def close(self) -> None:
        """Close the client; collections stay."""
        self._engine.close()

    def _check(self, spec: CollectionSpec) -> None:
        if spec.lexical and (self._shares or place_of(spec.name).vector_field is not None):
            raise UnsupportedError(
                driver="qdrant",
                what="hybrid search of objects that releases share",
                hint="a table [backends.NAME] without strategy = vector_field has it",
            )
        if spec.lexical and not self._engine.ranks_words():
            raise UnsupportedError(
                driver="qdrant",
                what="hybrid search with a server that ranks no words",
                hint="1.20 or newer",
            )
        _check_graph(spec)


def _shares(settings: BackendSettings) -> bool:
    strategy = settings.options.get("strategy", "collection")
    for setting in sorted(settings.options.keys() - {"strategy"}):
        raise MissingSettingError(
            backend=settings.name,
            setting=f"options.{setting}",
            why="there is no such option; known: strategy",
        )
    if strategy not in _STRATEGIES:
        raise MissingSettingError(
            backend=settings.name,
            setting="options.strategy",
            why=f"{strategy!r} is none of: {', '.join(_STRATEGIES)}",
        )
    return strategy == "vector_field"


def _check_graph(spec: CollectionSpec) -> None:
    if spec.ann.kind is AnnKind.IVF_FLAT:
        raise UnsupportedError(
            driver="qdrant", what="ann.kind ivf_flat", hint="known: auto, flat, hnsw"
        )
    for what, given, known in (
        ("build", spec.ann.build, set(_BUILD)),
        ("search", spec.ann.search, {"ef"}),
    ):
        unknown = sorted(given.keys() - known)
        if unknown:
            raise UnsupportedError(
                driver="qdrant",
                what=f"ann.{what}.{unknown[0]}",
                hint=f"known: {', '.join(sorted(known))}",
            )
