"""Who answers the tests of the driver: the FAKE, and the server that a variable names.

``REPOINT_WEAVIATE_URL`` and ``REPOINT_WEAVIATE_GRPC`` say where that is, and
``REPOINT_WEAVIATE_KEY`` opens it. It has no collections of repoint at first. What was there
before stays; what a test made goes.
"""

import os
from collections.abc import Iterator

import pytest
from tests.fakes.weaviate_peer.peer import FakeWeaviate, Peer
from weaviate import WeaviateClient

FAKE = pytest.param("fake", marks=pytest.mark.backend("weaviate (fake peer)"))
SERVER = pytest.param("server", marks=[pytest.mark.server("weaviate"), pytest.mark.slow])


@pytest.fixture(params=[FAKE, SERVER])
def weaviate_peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    if request.param == "fake":
        with FakeWeaviate() as fake:
            yield Peer(url=fake.url, grpc=fake.grpc_url)
        return
    found = (os.environ.get(f"REPOINT_WEAVIATE_{what}", "") for what in ("URL", "GRPC", "KEY"))
    url, grpc, key = found
    yield Peer(url=url, grpc=grpc, key=key)


@pytest.fixture
def weaviate_client(weaviate_peer: Peer) -> Iterator[WeaviateClient]:
    with weaviate_peer.client() as connected:
        classes = set(connected.collections.list_all())
        aliases = set(connected.alias.list_all())
        yield connected
        for alias in connected.alias.list_all().keys() - aliases:
            connected.alias.delete(alias_name=alias)
        for name in connected.collections.list_all().keys() - classes:
            connected.collections.delete(name)
