"""Two thousand rows of a team's own database, whose texts stay there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Final, Protocol

import psycopg
import pytest

from repoint import Repoint
from repoint.client.index import Index
from repoint.demo import models
from repoint.domain.source import SqlSettings
from repoint.operations.promote import PromoteOptions
from repoint.testing.postgres import PostgresServer

ROWS: Final = 2_200
SAID: Final = "a private remark on case"
UNMEASURED: Final = PromoteOptions(
    without_evaluation="a test", ack_timeout=timedelta(seconds=5)
)
pytestmark = [pytest.mark.models, pytest.mark.slow, pytest.mark.server("postgres")]


class Team(Protocol):
    """A team's table of articles."""

    url: str

    def run(self, statement: str) -> None: ...


class Lite:
    def __init__(self, file: Path) -> None:
        self.file = file
        self.url = f"sqlite:///{file}"

    def run(self, statement: str) -> None:
        with closing(sqlite3.connect(self.file)) as line, line:
            line.execute(statement)


class Postgres:
    def __init__(self, url: str) -> None:
        self.database = url
        self.url = "env:CRM_URL"

    def run(self, statement: str) -> None:
        with psycopg.connect(self.database) as line:
            line.execute(statement)


@pytest.fixture(params=["sqlite", "postgres"])
def team(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    postgres_server: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Team]:
    if request.param == "sqlite":
        yield Lite(tmp_path / "crm.db")
        return
    name = postgres_server.database()
    url = postgres_server.url(name)
    monkeypatch.setenv("CRM_URL", url)
    yield Postgres(url)
    postgres_server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _filled(team: Team) -> None:
    team.run(
        "CREATE TABLE articles (id INTEGER PRIMARY KEY, title TEXT, body TEXT, kind TEXT, "
        "version INTEGER, gone INTEGER DEFAULT 0)"
    )
    team.run(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2200) "
        "INSERT INTO articles SELECT i, 'Heading ' || i, 'a private remark on case ' || i || "
        "': tablets of ' || (i * 7) || ' milligrams for patient ' || (i * 31) || '.', "
        "CASE WHEN i % 2 = 0 THEN 'even' ELSE 'odd' END, i, 0 FROM n"
    )


def _found(docs: Index, question: str) -> list[str]:
    return [hit.document for hit in docs.search(question, k=5).hits]


def test_forward_edits_and_back_with_texts_that_stay_where_they_are(
    team: Team, tmp_path: Path
) -> None:
    _filled(team)
    home = tmp_path / "home"
    with Repoint.init(home) as opened:
        docs = opened.create_index("docs")
        docs.feeding.add(
            "crm",
            SqlSettings(
                url=team.url,
                table="articles",
                id="id",
                text=("body",),
                title="title",
                version="version",
                deleted="gone",
                metadata=("kind",),
                by_reference=True,
            ),
        )
        assert docs.feeding.poll("crm").written == ROWS
        for stage in (models.V1, models.V2):
            docs.create_release(stage.release, models.load(stage))
            assert docs.sync(stage.release).embedded == ROWS
            docs.promote(stage.release, reason="it is better", options=UNMEASURED)
        assert docs.diff("v1").clean
        # Edits and deletes after the promotion: polled, named, and seen by no poll.
        team.run("UPDATE articles SET body = body || ' Edited.', version = 9001 WHERE id <= 60")
        team.run("UPDATE articles SET gone = 1, version = 9002 WHERE id BETWEEN 61 AND 80")
        assert docs.feeding.poll("crm").deleted == 20
        team.run("DELETE FROM articles WHERE id = 81")
        assert docs.feeding.changed("crm", ["81"]).deleted == 1
        team.run("UPDATE articles SET body = 'zebra crossing', version = 9003 WHERE id = 5")
        report = docs.rollback(reason="it is worse")
        assert report.verified, [f.summary for f in report.findings if f.status != "ok"]
        docs.sync("v1")
        docs.sync("v2")
        for name in ("v1", "v2"):
            compared = docs.diff(name)
            assert (compared.clean, compared.compared) == (True, ROWS)
        hits = docs.search("zebra crossing", k=1, filter='kind = "odd"').hits
        assert (hits[0].document, "zebra" in hits[0].text) == ("5", True)
        resurrected = {str(n) for n in range(61, 82)}
        for number in range(61, 82):
            question = f"tablets of {number * 7} milligrams for patient {number * 31}"
            assert resurrected.isdisjoint(_found(docs, question))
        assert report.active == "v1"
    inside = [
        path
        for path in home.rglob("*")
        if path.is_file() and "collections" not in path.relative_to(home).parts
    ]
    assert any(path.name.endswith(".db") for path in inside)
    for path in inside:
        content = path.read_bytes()
        assert SAID.encode() not in content, path
        assert b"Heading 7" not in content, path
        assert b"zebra" not in content, path
