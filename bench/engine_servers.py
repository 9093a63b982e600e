"""Servers that a benchmark starts itself, each with its own client's writer and query.

The writer and the query are those of the vendor's own client, as its documentation shows
them: ``upsert`` and ``query`` of chromadb; ``insert`` and ``search`` of pymilvus, which by
default may read what is up to some seconds old, and its ``upsert``, which alone may be
repeated; ``helpers.bulk`` of opensearch-py, without a refresh, and ``search``.
``REPOINT_MILVUS_URL`` and ``REPOINT_OPENSEARCH_URL`` name servers that are measured besides;
what repoint made there is dropped.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from repoint.domain.document import Document
from repoint.ports.backend import FloatMatrix, FloatVector
from repoint.testing.programs import (
    NoProgramError,
    ProgramServer,
    chroma_command,
    milvus_lite_command,
)

if TYPE_CHECKING:
    from opensearchpy import OpenSearch
    from pymilvus import MilvusClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """A server, and how its own client is used there."""

    #: The lines of its table in ``repoint.toml``.
    table: str
    load: Callable[[Sequence[Document], FloatMatrix], None]
    ask: Callable[[FloatVector], object]
    #: The client's writer that may be repeated, where ``load`` would double what it wrote.
    repeatable: Callable[[Sequence[Document], FloatMatrix], None] | None = None


@contextmanager
def chroma(dimensions: int) -> Iterator[Beside]:
    """Give a Chroma server and its own client."""
    del dimensions  # learned from the first vector
    _require("chromadb")
    with ProgramServer(chroma_command) as server:
        import chromadb  # noqa: PLC0415 - may not be installed

        quiet = chromadb.Settings(anonymized_telemetry=False)
        client = chromadb.HttpClient(host="127.0.0.1", port=server.port, settings=quiet)
        bare = client.create_collection(
            "bare", configuration={"hnsw": {"space": "cosine"}}, embedding_function=None
        )

        def load(part: Sequence[Document], vectors: FloatMatrix) -> None:
            bare.upsert(
                ids=[document.id for document in part],
                embeddings=vectors,
                documents=[document.text for document in part],
                metadatas=[{"kind": str(document.metadata["group"])} for document in part],
            )

        def ask(vector: FloatVector) -> object:
            return bare.query(query_embeddings=[vector], n_results=10)

        yield Beside(table=f'kind = "chroma"\nurl = "{server.url}"', load=load, ask=ask)


@contextmanager
def milvus_lite(dimensions: int) -> Iterator[Beside]:
    """Give milvus-lite as a server, and its own client."""
    _require("pymilvus")
    with ProgramServer(milvus_lite_command) as server, _milvus(server.url, dimensions) as there:
        yield there


@contextmanager
def milvus(dimensions: int) -> Iterator[Beside]:
    """Give the Milvus server that the environment names."""
    _require("pymilvus")
    url = os.environ.get("REPOINT_MILVUS_URL")
    if not url:
        raise NoProgramError("REPOINT_MILVUS_URL is not set")
    with _milvus(url, dimensions) as there:
        yield there


@contextmanager
def _milvus(url: str, dimensions: int) -> Iterator[Beside]:
    from pymilvus import DataType, MilvusClient  # noqa: PLC0415 - may not be installed

    client = MilvusClient(uri=url)
    schema = MilvusClient.create_schema(auto_id=False)
    schema.add_field("id", DataType.VARCHAR, max_length=64, is_primary=True)
    schema.add_field("text", DataType.VARCHAR, max_length=65_535)
    schema.add_field("kind", DataType.VARCHAR, max_length=64)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimensions)
    index = client.prepare_index_params()
    build = {"M": 16, "efConstruction": 200}
    index.add_index("vector", index_type="HNSW", metric_type="COSINE", params=build)
    for name in ("bare", "again"):
        client.create_collection(name, schema=schema, index_params=index)

    def load(part: Sequence[Document], vectors: FloatMatrix) -> None:
        client.insert("bare", _rows(part, vectors))

    def repeatable(part: Sequence[Document], vectors: FloatMatrix) -> None:
        client.upsert("again", _rows(part, vectors))

    def ask(vector: FloatVector) -> object:
        return client.search(
            "bare", [vector.tolist()], limit=10, output_fields=["text", "kind"]
        )

    table = f'kind = "milvus"\nurl = "{url}"'
    try:
        yield Beside(table=table, load=load, ask=ask, repeatable=repeatable)
    finally:
        _dropped(client)
        client.close()


def _rows(part: Sequence[Document], vectors: FloatMatrix) -> list[dict[str, object]]:
    return [
        {
            "id": document.id,
            "text": document.text,
            "kind": str(document.metadata["group"]),
            "vector": vector,
        }
        for document, vector in zip(part, vectors, strict=True)
    ]


def _dropped(client: MilvusClient) -> None:
    """Drop what this benchmark and repoint made there, and nothing else."""
    for name in client.list_collections():
        ours = "repoint" in client.describe_collection(name)["properties"]
        if not ours and name not in {"bare", "again"}:
            continue
        for alias in client.list_aliases(collection_name=name)["aliases"]:
            client.drop_alias(alias)
        client.drop_collection(name)


@contextmanager
def opensearch(dimensions: int) -> Iterator[Beside]:
    """Give the OpenSearch server that the environment names, and its own client."""
    _require("opensearchpy")
    url = os.environ.get("REPOINT_OPENSEARCH_URL")
    if not url:
        raise NoProgramError("REPOINT_OPENSEARCH_URL is not set")
    from opensearchpy import OpenSearch, helpers  # noqa: PLC0415 - may not be installed

    client = OpenSearch(url, timeout=60)
    _emptied(client)
    method = {"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil"}
    vector_field = {"type": "knn_vector", "dimension": dimensions, "method": method}
    client.indices.create(
        index="bare",
        body={
            "settings": {"index": {"knn": True, "number_of_shards": 1}},
            "mappings": {
                "properties": {
                    "text": {"type": "text", "index": False},
                    "kind": {"type": "keyword"},
                    "vector": vector_field,
                }
            },
        },
    )

    def load(part: Sequence[Document], vectors: FloatMatrix) -> None:
        actions = [
            {
                "_index": "bare",
                "_id": document.id,
                "text": document.text,
                "kind": str(document.metadata["group"]),
                "vector": vector.tolist(),
            }
            for document, vector in zip(part, vectors, strict=True)
        ]
        helpers.bulk(client, actions)

    def ask(vector: FloatVector) -> object:
        near = {"vector": {"vector": vector.tolist(), "k": 100}}
        return client.search(
            index="bare", body={"size": 10, "query": {"knn": near}, "_source": ["text", "kind"]}
        )

    try:
        yield Beside(table=f'kind = "opensearch"\nurl = "{url}"', load=load, ask=ask)
    finally:
        _emptied(client)
        client.close()


def _emptied(client: OpenSearch) -> None:
    """Drop what this benchmark and repoint made there, and nothing else."""
    for index, found in client.indices.get_mapping(index="*").items():
        if index == "bare" or "repoint" in found["mappings"].get("_meta", {}):
            client.indices.delete(index=index)


def _require(module: str) -> None:
    if find_spec(module) is None:
        raise NoProgramError(f"{module} is not installed: make servers-test")


SERVERS: Final[Mapping[str, Callable[[int], AbstractContextManager[Beside]]]] = (
    MappingProxyType(
        {
            "chroma": chroma,
            "milvus_lite": milvus_lite,
            "milvus": milvus,
            "opensearch": opensearch,
        }
    )
)
