from collections.abc import Iterator

import pytest

from repoint.stores.sql.postgres import PostgresStore
from repoint.testing.store import StoreSuite
from repoint.wiring.clock import SystemClock


@pytest.mark.server("postgres")
class TestPostgresStore(StoreSuite):
    @pytest.fixture
    def store(self, postgres_url: str) -> Iterator[PostgresStore]:
        opened = PostgresStore.open(postgres_url, clock=SystemClock())
        yield opened
        opened.close()

    @pytest.fixture
    def another(self, store: PostgresStore, postgres_url: str) -> Iterator[PostgresStore]:
        del store  # it is open by now
        opened = PostgresStore.open(postgres_url, clock=SystemClock())
        yield opened
        opened.close()
