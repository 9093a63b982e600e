"""The collections of one database of a Chroma server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from repoint.backends.chroma import CAPABILITIES, records
from repoint.backends.chroma.adopting import ChromaAdopter
from repoint.backends.chroma.collection import ChromaCollection, look
from repoint.backends.chroma.server import Address, Server
from repoint.domain.errors import (
    AlreadyExistsError,
    MissingSettingError,
    UnsupportedError,
)
from repoint.domain.ids import CollectionName, Fingerprint
from repoint.domain.spec import AnnKind, Distance
from repoint.ports.backend import Capabilities, Collection, CollectionSpec
from repoint.ports.settings import BackendSettings
from repoint.ports.turns import turns_at

_SPACES: Final = {Distance.COSINE: "cosine", Distance.DOT: "ip", Distance.L2: "l2"}
#: How the server's graph is built and searched, by the names that specs use.
_BUILD: Final = {"m": "max_neighbors", "ef_construction": "ef_construction"}
_SEARCH: Final = {"ef": "ef_search"}
_OPTIONS: Final = frozenset({"tenant", "database"})


class ChromaBackend:
    """One database of a server, which any number of processes may use."""

    def __init__(self, server: Server) -> None:
        self._server = server

    @staticmethod
    def from_settings(settings: BackendSettings) -> ChromaBackend:
        """Return the backend, not connected yet.

        Raises:
            MissingSettingError: there is no URL, or an option that is none of its own.
        """
        if not settings.url.startswith(("http://", "https://")):
            why = "a Chroma server's, http:// or https:// and a host"
            raise MissingSettingError(backend=settings.name, setting="url", why=why)
        unknown = sorted(settings.options.keys() - _OPTIONS)
        if unknown:
            raise MissingSettingError(
                backend=settings.name,
                setting=f"options.{unknown[0]}",
                why=f"known options: {', '.join(sorted(_OPTIONS))}",
            )
        options = {name: str(value) for name, value in settings.options.items()}
        return ChromaBackend(
            Server(Address(url=settings.url.rstrip("/"), api_key=settings.api_key, **options))
        )

    @property
    def capabilities(self) -> Capabilities:
        """What it can do beyond the common promises."""
        return CAPABILITIES

    def create(self, spec: CollectionSpec) -> Collection:
        """Make the collection, or open it when it is already there."""
        _check(spec)
        found = self._server.described(spec.name)
        if found is None:
            hnsw: dict[str, object] = {"space": _SPACES[spec.distance]}
            hnsw |= {_BUILD[name]: int(value) for name, value in spec.ann.build.items()}
            hnsw |= {_SEARCH[name]: int(value) for name, value in spec.ann.search.items()}
            try:
                found = self._server.create(
                    spec.name, metadata=records.metadata_of(spec), hnsw=hnsw
                )
            except AlreadyExistsError:  # another process was faster
                found = self._server.described(spec.name)
        # Without records there is nothing that guards could be missing for: they are made
        # where a process ended between the two.
        if (
            found is not None
            and records.spec_of(found) == spec
            and self._server.described(records.guards_name(found.id)) is None
            and not self._server.count(found.id)
        ):
            self._make_guards(found.id, spec.name)
        return self.open(spec.name, fingerprint=spec.fingerprint)

    def open(self, name: CollectionName, *, fingerprint: Fingerprint) -> Collection:
        """Open a collection whose metadata carries this fingerprint."""
        found = self._server.described(name)
        spec = None if found is None else records.spec_of(found)
        if spec is not None and spec.adopted is not None and spec.fingerprint == fingerprint:
            return self.adopter().opened(name)
        return ChromaCollection(
            place=look(self._server, name, fingerprint=fingerprint),
            server=self._server,
            turns=turns_at((self._server.address, name)),
        )

    def drop(self, name: CollectionName) -> None:
        """Delete a collection, then its guards and those of earlier ones of its name."""
        self._server.delete(name)
        for one in self._server.collections():
            if records.guards_of(one) == name:
                self._server.delete(one.name)

    def collections(self) -> Sequence[CollectionName]:
        """Return the names of the collections that carry a spec of ours, sorted."""
        specs = map(records.spec_of, self._server.collections())
        return sorted(spec.name for spec in specs if spec is not None)

    def set_alias(self, alias: str, name: CollectionName) -> None:
        """Refuse: Chroma has no aliases, and a rename leaves a moment without the name."""
        raise UnsupportedError(
            driver="chroma",
            what=f"an alias {alias!r} for {name}",
            hint="its capabilities say so: repoint backends",
        )

    def alias_target(self, alias: str) -> CollectionName | None:
        """Return None: there are no aliases."""
        del alias
        return None

    def adopter(self) -> ChromaAdopter:
        """Return what takes over collections that a team made itself."""
        return ChromaAdopter(self._server)

    def close(self) -> None:
        """Close the connections; open handles connect again when they are used."""
        self._server.close()

    def _make_guards(self, collection: str, name: CollectionName) -> None:
        try:
            self._server.create(
                records.guards_name(collection),
                metadata=records.guards_metadata(name),
                hnsw={"space": "l2"},
            )
        except AlreadyExistsError:
            return


def _check(spec: CollectionSpec) -> None:
    if spec.lexical:
        raise UnsupportedError(driver="chroma", what="hybrid search")
    if spec.ann.kind is AnnKind.IVF_FLAT:
        raise UnsupportedError(
            driver="chroma", what="ann.kind ivf_flat", hint="known: auto, flat, hnsw"
        )
    for what, given, known in (
        ("build", spec.ann.build, _BUILD),
        ("search", spec.ann.search, _SEARCH),
    ):
        unknown = sorted(given.keys() - known.keys())
        if unknown:
            raise UnsupportedError(
                driver="chroma",
                what=f"ann.{what}.{unknown[0]}",
                hint=f"known: {', '.join(sorted(known))}",
            )
