"""Weaviate: the FAKE of ``tests.fakes.weaviate_peer``, and the server that a variable names.

``REPOINT_WEAVIATE_URL`` and ``REPOINT_WEAVIATE_GRPC`` say where that is, and
``REPOINT_WEAVIATE_KEY`` opens it. What was there before stays; what a test made goes.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import NAMESPACE_OID, uuid5

import pytest
from tests.fakes.weaviate_peer.peer import FakeWeaviate
from weaviate import WeaviateClient
from weaviate.classes.data import DataObject
from weaviate.classes.init import Auth

from repoint.backends.weaviate.backend import WeaviateBackend
from repoint.backends.weaviate.engine import Address
from repoint.backends.weaviate.names import class_name, document_key, vector_name
from repoint.domain.ids import CollectionName
from repoint.ports.settings import BackendSettings
from repoint.testing.backend import BackendSuite
from repoint.testing.collection import CollectionSuite
from repoint.testing.collection_writes import WritesSuite
from repoint.testing.collections import SPACE, Place, RawRow
from repoint.testing.story import StorySuite

FAKE = pytest.param("fake", marks=pytest.mark.backend("weaviate (fake peer)"))
SERVER = pytest.param("server", marks=[pytest.mark.server("weaviate"), pytest.mark.slow])


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Who answers."""

    url: str
    grpc: str
    key: str = ""

    def backend(self, **options: str | int) -> WeaviateBackend:
        return WeaviateBackend.from_settings(
            BackendSettings(
                name="w",
                folder=Path(),
                url=self.url,
                api_key=self.key,
                options={"grpc": self.grpc, **options},
            )
        )

    def client(self) -> WeaviateClient:
        """Return what a colleague has who does not go through repoint."""
        return WeaviateClient(
            Address.of(self.url, grpc_url=self.grpc, backend="w").parameters(),
            auth_client_secret=Auth.api_key(self.key) if self.key else None,
            skip_init_checks=True,
        )


@pytest.fixture(params=[FAKE, SERVER])
def peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    if request.param == "fake":
        with FakeWeaviate() as fake:
            yield Peer(url=fake.url, grpc=fake.grpc_url)
        return
    found = (os.environ.get(f"REPOINT_WEAVIATE_{what}", "") for what in ("URL", "GRPC", "KEY"))
    url, grpc, key = found
    yield Peer(url=url, grpc=grpc, key=key)


@pytest.fixture
def client(peer: Peer) -> Iterator[WeaviateClient]:
    with peer.client() as connected:
        classes = set(connected.collections.list_all())
        aliases = set(connected.alias.list_all())
        yield connected
        for alias in connected.alias.list_all().keys() - aliases:
            connected.alias.delete(alias_name=alias)
        for name in connected.collections.list_all().keys() - classes:
            connected.collections.delete(name)


@pytest.fixture
def shared(peer: Peer, client: WeaviateClient) -> Iterator[Place]:
    """Classes that have no tenants."""
    yield from _place(peer, client)


@pytest.fixture
def rented(peer: Peer, client: WeaviateClient) -> Iterator[Place]:
    """One tenant's share of each class."""
    yield from _place(peer, client, tenant="tenant-1")


def _place(peer: Peer, client: WeaviateClient, *, tenant: str = "") -> Iterator[Place]:
    opened: list[WeaviateBackend] = []

    def open_one() -> WeaviateBackend:
        opened.append(peer.backend(**({"tenant": tenant} if tenant else {})))
        return opened[-1]

    def tamper(name: CollectionName, rows: Sequence[RawRow]) -> None:
        kind = client.collections.use(class_name(name))
        shelf = kind.with_tenant(tenant) if tenant else kind
        for number, row in enumerate(rows):
            shelf.data.insert_many(
                [
                    DataObject(
                        uuid=uuid5(NAMESPACE_OID, str(number)),
                        properties={
                            "document": row.document,
                            "key": document_key(row.document),
                            "slot": row.slot,
                            "lsn": row.lsn,
                            "text": row.text,
                            "part": number,
                        },
                        vector=None if row.vector is None else _vector(row.vector),
                    )
                ]
            )

    yield Place(opened=open_one, tamper=tamper)
    for backend in opened:
        backend.close()


def _vector(values: Sequence[float]) -> dict[str, list[float]]:
    return {vector_name(SPACE): list(values)}


class TestWeaviateBackend(BackendSuite):
    @pytest.fixture
    def place(self, shared: Place) -> Place:
        return shared


class TestWeaviateCollection(CollectionSuite):
    @pytest.fixture
    def place(self, shared: Place) -> Place:
        return shared


class TestWeaviateTenantBackend(BackendSuite):
    @pytest.fixture
    def place(self, rented: Place) -> Place:
        return rented


class TestWeaviateTenantWrites(WritesSuite):
    @pytest.fixture
    def place(self, rented: Place) -> Place:
        return rented


@pytest.mark.usefixtures("client")
class TestWeaviateStory(StorySuite):
    @pytest.fixture
    def table(self, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> str:
        monkeypatch.setenv("STORY_WEAVIATE_KEY", peer.key or "none")
        key = 'api_key_env = "STORY_WEAVIATE_KEY"\n' if peer.key else ""
        return (
            f'kind = "weaviate"\nurl = "{peer.url}"\n{key}alias_prefix = "Search_"\n'
            f'[backends.main.options]\ngrpc = "{peer.grpc}"'
        )
