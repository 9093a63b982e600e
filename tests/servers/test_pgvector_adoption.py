from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from tests.servers.pgvector_team import PgvectorTeam

from repoint.testing.adoption import AdoptionSuite
from repoint.testing.adoption_story import AdoptionStorySuite, adopt, open_workspace
from repoint.testing.postgres import PostgresServer
from repoint.testing.story import document
from repoint.testing.team import row_of

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


def test_what_a_constraint_or_a_trigger_refuses_is_a_dead_letter(
    team: PgvectorTeam, tmp_path: Path
) -> None:
    team.put(row_of(f"d{n}", document(n, version=0)) for n in range(3))
    with open_workspace(tmp_path / "home", team) as opened:
        adopt(opened, team)
        with psycopg.connect(team.url, autocommit=True) as connection:
            connection.execute("ALTER TABLE articles ADD CHECK (number < 100)")
            connection.execute("ALTER TABLE articles ADD UNIQUE (topic, number)")
        docs = opened.index("docs")
        docs.promote("v1", reason="adopted")
        twin = document(1, version=1)["metadata"]
        docs.upsert(
            [
                {
                    "id": "high",
                    "text": "a number that is too high",
                    "metadata": {"number": 100},
                },
                {"id": "twin", "text": "the same topic and number", "metadata": twin},
                {"id": "fine", **document(3, version=0)},
            ]
        )
        assert docs.sync("v1").complete
        letters = {str(one.document): one for one in docs.dead_letters("v1")}
        assert letters.keys() == {"high", "twin"}
        assert {one.code for one in letters.values()} == {"rows-refused"}
        assert "check constraint" in letters["high"].reason
        assert "unique constraint" in letters["twin"].reason
        assert team.rows().keys() == {"d0", "d1", "d2", "fine"}
        assert docs.diff("v1").clean
