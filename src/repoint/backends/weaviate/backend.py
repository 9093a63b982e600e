"""The classes of one Weaviate that are collections of ours, and its aliases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from weaviate import WeaviateClient
from weaviate.exceptions import UnexpectedStatusCodeError

from repoint.backends.weaviate import CAPABILITIES, entries
from repoint.backends.weaviate.adopting import WeaviateAdopter
from repoint.backends.weaviate.classes import (
    Seen,
    check,
    look,
    make,
    name_of,
    require_tenant,
)
from repoint.backends.weaviate.collection import WeaviateCollection
from repoint.backends.weaviate.engine import Address, Engine
from repoint.backends.weaviate.gatekeeping import WeaviateGatekeeper
from repoint.backends.weaviate.names import class_name
from repoint.backends.weaviate.naming import (
    NAME,
    PREFIX_HINT,
    WeaviateNamekeeper,
    behind,
    place_of,
)
from repoint.backends.weaviate.options import Options
from repoint.backends.weaviate.shared import SharedWeaviateCollection
from repoint.domain import placing
from repoint.domain.errors import (
    AlreadyExistsError,
    CollectionMissingError,
    FingerprintMismatchError,
    UnsupportedError,
)
from repoint.domain.ids import CollectionName, Fingerprint
from repoint.domain.placing import Place
from repoint.ports.backend import Capabilities, CollectionSpec
from repoint.ports.settings import BackendSettings


class WeaviateBackend:
    """One server or cluster, or one tenant there. Any number of processes may use it."""

    def __init__(
        self, engine: Engine, options: Options, *, application_role: str = "", name: str = ""
    ) -> None:
        self._engine = engine
        self._options = options
        self._application_role = application_role
        #: In ``repoint.toml``.
        self._name = name

    @staticmethod
    def from_settings(settings: BackendSettings) -> WeaviateBackend:
        """Return the backend of a server, not connected yet.

        Raises:
            MissingSettingError: there is no URL, or an option is unknown or no good.
        """
        options = Options.of(settings)
        address = Address.of(settings.url, grpc_url=options.grpc, backend=settings.name)
        return WeaviateBackend(
            Engine(address=address, api_key=settings.api_key),
            options,
            application_role=settings.application_role,
            name=settings.name,
        )

    @property
    def capabilities(self) -> Capabilities:
        """What it can do; an alias would move every tenant at once, so one tenant has none.

        Nor is a class of a team's adopted for one of its tenants. Where releases share a
        class, an alias would name all of them and so none, words would be weighed over the
        texts of all, and a team's class is adopted through another table.
        """
        able = CAPABILITIES
        if self._options.tenant or self._options.shares:
            able = replace(able, aliases=False, adopts=False, names=False)
        if self._options.shares:
            able = replace(able, shares_objects=True, lexical=False)
        return able

    def create(self, spec: CollectionSpec) -> WeaviateCollection:
        """Make the collection, or open it when it is already there.

        Raises:
            AlreadyExistsError: an alias, or a name that differs in case alone, is in the way.
        """
        check(spec)
        self._refuse_words(spec)

        def create(client: WeaviateClient) -> None:
            place = self._place(client, spec.name)
            if place.vector_field is not None:
                entries.make(client, place, spec, replicas=self._options.replicas)
                return
            if self._seen(client, spec.name) is None:
                self._make(client, spec)
            if self._options.tenant:
                self._require_tenancy(look(client, spec.name), spec.name)
                tenants = client.collections.use(class_name(spec.name)).tenants
                if not tenants.exists(self._options.tenant):
                    tenants.create(self._options.tenant)

        self._engine.run(create, about=spec.name)
        return self.open(spec.name, fingerprint=spec.fingerprint)

    def open(self, name: CollectionName, *, fingerprint: Fingerprint) -> WeaviateCollection:
        """Open a collection whose class carries this fingerprint."""

        def read(client: WeaviateClient) -> tuple[Place, CollectionSpec | None]:
            place = self._place(client, name)
            if place.vector_field is not None:
                return place, entries.require(client, place, name).spec
            seen = look(client, name)
            if seen.spec is not None:
                self._require_tenancy(seen, name)
                require_tenant(client, name, self._options.tenant)
            return place, seen.spec

        place, spec = self._engine.run(read, about=name)
        if spec is None or spec.fingerprint != fingerprint:
            raise FingerprintMismatchError(
                collection=name, expected=fingerprint, found=spec.fingerprint if spec else None
            )
        if spec.adopted is not None:
            return self.adopter().opened(name)
        if place.vector_field is not None:
            return SharedWeaviateCollection(spec=spec, place=place, engine=self._engine)
        return WeaviateCollection(spec=spec, engine=self._engine, tenant=self._options.tenant)

    def drop(self, name: CollectionName) -> None:
        """Delete a collection's class; of one that has tenants, our tenant alone.

        Of a class that releases share, a release's objects alone go, and the class with the
        last one.

        Raises:
            UnsupportedError: an alias points at it, which Weaviate would leave behind, or it
                is a class that repoint did not make.
        """

        def drop(client: WeaviateClient) -> None:
            place = self._place(client, name)
            if place.vector_field is not None:
                entries.drop(client, place)
                return
            seen = self._seen(client, name)
            if seen is None:
                return
            if seen.spec is None:
                raise UnsupportedError(
                    driver="weaviate",
                    what=f"dropping the class {class_name(name)}, which repoint did not make",
                    hint="delete it by hand if it is yours to delete",
                )
            self._require_tenancy(seen, name)
            if self._options.tenant:
                client.collections.use(class_name(name)).tenants.remove([self._options.tenant])
                return
            if seen.spec.adopted is not None:
                self.adopter().let_go(seen.spec.adopted)
            aliases = sorted(client.alias.list_all(collection=class_name(name)))
            if aliases:
                raise UnsupportedError(
                    driver="weaviate",
                    what=f"dropping {name} while the alias {aliases[0]} points at it",
                    hint="move the alias or delete it first",
                )
            client.collections.delete(class_name(name))

        self._engine.run(drop, about=name)

    def collections(self) -> Sequence[CollectionName]:
        """Return the names of classes and of releases in them that carry a spec of ours."""

        def read(client: WeaviateClient) -> list[CollectionName]:
            classes = client.collections.list_all(simple=False)
            own = [
                found
                for name, config in classes.items()
                if (found := name_of(config.description)) and class_name(found) == name
                if config.multi_tenancy_config.enabled == bool(self._options.tenant)
                if not self._options.tenant
                or client.collections.use(name).tenants.exists(self._options.tenant)
            ]
            if self._options.tenant:
                return sorted(own)
            among = (entries.names(client, one.description) for one in classes.values())
            return sorted([*own, *(name for names in among for name in names)])

        return self._engine.run(read, about="the collections")

    def set_alias(self, alias: str, name: CollectionName) -> None:
        """Point the alias at the collection by one request, which also moves one that exists.

        Raises:
            AlreadyExistsError: a class has the name, or an index that differs from it in the
                case of its first letter alone.
            CollectionMissingError: there is no such collection.
        """
        if self._options.shares or placing.place_of(name).vector_field is not None:
            raise UnsupportedError(
                driver="weaviate",
                what="an alias of a class that releases share",
                hint="the route says which vector to ask: repoint route",
            )
        if self._options.tenant:
            raise UnsupportedError(
                driver="weaviate",
                what="an alias of one tenant",
                hint="an alias points at a whole class, and moves all of its tenants at once",
            )
        spelled = class_name(alias)
        if NAME.fullmatch(spelled) is None:
            raise UnsupportedError(
                driver="weaviate",
                what=f"the alias {alias!r}",
                hint=f"it begins with a letter, and is not too long: {PREFIX_HINT}",
            )

        def move(client: WeaviateClient) -> None:
            place = place_of(client, name)
            found = client.alias.get(alias_name=spelled)
            if found is None:
                if client.collections.exists(spelled):
                    raise AlreadyExistsError(
                        what="class of the database", name=spelled, hint=PREFIX_HINT
                    )
                client.alias.create(alias_name=spelled, target_collection=place)
                return
            other = behind(client, found.collection)
            if other is not None and other[0] == name[0].swapcase():
                raise AlreadyExistsError(
                    what="alias of another index", name=spelled, hint=PREFIX_HINT
                )
            client.alias.update(alias_name=spelled, new_target_collection=place)

        self._engine.run(move, about=name, explain=lambda client: _there(client, name))

    def alias_target(self, alias: str) -> CollectionName | None:
        """Return the collection that the alias points at; a foreign class by its own name."""

        def read(client: WeaviateClient) -> CollectionName | None:
            found = client.alias.get(alias_name=class_name(alias))
            if found is None:
                return None
            return behind(client, found.collection) or CollectionName(found.collection)

        return self._engine.run(read, about=alias)

    def adopter(self) -> WeaviateAdopter:
        """Return what takes over classes that a team made itself."""
        return WeaviateAdopter(
            self._engine, collections=self.collections, replicas=self._options.replicas
        )

    def namekeeper(self) -> WeaviateNamekeeper:
        """Return what knows which names of aliases are taken."""
        return WeaviateNamekeeper(self._engine)

    def gatekeeper(self) -> WeaviateGatekeeper:
        """Return what knows who may do what."""
        return WeaviateGatekeeper(
            self._engine,
            tenant=self._options.tenant,
            application_role=self._application_role,
            backend=self._name,
        )

    def close(self) -> None:
        """Close the client; collections stay."""
        self._engine.close()

    def _place(self, client: WeaviateClient, name: CollectionName) -> Place:
        """Return where a release is; names that do not say which class have the backend's."""
        place = placing.place_of(name)
        if place.vector_field is not None or not self._options.shares:
            return place
        return place if self._seen(client, name) else Place(entries.OBJECTS, name)

    def _refuse_words(self, spec: CollectionSpec) -> None:
        if spec.lexical and not self.capabilities.lexical:
            raise UnsupportedError(
                driver="weaviate",
                what="hybrid search in a class that releases share",
                hint="a table [backends.NAME] without strategy = vector_field has it",
            )

    def _seen(self, client: WeaviateClient, name: CollectionName) -> Seen | None:
        try:
            return look(client, name)
        except CollectionMissingError:
            return None

    def _make(self, client: WeaviateClient, spec: CollectionSpec) -> None:
        try:
            make(
                client,
                spec,
                has_tenants=bool(self._options.tenant),
                replicas=self._options.replicas,
            )
        except UnexpectedStatusCodeError:
            spelled = class_name(spec.name)
            taken = [*client.collections.list_all(), *client.alias.list_all()]
            others = [one for one in taken if one.lower() == spelled.lower()]
            if spelled in client.collections.list_all():
                return  # another process was faster
            if others:
                raise AlreadyExistsError(
                    what="class or alias of the database",
                    name=others[0],
                    hint="names that differ in case alone are one to Weaviate",
                ) from None
            raise

    def _require_tenancy(self, seen: Seen, name: CollectionName) -> None:
        if seen.has_tenants and not self._options.tenant:
            raise UnsupportedError(
                driver="weaviate",
                what=f"{name}, which keeps tenants apart, without one",
                hint="say which: options.tenant in the backend's table of repoint.toml",
            )
        if self._options.tenant and not seen.has_tenants:
            raise UnsupportedError(
                driver="weaviate",
                what=f"the tenant {self._options.tenant!r} of {name}, which has no tenants",
                hint="leave options.tenant out, or drop the collection first",
            )


def _there(client: WeaviateClient, name: CollectionName) -> None:
    look(client, name)
