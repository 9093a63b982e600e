"""The collections of one database of a Milvus server, and its aliases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from pymilvus import MilvusClient
from pymilvus.client.types import LoadState
from pymilvus.exceptions import MilvusException

from repoint.backends.milvus import CAPABILITIES, rows
from repoint.backends.milvus.adopting import MilvusAdopter, require_unaliased
from repoint.backends.milvus.collection import MilvusCollection, look
from repoint.backends.milvus.engine import TIMEOUT_S, Engine
from repoint.backends.milvus.gatekeeping import MilvusGatekeeper
from repoint.backends.milvus.names import physical
from repoint.domain.errors import (
    AlreadyExistsError,
    BackendUnavailableError,
    CollectionMissingError,
    FingerprintMismatchError,
    MissingSettingError,
    UnsupportedError,
)
from repoint.domain.ids import CollectionName, Fingerprint
from repoint.domain.spec import AnnKind
from repoint.ports.backend import Capabilities, Collection, CollectionSpec
from repoint.ports.settings import BackendSettings
from repoint.ports.turns import turns_at

_SCHEMES: Final = ("http://", "https://", "tcp://", "unix:")
#: How indexes are built and searched, by the names that specs use.
_BUILD: Final = {
    AnnKind.AUTO: {"m", "ef_construction"},
    AnnKind.HNSW: {"m", "ef_construction"},
    AnnKind.IVF_FLAT: {"nlist"},
    AnnKind.FLAT: set[str](),
}
_SEARCH: Final = {
    AnnKind.AUTO: {"ef"},
    AnnKind.HNSW: {"ef"},
    AnnKind.IVF_FLAT: {"nprobe"},
    AnnKind.FLAT: set[str](),
}


class MilvusBackend:
    """One database of a server, which any number of processes may use."""

    def __init__(self, engine: Engine, *, application_role: str = "", name: str = "") -> None:
        self._engine = engine
        self._application_role = application_role
        self._name = name

    @staticmethod
    def from_settings(settings: BackendSettings) -> MilvusBackend:
        """Return the backend, not connected yet.

        Raises:
            MissingSettingError: there is no URL, or an option that is none of its own.
        """
        if not settings.url.startswith(_SCHEMES):
            why = "a Milvus server's, for instance http://127.0.0.1:19530"
            raise MissingSettingError(backend=settings.name, setting="url", why=why)
        unknown = sorted(settings.options.keys() - {"database"})
        if unknown:
            raise MissingSettingError(
                backend=settings.name,
                setting=f"options.{unknown[0]}",
                why="known options: database",
            )
        return MilvusBackend(
            Engine(
                url=settings.url,
                token=settings.api_key,
                database=str(settings.options.get("database", "")),
            ),
            application_role=settings.application_role,
            name=settings.name,
        )

    @property
    def capabilities(self) -> Capabilities:
        """What it can do beyond the common promises, as far as the server has to say it.

        Whether it ranks words, and that milvus-lite has no grants. While it does not answer,
        it is taken to rank none.
        """
        try:
            return replace(
                CAPABILITIES,
                lexical=self._engine.ranks_words(),
                privileges=not self._engine.is_lite(),
            )
        except BackendUnavailableError:
            return replace(CAPABILITIES, lexical=False)

    def create(self, spec: CollectionSpec) -> Collection:
        """Make the collection, or open it when it is already there."""
        self._check(spec)

        def create(client: MilvusClient) -> None:
            if not client.has_collection(physical(spec.name), timeout=TIMEOUT_S):
                rows.make(client, physical(spec.name), spec, timeout=TIMEOUT_S)

        self._engine.run(create, about=spec.name)
        return self.open(spec.name, fingerprint=spec.fingerprint)

    def open(self, name: CollectionName, *, fingerprint: Fingerprint) -> Collection:
        """Open a collection whose properties carry this fingerprint, and have it loaded."""
        spec = self._engine.run(lambda client: look(client, name), about=name)
        if spec is None or spec.fingerprint != fingerprint:
            raise FingerprintMismatchError(
                collection=name, expected=fingerprint, found=spec.fingerprint if spec else None
            )
        if spec.adopted is not None:
            return self.adopter().opened(name)
        self._engine.run(lambda client: _loaded(client, spec), about=name)
        turns = turns_at((*self._engine.place, name))
        return MilvusCollection(spec=spec, engine=self._engine, turns=turns)

    def drop(self, name: CollectionName) -> None:
        """Delete a collection.

        Raises:
            UnsupportedError: an alias points at it; older servers would take that along.
        """

        def drop(client: MilvusClient) -> None:
            if not client.has_collection(physical(name), timeout=TIMEOUT_S):
                return
            require_unaliased(client, physical(name))
            client.drop_collection(physical(name), timeout=TIMEOUT_S)

        self._engine.run(drop, about=name)

    def collections(self) -> Sequence[CollectionName]:
        """Return the names of the collections that carry a spec of ours, sorted."""

        def read(client: MilvusClient) -> list[CollectionName]:
            found = []
            for name in client.list_collections(timeout=TIMEOUT_S):
                try:
                    spec = rows.carried(client.describe_collection(name, timeout=TIMEOUT_S))
                except MilvusException:
                    continue  # somebody dropped it between the two questions
                if spec is not None and physical(spec.name) == name:
                    found.append(spec.name)
            return sorted(found)

        return self._engine.run(read, about="the collections")

    def set_alias(self, alias: str, name: CollectionName) -> None:
        """Point the alias at the collection, in one step.

        Raises:
            AlreadyExistsError: a collection has the name.
            CollectionMissingError: there is no such collection.
        """
        shown, target = physical(alias), physical(name)

        def move(client: MilvusClient) -> None:
            names = client.list_collections(timeout=TIMEOUT_S)
            if shown in names:
                raise AlreadyExistsError(
                    what="collection of the database",
                    name=shown,
                    hint="set alias_prefix in the backend's table of repoint.toml",
                )
            if target not in names:
                raise CollectionMissingError(collection=name)
            spec = rows.carried(client.describe_collection(target, timeout=TIMEOUT_S))
            place = spec.adopted.collection if spec and spec.adopted else target
            known = self._engine.alias_target(shown) is not None
            act = client.alter_alias if known else client.create_alias
            act(place, shown, timeout=TIMEOUT_S)

        self._engine.run(move, about=name)

    def alias_target(self, alias: str) -> CollectionName | None:
        """Return the collection that the alias points at; another's by the server's name."""
        target = self._engine.alias_target(physical(alias))
        if target is None:
            return None

        def read(client: MilvusClient) -> CollectionName:
            spec = rows.carried(client.describe_collection(target, timeout=TIMEOUT_S))
            return spec.name if spec is not None else self._named(client, target)

        return self._engine.run(read, about=target)

    def adopter(self) -> MilvusAdopter:
        """Return what takes over collections that a team made itself."""
        return MilvusAdopter(self._engine, collections=self.collections)

    def gatekeeper(self) -> MilvusGatekeeper:
        """Return what knows who may do what."""
        return MilvusGatekeeper(
            self._engine, application_role=self._application_role, backend=self._name
        )

    def _named(self, client: MilvusClient, place: str) -> CollectionName:
        """Return the collection that stands in a place: an adopted one has another name."""
        for name in self.collections():
            spec = look(client, name)
            if spec is not None and spec.adopted and spec.adopted.collection == place:
                return name
        return CollectionName(place)

    def close(self) -> None:
        """Close the client; open handles connect again when they are used."""
        self._engine.close()

    def _check(self, spec: CollectionSpec) -> None:
        if spec.lexical and not self._engine.ranks_words():
            raise UnsupportedError(
                driver="milvus", what="hybrid search on this server", hint="2.5 or newer"
            )
        for what, given, known in (
            ("build", spec.ann.build, _BUILD[spec.ann.kind]),
            ("search", spec.ann.search, _SEARCH[spec.ann.kind]),
        ):
            unknown = sorted(given.keys() - known)
            if unknown:
                raise UnsupportedError(
                    driver="milvus",
                    what=f"ann.{what}.{unknown[0]} with ann.kind {spec.ann.kind}",
                    hint=f"known: {', '.join(sorted(known)) or 'none'}",
                )


def _loaded(client: MilvusClient, spec: CollectionSpec) -> None:
    """Index and load a collection that was just made, or that somebody released."""
    name = physical(spec.name)
    if client.get_load_state(name, timeout=TIMEOUT_S)["state"] == LoadState.Loaded:
        return
    indexed = set(client.list_indexes(name, timeout=TIMEOUT_S))
    for field, index in rows.indexes(client, spec).items():
        if field not in indexed:
            client.create_index(name, index, sync=False, timeout=TIMEOUT_S)
    client.load_collection(name, timeout=TIMEOUT_S)
