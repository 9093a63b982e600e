"""The collections of one OpenSearch, and its aliases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from opensearchpy import OpenSearch
from opensearchpy.exceptions import RequestError

from repoint.backends.opensearch import CAPABILITIES, documents
from repoint.backends.opensearch.collection import OpenSearchCollection, look
from repoint.backends.opensearch.documents import physical
from repoint.backends.opensearch.engine import Engine
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

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

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
        return OpenSearchBackend(Engine(url=settings.url, key=settings.api_key))

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
        return OpenSearchCollection(spec=spec, engine=self._engine)

    def drop(self, name: CollectionName) -> None:
        """Delete a collection.

        Raises:
            UnsupportedError: an alias points at it; the server would take that along.
        """
        index = physical(name)

        def drop(client: OpenSearch) -> None:
            found = client.indices.get_alias(index=index, params={"ignore": 404})
            if index not in found:
                return
            if aliases := sorted(found[index]["aliases"]):
                raise UnsupportedError(
                    driver="opensearch",
                    what=f"dropping {name} while the alias {aliases[0]} points at it",
                    hint="move or remove the alias first",
                )
            client.indices.delete(index=index, params={"ignore": 404})

        self._engine.run(drop, about=name)

    def collections(self) -> Sequence[CollectionName]:
        """Return the names of the collections that carry a spec of ours, sorted."""

        def read(client: OpenSearch) -> list[CollectionName]:
            specs = (
                (index, documents.spec_of(described["mappings"]))
                for index, described in client.indices.get_mapping(index="*").items()
            )
            return sorted(
                spec.name for index, spec in specs if spec and physical(spec.name) == index
            )

        return self._engine.run(read, about="the collections")

    def set_alias(self, alias: str, name: CollectionName) -> None:
        """Point the alias at the collection, in one list of actions that all happen or none.

        Raises:
            AlreadyExistsError: an index has the name.
            CollectionMissingError: there is no such collection.
        """
        target = physical(name)

        def move(client: OpenSearch) -> None:
            if not client.indices.exists(index=target):
                raise CollectionMissingError(collection=name)
            known = client.indices.get_alias(name=alias, params={"ignore": 404})
            targets = [index for index, found in known.items() if _names(found, alias)]
            if not targets and client.indices.exists(index=alias):
                raise AlreadyExistsError(
                    what="index of the database",
                    name=alias,
                    hint="set alias_prefix in the backend's table of repoint.toml",
                )
            actions = [
                {"remove": {"index": index, "alias": alias}}
                for index in targets
                if index != target
            ]
            add = {"add": {"index": target, "alias": alias}}
            client.indices.update_aliases(body={"actions": [*actions, add]})

        self._engine.run(move, about=name)

    def alias_target(self, alias: str) -> CollectionName | None:
        """Return the collection that the alias points at; another's by the server's name."""

        def read(client: OpenSearch) -> CollectionName | None:
            known = client.indices.get_alias(name=alias, params={"ignore": 404})
            names = []
            for index, found in known.items():
                if _names(found, alias):
                    mapping = client.indices.get_mapping(index=index)[index]["mappings"]
                    spec = documents.spec_of(mapping)
                    names.append(spec.name if spec else CollectionName(index))
            return CollectionName("+".join(sorted(names))) if names else None

        return self._engine.run(read, about=alias)

    def close(self) -> None:
        """Close the client; open handles connect again when they are used."""
        self._engine.close()


def _names(found: object, alias: str) -> bool:
    """Return whether what is said of an index, and not an error's text, has the alias."""
    return isinstance(found, dict) and alias in found.get("aliases", {})


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
