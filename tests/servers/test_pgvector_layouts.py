"""Tables as teams really have them: numbers and uuids as ids, JSON metadata, odd columns."""

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from repoint.client import Repoint
from repoint.domain.errors import BadInputError, NotFoundError, UnsupportedError
from repoint.domain.spec import ModelSpec, ReleaseSpec
from repoint.operations.adopt import AdoptionReport
from repoint.ports.adoption import Wish
from repoint.testing.postgres import PostgresServer
from repoint.testing.team import vectors
from repoint.wiring.config import CONFIG_FILE

pytestmark = [pytest.mark.backend("pgvector"), pytest.mark.slow]

TABLE = """
CREATE EXTENSION IF NOT EXISTS vector;
CREATE SCHEMA "Team";
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE TABLE "Team"."My Articles" (
    id integer PRIMARY KEY,
    title varchar(40),
    body text,
    published_at timestamptz,
    tags text[],
    mood mood,
    words integer GENERATED ALWAYS AS (length(body)) STORED,
    meta jsonb,
    created date DEFAULT '2024-05-06' NOT NULL,
    embedding vector(64)
);
CREATE INDEX ON "Team"."My Articles" USING hnsw (embedding vector_cosine_ops);
"""
SPEC = ReleaseSpec(model=ModelSpec(provider="hashing", dimensions=64), backend="main")
WISH = Wish(
    collection="Team.My Articles",
    id_field="id",
    text_field="body",
    title_field="title",
    metadata=None,
    object_field="meta",
)


class Database:
    def __init__(self, url: str) -> None:
        self.url = url

    def run(self, statement: str, values: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            done = connection.execute(statement.encode(), values or None)
            return done.fetchall() if done.description else []

    def put(self, number: int, body: str | None, **meta: object) -> None:
        """Write a row as the team does, embedding title and text."""
        title = f"Title {number}"
        (vector,) = vectors([f"{title}\n{body}"])
        self.run(
            'INSERT INTO "Team"."My Articles" (id, title, body, published_at, tags, meta, '
            "embedding) VALUES (%s, %s, %s, %s, %s, %s, %s)",
            (
                number, title, body, "2024-01-02 03:04:05+02", ["a"], json.dumps(meta),
                None if number == 3 else str(vector.tolist()),
            ),
        )  # fmt: skip

    def row(self, number: int) -> tuple[object, ...]:
        found = self.run(
            "SELECT title, body, published_at::text, tags, meta, created::text, "
            'embedding IS NOT NULL FROM "Team"."My Articles" WHERE id = %s',
            (number,),
        )
        return found[0] if found else ()


@pytest.fixture
def database(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Database]:
    name = postgres_server.database()
    one = Database(postgres_server.url(name))
    monkeypatch.setenv("TEAM_DATABASE_URL", one.url)
    one.run(TABLE)
    yield one
    postgres_server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def opened(database: Database, tmp_path: Path) -> Iterator[Repoint]:
    del database
    Repoint.init(tmp_path / "home").close()
    with (tmp_path / "home" / CONFIG_FILE).open("a") as config:
        config.write('\n[backends.main]\nkind = "pgvector"\nurl_env = "TEAM_DATABASE_URL"\n')
    with Repoint.open(tmp_path / "home") as opened:
        yield opened


def adopt(opened: Repoint, wish: Wish = WISH) -> AdoptionReport:
    return opened.adopt("docs", "v1", wish, spec=SPEC)


def test_every_kind_of_column_is_taken_or_left_with_a_reason(
    database: Database, opened: Repoint
) -> None:
    for n in range(1, 9):
        database.put(n, f"text of number {n}", lang="en", n=n)
    found = opened.plan_adoption("docs", "v1", WISH, spec=SPEC)
    assert found.proof.holds
    assert [field.name for field in found.layout.metadata] == ["published_at", "created"]
    assert found.foreign.left_out == {
        "tags": "values of type _text are no metadata",
        "mood": "values of type mood are no metadata",
        "words": "its values are computed by the database",
    }
    report = adopt(opened)
    assert (report.rows, report.embedded) == (8, 1)  # the third had no vector
    docs = opened.index("docs")
    assert docs.diff("v1").clean
    docs.promote("v1")
    (hit,) = docs.search("text of number 3", k=1, filter='lang = "en" and n = 3').hits
    assert hit.id == "3"
    assert hit.metadata["published_at"] == "2024-01-02T01:04:05+00:00"
    assert database.row(3)[-1] is True


def test_what_has_no_place_in_the_table_becomes_a_dead_letter(
    database: Database, opened: Repoint
) -> None:
    for n in range(1, 6):
        database.put(n, f"text of number {n}", lang="en")
    adopt(opened)
    docs = opened.index("docs")
    docs.promote("v1")
    docs.upsert(
        [
            {"id": "one", "text": "its id is no number"},
            {"id": "6", "title": "t" * 41, "text": "its title is too long"},
            {"id": "7", "text": "its day is none", "metadata": {"created": "tomorrow"}},
            {"id": "99999999999", "text": "its id is too large"},
            {
                "id": "8",
                "text": "a good one",
                "metadata": {"lang": "de"},
            },
            {"id": "2", "title": "New", "text": "changed", "metadata": {"lang": "fr"}},
        ],
        wait="all",
    )
    docs.delete(["no number either", "1"], wait="all")
    letters = {str(one.document): one.reason for one in docs.dead_letters("v1")}
    assert set(letters) == {"one", "6", "7", "99999999999"}
    assert "'one' is no integer of at most 4 bytes for 'id'" in letters["one"]
    assert database.row(8)[1:3] == ("a good one", None)
    assert database.row(8)[4:] == ({"lang": "de"}, "2024-05-06", True)
    assert database.row(2)[:2] == ("New", "changed")
    assert database.row(2)[3:5] == (["a"], {"lang": "fr"})  # their own columns stay
    assert database.row(1) == ()
    assert docs.diff("v1").counts.keys() <= {"dead-lettered"}


def test_keys_that_are_left_out_stay_where_they_are(
    database: Database, opened: Repoint
) -> None:
    database.put(1, "text of number 1", lang="en", hidden="s", mixed=1)
    database.put(2, "text of number 2", lang="en", hidden="s", mixed="two")
    with pytest.raises(BadInputError, match="--leave-out mixed"):
        adopt(opened)
    left = Wish(
        collection=WISH.collection, id_field="id", text_field="body", title_field="title",
        object_field="meta", left_out=("mixed", "hidden"),
    )  # fmt: skip
    assert adopt(opened, left).rows == 2
    docs = opened.index("docs")
    assert docs.diff("v1").clean
    docs.promote("v1")
    docs.upsert([{"id": "2", "text": "new", "metadata": {"lang": "de"}}], wait="all")
    assert database.row(2)[4] == {"lang": "de", "hidden": "s", "mixed": "two"}
    assert docs.search("new", k=1).hits[0].metadata == {"lang": "de"}
    assert docs.diff("v1").clean


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"collection": "Team.Nothing"}, "no table 'Team.Nothing'"),
        ({"text_field": "content"}, "no column 'content'"),
        ({"id_field": "title"}, "not unique and NOT NULL"),
        ({"text_field": "tags"}, "the text in a column of type _text"),
        ({"object_field": "title"}, "metadata in a column of type varchar"),
        ({"metadata": ("mood",)}, "metadata in a column of type mood"),
    ],
)
def test_what_cannot_be_adopted_is_refused_with_what_to_do(
    opened: Repoint, change: dict[str, object], why: str
) -> None:
    from dataclasses import replace  # noqa: PLC0415

    with pytest.raises((NotFoundError, UnsupportedError), match=why):
        adopt(opened, replace(WISH, **change))  # type: ignore[arg-type]  # each is a field's


def test_a_name_that_the_alias_cannot_have_is_planned_for(
    database: Database, opened: Repoint, tmp_path: Path
) -> None:
    database.run("CREATE SCHEMA repoint; CREATE TABLE repoint.docs (id text PRIMARY KEY)")
    database.put(1, "text of number 1")
    plan = opened.plan_adoption("docs", "v1", WISH, spec=SPEC)
    assert "table repoint.docs has that name" in plan.obstacles[0]
    config = tmp_path / "home" / CONFIG_FILE
    config.write_text(config.read_text() + 'alias_prefix = "search_"\n')
    with Repoint.open(tmp_path / "home") as again:
        assert again.plan_adoption("docs", "v1", WISH, spec=SPEC).obstacles == []
