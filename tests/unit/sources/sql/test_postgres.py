"""A source on a real PostgreSQL: its own types, its own transactions, read only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from repoint.client.feeding import Feeding
from repoint.domain.errors import BadInputError, SourceUnavailableError
from repoint.domain.ids import Lsn
from repoint.domain.source import SqlSettings
from repoint.testing.postgres import PostgresServer
from repoint.testing.stage import INDEX, Stage

pytestmark = pytest.mark.server("postgres")

MAKE = """
CREATE SCHEMA crm;
CREATE TABLE crm."Articles" (
    key uuid PRIMARY KEY DEFAULT gen_random_uuid(), body text NOT NULL, tags text[],
    price numeric(10, 2), seen date, "updatedAt" timestamptz NOT NULL DEFAULT clock_timestamp(),
    deleted boolean NOT NULL DEFAULT false
);
INSERT INTO crm."Articles" (body, tags, price, seen)
SELECT 'body ' || n, ARRAY['a', 'b'], n / 4.0, '2030-01-01' FROM generate_series(1, 7) n;
"""


@pytest.fixture
def url(postgres_server: PostgresServer) -> Iterator[str]:
    """A database with a table of seven rows, gone after the test."""
    name = postgres_server.database()
    yield postgres_server.url(name)
    postgres_server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def settings(url: str, monkeypatch: pytest.MonkeyPatch) -> SqlSettings:
    monkeypatch.setattr("repoint.sources.sql.reader._PAGE", 3)
    monkeypatch.setenv("CRM_URL", url)
    with psycopg.connect(url) as line:
        line.execute(MAKE)
    return SqlSettings(
        url="env:CRM_URL",
        table="crm.Articles",
        id="key",
        text=("body",),
        version="updatedAt",
        deleted="deleted",
        metadata=("tags", "price", "seen"),
    )


@pytest.fixture
def feeding(tmp_path: Path, settings: SqlSettings) -> Iterator[Feeding]:
    with Stage(folder=tmp_path / "stage") as stage:
        made = Feeding(stage.session, INDEX)
        made.add("crm", settings)
        yield made


def texts(feeding: Feeding) -> set[str]:
    with feeding._session.store.read() as view:  # noqa: SLF001 - a test's own eyes
        rows = view.log.rows(INDEX, above=Lsn(0), upto=view.log.head(INDEX))
    return {row.document.text for row in rows if row.document is not None}


def test_its_own_types_become_ids_versions_and_metadata(feeding: Feeding, url: str) -> None:
    assert feeding.poll("crm").written == 7
    with feeding._session.store.read() as view:  # noqa: SLF001 - as above
        row = view.log.rows(INDEX, above=Lsn(0), upto=Lsn(1))[0]
    assert row.document is not None
    assert len(row.id) == 36
    assert row.document.metadata["tags"] == ["a", "b"]
    assert row.document.metadata["seen"] == "2030-01-01"
    with psycopg.connect(url) as line:
        line.execute("""UPDATE crm."Articles" SET deleted = true, "updatedAt" = now()
                        WHERE body = 'body 2'""")
        line.execute("""DELETE FROM crm."Articles" WHERE body = 'body 3'""")
    report = feeding.poll("crm", sweep=True)
    assert (report.deleted, report.swept) == (1, 1)
    assert len(texts(feeding)) == 5


def test_a_transaction_that_commits_late_is_read(feeding: Feeding, url: str) -> None:
    with psycopg.connect(url) as late, psycopg.connect(url) as early:
        late.execute("""INSERT INTO crm."Articles" (body) VALUES ('late')""")
        early.execute("""INSERT INTO crm."Articles" (body) VALUES ('early')""")
        early.commit()
        feeding.poll("crm")
        assert "early" in texts(feeding)
        late.commit()
        feeding.poll("crm")
    assert {"early", "late"} <= texts(feeding)


def test_nothing_is_written_to_it(feeding: Feeding, settings: SqlSettings, url: str) -> None:
    with psycopg.connect(url) as line:
        line.execute("""CREATE FUNCTION crm.gone() RETURNS SETOF crm."Articles" LANGUAGE sql
                        AS 'DELETE FROM crm."Articles" RETURNING *'""")
    for query in (
        """WITH gone AS (DELETE FROM crm."Articles" RETURNING *) SELECT * FROM gone""",
        "SELECT * FROM crm.gone()",
    ):
        with pytest.raises(BadInputError):
            feeding.add(
                "writes",
                SqlSettings(url=settings.url, query=query, id="key", text=("body",)),
            )
    assert feeding.poll("crm").read == 7


def test_a_query_with_casts_and_percents_is_taken_as_it_stands(
    feeding: Feeding, settings: SqlSettings
) -> None:
    query = """SELECT key::text AS id, body, '12:30 :x' AS at FROM crm."Articles"
               WHERE body LIKE 'body%';"""
    feeding.add(
        "query",
        SqlSettings(url=settings.url, query=query, id="id", text=("body", "at")),
    )
    assert feeding.poll("query").written == 7
    assert "body 1\n\n12:30 :x" in texts(feeding)


def test_a_server_that_does_not_answer_is_unavailable_and_shows_no_password(
    feeding: Feeding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_URL", "postgresql://ana:hunter2@127.0.0.1:9/nowhere")
    with pytest.raises(SourceUnavailableError) as refused:
        feeding.poll("crm")
    assert "hunter2" not in str(refused.value)
    assert "hunter2" not in feeding.all()[0][1].outcome
