"""A Chroma server for tests, and a team with a collection of its own in it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import httpx2
import numpy as np
import pytest

from repoint.backends.chroma import ChromaDriver
from repoint.backends.chroma.server import Address, Server
from repoint.ports.adoption import Wish
from repoint.ports.backend import Backend
from repoint.ports.settings import BackendSettings
from repoint.testing.programs import NoProgramError, ProgramServer, chroma_command
from repoint.testing.team import TeamRow

GIVEN = os.environ.get("REPOINT_CHROMA_URL", "")


@contextlib.contextmanager
def chroma_started() -> Iterator[ProgramServer]:
    """Give a server of the test's own."""
    try:
        server = ProgramServer(chroma_command)
    except NoProgramError as problem:
        pytest.skip(str(problem))
    with server:
        yield server


@contextlib.contextmanager
def chroma_url() -> Iterator[str]:
    """Give the server that the environment names, or one that is started here."""
    if GIVEN:
        yield GIVEN
        return
    with chroma_started() as server:
        yield server.url


def database_of(url: str, folder: Path) -> str:
    """Make a database of the test's own."""
    name = f"test-{uuid5(NAMESPACE_URL, str(folder))}"
    made = httpx2.post(f"{url}/api/v2/tenants/default_tenant/databases", json={"name": name})
    assert made.is_success
    return name


class ChromaTeam:
    """The team's own code, over the server's HTTP API as any client's."""

    wish = Wish(
        collection="articles",
        id_field="id",
        text_field="document",
        metadata=("topic", "number"),
    )

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.database = database_of(url, folder)
        self.server = Server(Address(url=url, database=self.database))
        self.opened: list[Backend] = []

    @property
    def table(self) -> str:
        options = f'[backends.main.options]\ndatabase = "{self.database}"'
        return f'kind = "chroma"\nurl = "{self.url}"\n{options}'

    def backend(self) -> Backend:
        self.opened.append(
            ChromaDriver.from_settings(
                BackendSettings(
                    name="main",
                    folder=self.folder,
                    url=self.url,
                    options={"database": self.database},
                )
            )
        )
        return self.opened[-1]

    def close(self) -> None:
        self.server.close()
        for one in self.opened:
            one.close()

    def put(self, rows: Iterable[TeamRow]) -> None:
        given = list(rows)
        found = self.server.described("articles")
        collection = self.create() if found is None else found.id
        if given:
            self.server.upsert(
                collection,
                ids=[one.id for one in given],
                vectors=np.array([one.vector for one in given]),
                metadatas=[self.metadata(one) for one in given],
                documents=self.texts(given),
            )

    def create(self, space: str = "cosine") -> str:
        return self.server.create("articles", metadata={"by": "us"}, hnsw={"space": space}).id

    def delete(self, ids: Sequence[str]) -> None:
        self.server.remove(self.server.shape("articles").id, ids=list(ids))

    def rows(self) -> Mapping[str, TeamRow]:
        found = self.server.foreign(
            self.server.shape("articles").id, include=["metadatas", "documents", "embeddings"]
        )
        columns = (
            found.ids,
            found.metadatas or (),
            found.documents or (),
            found.embeddings or (),
        )
        return {
            key: TeamRow(
                id=key,
                body=self.body(text, metadata or {}),
                topic=str((metadata or {}).get("topic") or ""),
                number=int(str((metadata or {}).get("number") or 0)),
                vector=np.array(vector, dtype=np.float32),
            )
            for key, metadata, text, vector in zip(*columns, strict=True)
        }

    def metadata(self, one: TeamRow) -> dict[str, str | int | float | bool | None]:
        return {"topic": one.topic, "number": one.number, "note": "the team's own"}

    def texts(self, rows: Sequence[TeamRow]) -> list[str] | None:
        return [one.body for one in rows]

    def body(self, text: str | None, metadata: Mapping[str, object]) -> str:
        del metadata
        return text or ""


class KeyedChromaTeam(ChromaTeam):
    """The text is a key of the metadata."""

    wish = Wish(
        collection="articles", id_field="id", text_field="body", metadata=("topic", "number")
    )

    def metadata(self, one: TeamRow) -> dict[str, str | int | float | bool | None]:
        return {**super().metadata(one), "body": one.body}

    def texts(self, rows: Sequence[TeamRow]) -> list[str] | None:
        del rows
        return None

    def body(self, text: str | None, metadata: Mapping[str, object]) -> str:
        assert text is None
        return str(metadata["body"])
