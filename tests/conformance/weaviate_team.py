"""A team with a class of its own in Weaviate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from uuid import NAMESPACE_URL, uuid5

import numpy as np
from tests.fakes.weaviate_peer.peer import Peer
from weaviate import WeaviateClient
from weaviate.classes.data import DataObject
from weaviate.classes.query import Filter

from repoint.backends.weaviate.backend import WeaviateBackend
from repoint.ports.adoption import Wish
from repoint.ports.backend import Backend
from repoint.testing.team import TeamRow

CLASS = "Articles"


class WeaviateTeam:
    """The team's own code: the client's. Its vectors have a name, or none."""

    def __init__(self, peer: Peer, client: WeaviateClient, *, vector: str = "body") -> None:
        self.peer = peer
        self.client = client
        self.vector = vector
        self.wish = Wish(
            collection=CLASS, id_field="slug", text_field="body", metadata=("topic", "number")
        )
        self.opened: list[WeaviateBackend] = []

    @property
    def table(self) -> str:
        key = 'api_key_env = "TEAM_WEAVIATE_KEY"\n' if self.peer.key else ""
        return (
            f'kind = "weaviate"\nurl = "{self.peer.url}"\n{key}alias_prefix = "Search_"\n'
            f'[backends.main.options]\ngrpc = "{self.peer.grpc}"'
        )

    def backend(self) -> Backend:
        self.opened.append(self.peer.backend())
        return self.opened[-1]

    def make(self) -> None:
        kinds = {
            "slug": "text",
            "body": "text",
            "topic": "text",
            "number": "int",
            "note": "text",
        }
        hnsw = {"vectorIndexType": "hnsw"}
        named = {self.vector: {"vectorizer": {"none": {}}, **hnsw}}
        self.client.collections.create_from_dict(
            {
                "class": CLASS,
                "properties": [{"name": n, "dataType": [kind]} for n, kind in kinds.items()],
                **({"vectorConfig": named} if self.vector else {"vectorizer": "none", **hnsw}),
            }
        )

    def put(self, rows: Iterable[TeamRow]) -> None:
        if not self.client.collections.exists(CLASS):
            self.make()
        done = self.client.collections.use(CLASS).data.insert_many(
            [
                DataObject(
                    uuid=uuid5(NAMESPACE_URL, one.id),
                    properties={
                        "slug": one.id,
                        "body": one.body,
                        "topic": one.topic,
                        "number": one.number,
                        "note": "the team's own",
                    },
                    vector={self.vector: one.vector.tolist()}
                    if self.vector
                    else one.vector.tolist(),
                )
                for one in rows
            ]
        )
        assert not done.has_errors, done.errors

    def rename(self, name: str, other: str) -> None:
        """Give a row another id."""
        place = uuid5(NAMESPACE_URL, name)
        self.client.collections.use(CLASS).data.update(place, properties={"slug": other})

    def delete(self, ids: Sequence[str]) -> None:
        named = Filter.by_id().contains_any([uuid5(NAMESPACE_URL, one) for one in ids])
        self.client.collections.use(CLASS).data.delete_many(named)

    def rows(self) -> Mapping[str, TeamRow]:
        found = self.client.collections.use(CLASS).query.fetch_objects(
            limit=9_999, include_vector=True
        )
        return {
            str(one.properties["slug"]): TeamRow(
                id=str(one.properties["slug"]),
                body=str(one.properties["body"]),
                topic=str(one.properties["topic"] or ""),
                number=int(str(one.properties["number"])),
                vector=np.array(one.vector[self.vector or "default"], dtype=np.float32),
            )
            for one in found.objects
        }

    def close(self) -> None:
        for backend in self.opened:
            backend.close()
