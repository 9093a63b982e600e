"""Weaviate with ``strategy = "vector_field"``: releases as named vectors of one class."""

from collections.abc import Iterator

import pytest
from tests.fakes.weaviate_peer.peer import Peer
from weaviate import WeaviateClient

from repoint.backends.weaviate.backend import WeaviateBackend
from repoint.testing.backend import BackendSuite
from repoint.testing.collection import CollectionSuite
from repoint.testing.collections import Place
from repoint.testing.story import StorySuite

pytest_plugins = ("tests.fakes.weaviate_peer.fixtures",)


@pytest.fixture
def fields(weaviate_peer: Peer, weaviate_client: WeaviateClient) -> Iterator[Place]:
    del weaviate_client  # it tidies up
    opened: list[WeaviateBackend] = []

    def open_one() -> WeaviateBackend:
        opened.append(weaviate_peer.backend(strategy="vector_field"))
        return opened[-1]

    yield Place(opened=open_one)
    for backend in opened:
        backend.close()


class TestWeaviateFieldBackend(BackendSuite):
    @pytest.fixture
    def place(self, fields: Place) -> Place:
        return fields


@pytest.mark.slow
class TestWeaviateFieldCollection(CollectionSuite):
    @pytest.fixture
    def place(self, fields: Place) -> Place:
        return fields


@pytest.mark.slow
@pytest.mark.usefixtures("weaviate_client")
class TestWeaviateFieldStory(StorySuite):
    @pytest.fixture
    def table(self, weaviate_peer: Peer, monkeypatch: pytest.MonkeyPatch) -> str:
        monkeypatch.setenv("STORY_WEAVIATE_KEY", weaviate_peer.key or "none")
        key = 'api_key_env = "STORY_WEAVIATE_KEY"\n' if weaviate_peer.key else ""
        return (
            f'kind = "weaviate"\nurl = "{weaviate_peer.url}"\n{key}'
            f'[backends.main.options]\nstrategy = "vector_field"\ngrpc = "{weaviate_peer.grpc}"'
        )
