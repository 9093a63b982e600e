"""A team with a collection of its own in Qdrant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, uuid5

import numpy as np

from repoint.ports.adoption import Wish
from repoint.ports.backend import Backend
from repoint.ports.settings import BackendSettings
from repoint.testing.team import DIMENSIONS, TeamRow

if TYPE_CHECKING:
    from qdrant_client import QdrantClient, models


class QdrantTeam:
    """The team's own code; in local mode it is in repoint's process and shares its client."""

    wish = Wish(
        collection="articles", id_field="slug", text_field="body", metadata=("topic", "number")
    )

    def __init__(self, client: QdrantClient, folder: Path) -> None:
        self.client = client
        self.folder = folder

    @property
    def table(self) -> str:
        return 'kind = "qdrant"\nalias_prefix = "search_"'

    def backend(self) -> Backend:
        from repoint.backends.qdrant import QdrantDriver  # noqa: PLC0415 - loads the library

        return QdrantDriver.from_settings(BackendSettings(name="main", folder=self.folder))

    def put(self, rows: Iterable[TeamRow]) -> None:
        from qdrant_client import models  # noqa: PLC0415 - as above

        if not self.client.collection_exists("articles"):
            params = models.VectorParams(size=DIMENSIONS, distance=models.Distance.COSINE)
            self.client.create_collection("articles", vectors_config=params)
        self.client.upsert(
            "articles",
            [
                models.PointStruct(
                    id=str(uuid5(NAMESPACE_URL, one.id)),
                    vector=one.vector.tolist(),
                    payload={
                        "slug": one.id,
                        "body": one.body,
                        "topic": one.topic,
                        "number": one.number,
                        "note": "the team's own",
                    },
                )
                for one in rows
            ],
        )

    def delete(self, ids: Sequence[str]) -> None:
        from qdrant_client import models  # noqa: PLC0415 - as above

        among = models.FieldCondition(key="slug", match=models.MatchAny(any=list(ids)))
        self.client.delete("articles", models.Filter(must=[among]))

    def copied(self, name: str) -> models.Record:
        """Return a whole point, with all that anybody put into it."""
        place = str(uuid5(NAMESPACE_URL, name))
        (found,) = self.client.retrieve("articles", [place], with_vectors=True)
        return found

    def restore(self, point: models.Record) -> None:
        """Write a point as it was copied."""
        from qdrant_client import models  # noqa: PLC0415 - as above

        whole = models.PointStruct(id=point.id, vector=point.vector, payload=point.payload)
        self.client.upsert("articles", [whole])

    def rows(self) -> Mapping[str, TeamRow]:
        found, _ = self.client.scroll("articles", limit=10_000, with_vectors=True)
        return {
            one.payload["slug"]: TeamRow(
                id=one.payload["slug"],
                body=one.payload["body"],
                topic=one.payload["topic"] or "",
                number=one.payload["number"],
                vector=np.array(one.vector, dtype=np.float32),
            )
            for one in found
        }
