from collections.abc import Iterator

import pytest

from repoint.backends.pgvector.backend import PgvectorBackend
from repoint.backends.pgvector.connections import Connections
from repoint.testing.backend import BackendSuite
from repoint.testing.collection import CollectionSuite
from repoint.testing.collections import Place
from repoint.testing.postgres import PostgresServer

pytestmark = pytest.mark.backend("pgvector")


@pytest.fixture(scope="module")
def pgvector_url(postgres_server: PostgresServer) -> str:
    """A database of this module's own, where each test has a schema."""
    return postgres_server.url(postgres_server.database())


@pytest.fixture
def postgres(postgres_server: PostgresServer, pgvector_url: str) -> Iterator[Place]:
    opened: list[PgvectorBackend] = []

    def open_one() -> PgvectorBackend:
        opened.append(PgvectorBackend(Connections(pgvector_url), schema="here"))
        return opened[-1]

    yield Place(opened=open_one)
    for backend in opened:
        backend.close()
    name = pgvector_url.rpartition("/")[2]
    postgres_server.execute("DROP SCHEMA IF EXISTS here CASCADE", database=name)


class TestPgvectorBackend(BackendSuite):
    @pytest.fixture
    def place(self, postgres: Place) -> Place:
        return postgres


class TestPgvectorCollection(CollectionSuite):
    @pytest.fixture
    def place(self, postgres: Place) -> Place:
        return postgres
