"""Weaviate: the FAKE of ``tests.fakes.weaviate_peer``, and the server that a variable names."""

from collections.abc import Iterator, Sequence
from uuid import NAMESPACE_OID, uuid5

import pytest
from tests.fakes.weaviate_peer.peer import Peer
from weaviate import WeaviateClient
from weaviate.classes.data import DataObject

from repoint.backends.weaviate.backend import WeaviateBackend
from repoint.backends.weaviate.names import class_name, document_key, vector_name
from repoint.domain.ids import CollectionName
from repoint.testing.backend import BackendSuite
from repoint.testing.collection import CollectionSuite
from repoint.testing.collection_writes import WritesSuite
from repoint.testing.collections import SPACE, Place, RawRow
from repoint.testing.story import StorySuite

pytest_plugins = ("tests.fakes.weaviate_peer.fixtures",)


@pytest.fixture
def shared(weaviate_peer: Peer, weaviate_client: WeaviateClient) -> Iterator[Place]:
    """Classes that have no tenants."""
    yield from _place(weaviate_peer, weaviate_client)


@pytest.fixture
def rented(weaviate_peer: Peer, weaviate_client: WeaviateClient) -> Iterator[Place]:
    """One tenant's share of each class."""
    yield from _place(weaviate_peer, weaviate_client, tenant="tenant-1")


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


@pytest.mark.usefixtures("weaviate_client")
class TestWeaviateStory(StorySuite):
    @pytest.fixture
    def table(self, weaviate_peer: Peer, monkeypatch: pytest.MonkeyPatch) -> str:
        monkeypatch.setenv("STORY_WEAVIATE_KEY", weaviate_peer.key or "none")
        key = 'api_key_env = "STORY_WEAVIATE_KEY"\n' if weaviate_peer.key else ""
        return (
            f'kind = "weaviate"\nurl = "{weaviate_peer.url}"\n{key}alias_prefix = "Search_"\n'
            f'[backends.main.options]\ngrpc = "{weaviate_peer.grpc}"'
        )
