"""A Milvus for tests, and a team with a collection of its own in it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from repoint.ports.adoption import Wish
from repoint.ports.backend import Backend
from repoint.ports.settings import BackendSettings
from repoint.testing.programs import NoProgramError, ProgramServer, milvus_lite_command
from repoint.testing.team import DIMENSIONS, TeamRow

if TYPE_CHECKING:
    from pymilvus import MilvusClient
    from pymilvus.milvus_client import IndexParams

GIVEN = os.environ.get("REPOINT_MILVUS_URL", "")
#: What opens that server, where it asks.
TOKEN = os.environ.get("REPOINT_MILVUS_TOKEN", "")


@contextlib.contextmanager
def milvus_started() -> Iterator[ProgramServer]:
    """Give a milvus-lite of the test's own."""
    pytest.importorskip("pymilvus", reason="run it with: make servers-test")
    try:
        server = ProgramServer(milvus_lite_command)
    except NoProgramError as problem:
        pytest.skip(str(problem))
    with server:
        yield server


@contextlib.contextmanager
def milvus_url() -> Iterator[str]:
    """Give the server that the environment names, or one that is started here."""
    if GIVEN:
        pytest.importorskip("pymilvus", reason="run it with: make servers-test")
        yield GIVEN
        return
    with milvus_started() as server:
        yield server.url


def milvus_backend(url: str, folder: Path) -> Backend:
    from repoint.backends.milvus import MilvusDriver  # noqa: PLC0415 - loads the library

    return MilvusDriver.from_settings(
        BackendSettings(name="m", folder=folder, url=url, api_key=TOKEN)
    )


def milvus_table(url: str) -> str:
    """Return the lines of the backend's table in ``repoint.toml``."""
    key = '\napi_key_env = "REPOINT_MILVUS_TOKEN"' if TOKEN else ""
    return f'kind = "milvus"\nurl = "{url}"\nalias_prefix = "search_"{key}'


def milvus_client(url: str, token: str = TOKEN) -> MilvusClient:
    from pymilvus import MilvusClient  # noqa: PLC0415 - may not be installed

    return MilvusClient(uri=url, token=token)


def emptied(url: str, *also: str) -> None:
    """Drop what repoint made there, and collections of these names."""
    client = milvus_client(url)
    for name in client.list_collections():
        if name not in also and "repoint" not in client.describe_collection(name)["properties"]:
            continue
        for alias in client.list_aliases(collection_name=name)["aliases"]:
            client.drop_alias(alias)
        client.drop_collection(name)
    client.close()


class MilvusTeam:
    """A collection with a fixed schema, keyed by the team's own ids."""

    wish = Wish(
        collection="articles", id_field="slug", text_field="body", metadata=("topic", "number")
    )

    def __init__(self, client: MilvusClient, url: str, folder: Path) -> None:
        self.client = client
        self.url = url
        self.folder = folder

    @property
    def table(self) -> str:
        return milvus_table(self.url)

    def backend(self) -> Backend:
        return milvus_backend(self.url, self.folder)

    def put(self, rows: Iterable[TeamRow]) -> None:
        if not self.client.has_collection("articles"):
            self.create()
        if made := [self.made(one) for one in rows]:
            self.write(made)

    def write(self, rows: list[dict[str, object]]) -> None:
        self.client.upsert("articles", rows)

    def delete(self, ids: Sequence[str]) -> None:
        listed = ", ".join(f'"{one}"' for one in ids)
        self.client.delete("articles", filter=f"slug in [{listed}]")

    def rows(self) -> Mapping[str, TeamRow]:
        found = self.client.query(
            "articles",
            filter='slug >= ""',
            output_fields=["slug", "body", "topic", "number", "vector"],
            consistency_level="Strong",
        )
        return {
            one["slug"]: TeamRow(
                id=one["slug"],
                body=one["body"],
                topic=one.get("topic") or "",
                number=one["number"],
                vector=np.array(one["vector"], dtype=np.float32),
            )
            for one in found
        }

    def counted(self) -> int:
        (found,) = self.client.query(
            "articles",
            filter="",
            output_fields=["count(*)"],
            consistency_level="Strong",
        )
        return int(found["count(*)"])

    def create(self, *, metric: str = "COSINE", dimensions: int = DIMENSIONS) -> None:
        from pymilvus import DataType, MilvusClient  # noqa: PLC0415 - may not be installed

        schema = MilvusClient.create_schema(auto_id=False)
        schema.add_field("slug", DataType.VARCHAR, max_length=200, is_primary=True)
        schema.add_field("body", DataType.VARCHAR, max_length=2_000)
        schema.add_field("topic", DataType.VARCHAR, max_length=200)
        schema.add_field("number", DataType.INT64)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimensions)
        index = self.index(metric)
        self.client.create_collection("articles", schema=schema, index_params=index)

    def index(self, metric: str = "COSINE") -> IndexParams:
        found = self.client.prepare_index_params()
        build = {"M": 16, "efConstruction": 200}
        found.add_index("vector", index_type="HNSW", metric_type=metric, params=build)
        return found

    def made(self, one: TeamRow) -> dict[str, object]:
        return {
            "slug": one.id,
            "body": one.body,
            "topic": one.topic,
            "number": one.number,
            "vector": one.vector.tolist(),
        }


class DynamicMilvusTeam(MilvusTeam):
    """The server makes the keys, and metadata stands in the dynamic field."""

    def create(self, *, metric: str = "COSINE", dimensions: int = DIMENSIONS) -> None:
        from pymilvus import DataType, MilvusClient  # noqa: PLC0415 - may not be installed

        schema = MilvusClient.create_schema(auto_id=True, enable_dynamic_field=True)
        schema.add_field("pk", DataType.INT64, is_primary=True)
        schema.add_field("slug", DataType.VARCHAR, max_length=200)
        schema.add_field("body", DataType.VARCHAR, max_length=2_000)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimensions)
        index = self.index(metric)
        self.client.create_collection("articles", schema=schema, index_params=index)

    def write(self, rows: list[dict[str, object]]) -> None:
        self.delete([str(one["slug"]) for one in rows])
        self.client.insert("articles", [{**one, "note": "the team's own"} for one in rows])
