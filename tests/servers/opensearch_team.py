"""A team with an index of its own in OpenSearch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from repoint.ports.adoption import Wish
from repoint.ports.backend import Backend
from repoint.ports.settings import BackendSettings
from repoint.testing.team import DIMENSIONS, TeamRow

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

INDEX = "articles"
PROPERTIES: Mapping[str, object] = {
    "slug": {"type": "keyword"},
    "body": {"type": "text"},
    "topic": {"type": "keyword"},
    "number": {"type": "integer"},
    "note": {"type": "keyword"},
    "embedding": {
        "type": "knn_vector",
        "dimension": DIMENSIONS,
        "method": {"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil"},
    },
}


class OpenSearchTeam:
    """The team's own code; its mapping is strict, and its index has two shards."""

    wish = Wish(
        collection=INDEX, id_field="slug", text_field="body", metadata=("topic", "number")
    )

    def __init__(self, client: OpenSearch, url: str, *, own_ids: bool = False) -> None:
        self.client = client
        self.url = url
        self.own_ids = own_ids

    @property
    def table(self) -> str:
        return f'kind = "opensearch"\nurl = "{self.url}"\nalias_prefix = "search_"'

    def backend(self) -> Backend:
        from repoint.backends.opensearch import OpenSearchDriver  # noqa: PLC0415 - the library

        settings = BackendSettings(name="main", folder=Path(), url=self.url)
        return OpenSearchDriver.from_settings(settings)

    def make(
        self,
        name: str = INDEX,
        *,
        shards: int = 2,
        settings: Mapping[str, object] | None = None,
    ) -> None:
        index = {"knn": True, "number_of_shards": shards, "number_of_replicas": 0}
        body = {
            "settings": {"index": {**index, **(settings or {})}},
            "mappings": {"dynamic": "strict", "properties": PROPERTIES},
        }
        self.client.indices.create(index=name, body=body)

    def put(self, rows: Iterable[TeamRow]) -> None:
        if not self.client.indices.exists(index=INDEX):
            self.make()
        lines: list[object] = []
        for one in rows:
            source = {
                "slug": one.id,
                "body": one.body,
                "topic": one.topic,
                "number": one.number,
                "note": "the team's own",
            }
            if one.vector.any():  # the engine takes none without a direction
                source["embedding"] = one.vector.tolist()
            lines += [{"index": {"_index": INDEX, "_id": self.id_of(one.id)}}, source]
        answer = self.client.bulk(body=lines, params={"refresh": "true"})
        assert not answer["errors"], answer

    def delete(self, ids: Sequence[str]) -> None:
        query = {"query": {"terms": {"slug": list(ids)}}}
        self.client.delete_by_query(index=INDEX, body=query, params={"refresh": "true"})

    def rows(self) -> Mapping[str, TeamRow]:
        self.client.indices.refresh(index=INDEX)
        found = self.client.search(index=INDEX, body={"size": 10_000})["hits"]["hits"]
        sources = [one["_source"] for one in found]
        return {
            one["slug"]: TeamRow(
                id=one["slug"],
                body=one["body"],
                topic=one.get("topic") or "",
                number=one["number"],
                vector=np.array(one.get("embedding", [0] * DIMENSIONS), dtype=np.float32),
            )
            for one in sources
        }

    def id_of(self, name: str) -> str:
        return name if self.own_ids else f"article {name}"
