"""Grants of a real server with a real second role, asked before a promotion moves."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import psycopg
import pytest
from psycopg import sql
from tests.servers.pgvector_team import PgvectorTeam
from tests.unit.cli.conftest import Shell
from tests.unit.cli.test_shapes import PROMISED, shape

from repoint.client import Index, Repoint
from repoint.domain.document import Json
from repoint.domain.errors import MissingSettingError, NotReadyError
from repoint.testing.adoption_story import adopt, open_workspace
from repoint.testing.postgres import PostgresServer
from repoint.testing.story import UNMEASURED, bring_in_step, document
from repoint.testing.team import row_of
from repoint.wiring.config import CONFIG_FILE

pytestmark = [pytest.mark.backend("pgvector"), pytest.mark.slow]

ROLE = "search app"


class GuardedTeam(PgvectorTeam):
    """A team whose application has a role of its own."""

    @property
    def table(self) -> str:
        return f'{super().table}\napplication_role = "{ROLE}"'

    def run(self, *statements: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def reads(self, place: str) -> bool:
        """Return whether the application really can read it."""
        with psycopg.connect(self.url) as connection:
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(ROLE)))
            try:
                connection.execute(b"TABLE " + place.encode())
            except psycopg.errors.InsufficientPrivilege:
                return False
        return True


@pytest.fixture
def team(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[GuardedTeam]:
    name = postgres_server.database()
    url = postgres_server.url(name)
    monkeypatch.setenv("TEAM_DATABASE_URL", url)
    one = GuardedTeam(url)
    one.run(f'CREATE ROLE "{ROLE}"')
    one.put(row_of(f"d{n}", document(n, version=0)) for n in range(10))
    one.run(f'GRANT SELECT ON articles TO "{ROLE}"')
    yield one
    one.close()
    postgres_server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    postgres_server.execute(f'DROP ROLE "{ROLE}"')


@pytest.fixture
def opened(team: GuardedTeam, tmp_path: Path) -> Iterator[Repoint]:
    with open_workspace(tmp_path / "home", team) as opened:
        adopt(opened, team)
        yield opened


def granted(docs: Index, release: str, team: GuardedTeam) -> None:
    """Grant whatever is said to be missing, in the words that are said."""
    team.run(*(one.remedy for one in docs.grants(release).missing))


def test_a_promotion_is_refused_before_it_moves_while_a_grant_is_missing(
    opened: Repoint, team: GuardedTeam
) -> None:
    docs = opened.index("docs")
    with pytest.raises(NotReadyError, match="search app may not USAGE SCHEMA") as caught:
        docs.promote("v1")
    assert 'GRANT SELECT ON "repoint"."docs_v1_' in caught.value.message
    assert docs.status().epoch == 0
    granted(docs, "v1", team)
    docs.promote("v1")
    bring_in_step(docs, "v2", dimensions=32)
    second = docs.release("v2").collection
    assert not team.reads(f"repoint.{second}")
    with pytest.raises(NotReadyError, match="may not SELECT"):
        docs.promote("v2", options=UNMEASURED)
    assert (docs.status().active, docs.status().epoch) == ("v1", 1)
    report = docs.grants("v2")
    assert report.releases == ("v1", "v2")
    assert {one.on for one in report.missing} == {
        f'table "repoint"."{second}"',
        'view "repoint"."docs"',
    }
    granted(docs, "v2", team)
    assert docs.grants("v2").missing == []
    assert all(team.reads(place) for place in (f"repoint.{second}", "repoint.docs", "articles"))
    docs.promote("v2", options=UNMEASURED)
    report_back = docs.rollback(reason="worse")
    assert report_back.verified
    assert team.reads("repoint.docs")


def test_the_command_says_what_to_run(
    opened: Repoint, team: GuardedTeam, tmp_path: Path
) -> None:
    shell = Shell(tmp_path)
    shell.home = opened.workspace.home
    result = shell.run("grants", "check", "docs", "v1", "--json")
    assert result.exit_code == 3
    promised = cast("dict[str, Json]", PROMISED["grants check"])
    assert shape(json.loads(result.stdout)) == {**promised, "silent": []}
    said = shell.run("grants", "check", "docs", "v1").stdout
    team.run(*(line.strip() for line in said.splitlines() if line.startswith("  GRANT ")))
    assert "grants are there" in shell.ok("grants", "check", "docs", "v1")


def test_what_repoint_itself_needs_is_asked_too(
    team: GuardedTeam, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    team.run(
        "CREATE ROLE keeper LOGIN PASSWORD 'a test'",
        "CREATE SCHEMA repoint AUTHORIZATION keeper",
        "GRANT SELECT ON articles TO keeper",
    )
    parts = psycopg.conninfo.conninfo_to_dict(team.url)
    url = f"postgresql://keeper:a%20test@127.0.0.1:{parts['port']}/{parts['dbname']}"
    monkeypatch.setenv("TEAM_DATABASE_URL", url)
    try:
        with open_workspace(tmp_path / "home", team) as opened:
            adopt(opened, team)  # reading is enough for that
            missing = opened.index("docs").grants("v1").missing
            own = {(one.privilege, one.on) for one in missing if one.role == "keeper"}
            assert own == {
                (privilege, 'table "public"."articles"')
                for privilege in ("INSERT", "UPDATE", "DELETE")
            }
    finally:
        team.run("DROP SCHEMA repoint CASCADE", "DROP OWNED BY keeper", "DROP ROLE keeper")


def test_a_role_that_is_not_there_is_said(opened: Repoint, team: GuardedTeam) -> None:
    config = opened.workspace.home / CONFIG_FILE
    config.write_text(config.read_text().replace(ROLE, "nobody here"))
    with Repoint.open(opened.workspace.home) as again:
        with pytest.raises(MissingSettingError, match="no role 'nobody here'"):
            again.index("docs").grants("v1")
        with pytest.raises(NotReadyError, match="no role 'nobody here'"):
            again.index("docs").promote("v1")
    assert team.reads("articles")
