"""A team's own records in Chroma (``beside.sides.TeamRows``)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from repoint.backends.chroma.layouts import content_of, rows_of, text_of, written
from repoint.backends.chroma.server import Server
from repoint.beside.sides import Near, TeamRow, state_of
from repoint.domain.adoption import Layout
from repoint.domain.document import Document
from repoint.domain.ids import DocumentId
from repoint.domain.spec import Distance
from repoint.ports.backend import FloatMatrix, FloatVector

#: Ids of one question, and of one page of their list.
ASKED: Final = 500
LISTED: Final = 50_000


class ChromaTeamRows:
    """The records of one collection of a team's, by the server's id of it."""

    #: The most neighbours that are asked for.
    most = 16_384
    #: Every id is the writer's own.
    keys_are_made = False

    def __init__(
        self,
        server: Server,
        layout: Layout,
        collection: str,
        *,
        distance: Distance = Distance.COSINE,
    ) -> None:
        self._server = server
        self._layout = layout
        self._collection = collection
        self._distance = distance

    def named(
        self,
        documents: Collection[DocumentId],
        keys: Collection[str] = (),
        *,
        with_vectors: bool = False,
    ) -> list[TeamRow]:
        """Return the records of these ids."""
        ids = list(dict.fromkeys([*documents, *keys]))
        found: list[TeamRow] = []
        for start in range(0, len(ids), ASKED):
            found += self._read(ids[start : start + ASKED], with_vectors=with_vectors)
        return found

    def pages(self, *, with_vectors: bool) -> Iterator[list[TeamRow]]:
        """Yield every record whose id was there when it was begun."""
        for ids in self.keys():
            for start in range(0, len(ids), ASKED):
                yield self._read(ids[start : start + ASKED], with_vectors=with_vectors)

    def keys(self) -> Iterator[list[str]]:
        """Yield the id of every record once, from a list that is made at first."""
        found: dict[str, None] = {}
        offset = 0
        while True:
            page = self._server.foreign(
                self._collection, include=[], limit=LISTED, offset=offset
            ).ids
            found |= dict.fromkeys(page)
            offset += len(page)
            if len(page) < LISTED:
                break
        ids = sorted(found)
        for start in range(0, len(ids), LISTED):
            yield ids[start : start + LISTED]

    def nearest(
        self, values: FloatVector, *, limit: int, among: Sequence[str] | None
    ) -> list[Near]:
        """Return the nearest records, by the server's graph."""
        chosen = {} if among is None else {"ids": list(among)}
        found = self._server.nearest(
            self._collection, vector=values.tolist(), limit=limit, **chosen
        )
        columns = (found.ids, found.distances, found.documents, found.metadatas)
        return [
            Near(
                key=key,
                text=text_of(self._layout, text, metadata or {}),
                score=self._score(distance, values),
            )
            for key, distance, text, metadata in zip(*(one[0] for one in columns), strict=True)
        ]

    def count(self) -> int:
        """Return how many records there are."""
        return self._server.count(self._collection)

    def write(
        self,
        documents: Sequence[Document],
        vectors: FloatMatrix,
        before: Mapping[DocumentId, Sequence[TeamRow]],
    ) -> list[tuple[str, str]]:
        """Write documents into records of their ids."""
        texts, metadatas, done = [], [], []
        for document in documents:
            old = next(iter(before.get(document.id, ())), None)
            text, metadata = written(self._layout, document, old.raw if old else {})
            texts.append(text)
            metadatas.append(metadata or None)
            kept = {name: value for name, value in metadata.items() if value is not None}
            done.append((str(document.id), state_of(content_of(self._layout, text, kept))))
        given = [text for text in texts if text is not None]
        self._server.upsert(
            self._collection,
            ids=[document.id for document in documents],
            vectors=vectors,
            metadatas=metadatas,
            documents=given or None,  # all have one, or none
        )
        return done

    def remove(self, keys: Sequence[str]) -> None:
        """Delete records; gone already is no error."""
        ids = list(dict.fromkeys(keys))
        for start in range(0, len(ids), ASKED):
            self._server.remove(self._collection, ids=ids[start : start + ASKED])

    def read(self, ids: Sequence[str]) -> list[TeamRow]:
        """Return records with their vectors, in the order of their ids."""
        found = {row.key: row for row in self.named([], ids, with_vectors=True)}
        return [found[one] for one in ids if one in found]

    def _read(self, ids: Sequence[str], *, with_vectors: bool) -> list[TeamRow]:
        include = ["metadatas", "documents", *(["embeddings"] if with_vectors else [])]
        found = self._server.foreign(self._collection, include=include, ids=ids)
        return list(rows_of(self._layout, found))

    def _score(self, distance: float, values: FloatVector) -> float:
        if self._distance is Distance.L2:
            return -distance
        if self._distance is Distance.COSINE and not np.any(values):
            return 0.0
        return 1.0 - distance
