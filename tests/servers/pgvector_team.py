"""A team with a table of its own in PostgreSQL."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import psycopg

from repoint.backends.pgvector.backend import PgvectorBackend
from repoint.backends.pgvector.connections import Connections
from repoint.ports.adoption import Wish
from repoint.ports.backend import Backend
from repoint.testing.team import DIMENSIONS, TeamRow

TABLE = """
CREATE EXTENSION IF NOT EXISTS vector;
CREATE TABLE IF NOT EXISTS articles (
    id text PRIMARY KEY,
    body text NOT NULL,
    topic varchar(200),
    number integer,
    note text NOT NULL DEFAULT 'the team''s own',
    embedding vector({dimensions}) NOT NULL
);
"""
PUT = """
INSERT INTO articles (id, body, topic, number, embedding) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (id) DO UPDATE SET body = excluded.body, topic = excluded.topic,
    number = excluded.number, embedding = excluded.embedding
"""


class PgvectorTeam:
    """The team's own code: plain SQL."""

    wish = Wish(
        collection="articles", id_field="id", text_field="body", metadata=("topic", "number")
    )

    def __init__(self, url: str) -> None:
        self.url = url
        self.opened: list[PgvectorBackend] = []

    @property
    def table(self) -> str:
        return 'kind = "pgvector"\nurl_env = "TEAM_DATABASE_URL"'

    def backend(self) -> Backend:
        self.opened.append(PgvectorBackend(Connections(self.url)))
        return self.opened[-1]

    def put(self, rows: Iterable[TeamRow]) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(TABLE.format(dimensions=DIMENSIONS).encode())
            values = [
                (one.id, one.body, one.topic, one.number, _written(one.vector)) for one in rows
            ]
            connection.cursor().executemany(PUT, values)

    def delete(self, ids: Sequence[str]) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("DELETE FROM articles WHERE id = ANY(%s)", (list(ids),))

    def rows(self) -> Mapping[str, TeamRow]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            found = connection.execute(
                "SELECT id, body, topic, number, embedding::text, note FROM articles"
            ).fetchall()
        assert {note for *_, note in found} <= {"the team's own"}
        return {
            name: TeamRow(
                id=name, body=body, topic=topic or "", number=number, vector=_read(vector)
            )
            for name, body, topic, number, vector, _ in found
        }

    def close(self) -> None:
        for backend in self.opened:
            backend.close()


def _written(
    vector: Sequence[float] | np.ndarray[tuple[int, ...], np.dtype[np.float32]],
) -> str:
    return "[" + ",".join(str(np.float32(value)) for value in vector) + "]"


def _read(vector: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.array([np.float32(value) for value in vector.strip("[]").split(",")])
