from collections.abc import Iterator

import pytest
from tests.servers.pgvector_team import PgvectorTeam

from repoint.testing.adoption import AdoptionSuite
from repoint.testing.adoption_story import AdoptionStorySuite
from repoint.testing.postgres import PostgresServer

pytestmark = [pytest.mark.backend("pgvector"), pytest.mark.slow]


@pytest.fixture
def team(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PgvectorTeam]:
    name = postgres_server.database()
    url = postgres_server.url(name)
    monkeypatch.setenv("TEAM_DATABASE_URL", url)
    one = PgvectorTeam(url)
    yield one
    one.close()
    postgres_server.execute(f"DROP DATABASE {name} WITH (FORCE)")


class TestPgvectorAdopter(AdoptionSuite):
    @pytest.fixture
    def team(self, team: PgvectorTeam) -> PgvectorTeam:
        return team


class TestPgvectorAdoption(AdoptionStorySuite):
    @pytest.fixture
    def team(self, team: PgvectorTeam) -> PgvectorTeam:
        return team
