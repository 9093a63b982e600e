"""The collections of one OpenSearch, and its aliases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from opensearchpy import OpenSearch
from opensearchpy.exceptions import RequestError

from repoint.backends.opensearch import CAPABILITIES, aliases, documents
from repoint.backends.opensearch.adopting import OpenSearchAdopter
from repoint.backends.opensearch.collection import OpenSearchCollection, look
from repoint.backends.opensearch.documents import physical
from repoint.backends.opensearch.engine import Engine
from repoint.backends.opensearch.gatekeeping import OpenSearchGatekeeper
from repoint.domain.errors import (
    AlreadyExistsError,
    CollectionMissingError,
    FingerprintMismatchError,
    MissingSettingError,
    UnsupportedError,
)
from repoint.domain.ids import CollectionName, Fingerprint
from repoint.domain.spec import AnnKind
from repoint.ports.backend import Capabilities, CollectionSpec
from repoint.ports.settings import BackendSettings

_BUILD: Final = frozenset({"m", "ef_construction"})
_SEARCH: Final = frozenset({"ef"})
_TAKEN: Final = "resource_already_exists_exception"
_UNKNOWN_TYPE: Final = "No handler for type [knn_vector]"


class OpenSearchBackend:
    """One server or cluster, which any number of processes may use."""

    def __init__(
        self, engine: Engine, *, application: Engine | None = None, name: str = ""
    ) -> None:
        self._engine = engine
        #: The server as applications see it; None where nobody said with which key.
        self._application = application
        self._name = name

    @staticmethod
    def from_settings(settings: BackendSettings) -> OpenSearchBackend:
        """Return the backend, not connected yet.

        Raises:
            MissingSettingError: there is no URL, or an option is given; there are none.
        """
        if not settings.url.startswith(("http://", "https://")):
            why = "an OpenSearch server's, http:// or https:// and a host"
            raise MissingSettingError(backend=settings.name, setting="url", why=why)
        if settings.options:
            raise MissingSettingError(
                backend=settings.name,
                setting=f"options.{min(settings.options)}",
                why="this kind has no options",
            )
        if settings.application_role:
            raise MissingSettingError(
                backend=settings.name,
                setting="application_role",
                why="this kind is asked with the application's own key: application_key_env",
            )
        application = None
        if settings.application_key:
            key = settings.application_key
            application = Engine(url=settings.url, key=key, setting="application_key_env")
        return OpenSearchBackend(
            Engine(url=settings.url, key=settings.api_key),
            application=application,
            name=settings.name,
        )

    @property
    def capabilities(self) -> Capabilities:
        """What it can do beyond the common promises."""
        return CAPABILITIES

    def create(self, spec: CollectionSpec) -> OpenSearchCollection:
        """Make the collection, or open it when it is already there."""
        _check(spec)

        def create(client: OpenSearch) -> None:
            if client.indices.exists(index=physical(spec.name)):
                return
            try:
                client.indices.create(index=physical(spec.name), body=documents.made_of(spec))
            except RequestError as error:
                if error.error == _TAKEN:  # another process was faster
                    return
                if _UNKNOWN_TYPE in str(error.info):
                    raise UnsupportedError(
                        driver="opensearch",
                        what="a server without its k-NN plugin",
                        hint="install opensearch-knn on the server",
                    ) from error
                raise

        self._engine.run(create, about=spec.name)
        return self.open(spec.name, fingerprint=spec.fingerprint)

    def open(self, name: CollectionName, *, fingerprint: Fingerprint) -> OpenSearchCollection:
        """Open a collection whose mapping carries this fingerprint."""
        spec = self._engine.run(lambda client: look(client, name), about=name)
        if spec is None or spec.fingerprint != fingerprint:
            raise FingerprintMismatchError(
                collection=name, expected=fingerprint, found=spec.fingerprint if spec else None
            )
        if spec.adopted is not None:
            return self.adopter().opened(name)
        return OpenSearchCollection(spec=spec, engine=self._engine)

    def drop(self, name: CollectionName) -> None:
        """Delete a collection; of an adopted one what was noted, and nothing of the team's.

        Raises:
            UnsupportedError: an alias points at it; the server would take that along.
        """
        index = physical(name)

        def drop(client: OpenSearch) -> None:
            if not client.indices.exists(index=index):
                return
            if pointing := aliases.of_index(client, index):
                raise UnsupportedError(
                    driver="opensearch",
                    what=f"dropping {name} while the alias {pointing[0]} points at it",
                    hint="move or remove the alias first",
                )
            spec = look(client, name)
            if (
                spec is not None
                and spec.adopted is not None
                and client.indices.exists(index=spec.adopted.collection)
            ):
                self.adopter().opened(name).forget()
            client.indices.delete(index=index, params={"ignore": 404})

        self._engine.run(drop, about=name)

    def collections(self) -> Sequence[CollectionName]:
        """Return the names of the collections that carry a spec of ours, sorted."""
        return sorted(spec.name for spec in self._specs())

    def adopter(self) -> OpenSearchAdopter:
        """Return what takes over indices that a team made itself."""
        return OpenSearchAdopter(self._engine, specs=self._specs)

    def _specs(self) -> list[CollectionSpec]:
        def read(client: OpenSearch) -> list[CollectionSpec]:
            specs = (
                (index, documents.spec_of(described["mappings"]))
                for index, described in client.indices.get_mapping(index="*").items()
            )
            return [spec for index, spec in specs if spec and physical(spec.name) == index]

        return self._engine.run(read, about="the collections")

    def set_alias(self, alias: str, name: CollectionName) -> None:
        """Point the alias at the collection, in one list of actions that all happen or none.

        Raises:
            AlreadyExistsError: an index has the name.
            CollectionMissingError: there is no such collection.
        """

        def move(client: OpenSearch) -> None:
            if not client.indices.exists(index=physical(name)):
                raise CollectionMissingError(collection=name)
            spec = look(client, name)
            target = spec.adopted.collection if spec and spec.adopted else physical(name)
            known = aliases.targets(client, alias)
            if not known and client.indices.exists(index=alias):
                raise AlreadyExistsError(
                    what="index of the database",
                    name=alias,
                    hint="set alias_prefix in the backend's table of repoint.toml",
                )
            actions = [
                {"remove": {"index": index, "alias": alias}}
                for index in known
                if index != target
            ]
            add = {"add": {"index": target, "alias": alias}}
            client.indices.update_aliases(body={"actions": [*actions, add]})

        self._engine.run(move, about=name)

    def alias_target(self, alias: str) -> CollectionName | None:
        """Return the collection that the alias points at; another's by the server's name."""
        known = self._engine.run(lambda client: aliases.targets(client, alias), about=alias)
        names = [self._owner_of(index) or CollectionName(index) for index in known]
        return CollectionName("+".join(sorted(names))) if names else None

    def namekeeper(self) -> aliases.OpenSearchNamekeeper:
        """Return what knows which names are taken."""
        return aliases.OpenSearchNamekeeper(self._engine, owner_of=self._owner_of)

    def gatekeeper(self) -> OpenSearchGatekeeper:
        """Return what knows who may do what."""
        return OpenSearchGatekeeper(
            self._engine, application=self._application, backend=self._name
        )

    def _owner_of(self, index: str) -> CollectionName | None:
        """Return the collection whose vectors are in an index, None where that is nobody's."""
        for spec in self._specs():
            held = spec.adopted.collection if spec.adopted else physical(spec.name)
            if held == index:
                return spec.name
        return None

    def close(self) -> None:
        """Close the client; open handles connect again when they are used."""
        self._engine.close()
        if self._application is not None:
            self._application.close()


def _check(spec: CollectionSpec) -> None:
    if spec.ann.kind is AnnKind.IVF_FLAT:
        raise UnsupportedError(
            driver="opensearch", what="ann.kind ivf_flat", hint="known: auto, flat, hnsw"
        )
    for what, given, known in (
        ("build", spec.ann.build, _BUILD),
        ("search", spec.ann.search, _SEARCH),
    ):
        unknown = sorted(given.keys() - known)
        if unknown:
            raise UnsupportedError(
                driver="opensearch",
                what=f"ann.{what}.{unknown[0]}",
                hint=f"known: {', '.join(sorted(known))}",
            )
