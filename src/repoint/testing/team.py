"""A team with a collection of its own, as the suites of adoption need one.

``Team`` is what a backend's tests bring: their own code for the database, without repoint.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from repoint.domain.document import Json
from repoint.domain.ids import Fingerprint
from repoint.domain.spec import ModelSpec, ReleaseSpec
from repoint.embedders.hashing import HashingEmbedder
from repoint.operations.embedding import Embedding
from repoint.ports.adoption import Wish
from repoint.ports.backend import Backend

DIMENSIONS: Final = 64
#: How the team's vectors are made.
SPEC: Final = ReleaseSpec(
    model=ModelSpec(provider="hashing", dimensions=DIMENSIONS), backend="main"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamRow:
    """One row of the team's collection."""

    id: str
    body: str
    topic: str
    number: int
    vector: npt.NDArray[np.float32]

    def same(self, other: TeamRow) -> bool:
        """Return whether it is bit for bit the same row."""
        mine = (self.id, self.body, self.topic, self.number, self.vector.tobytes())
        return mine == (other.id, other.body, other.topic, other.number, other.vector.tobytes())

    def like(self, other: TeamRow) -> bool:
        """Return whether it is the same row, for databases that keep vectors at length 1."""
        mine = (self.id, self.body, self.topic, self.number)
        close = bool(np.allclose(self.vector, other.vector, rtol=0, atol=1e-6))
        return close and mine == (other.id, other.body, other.topic, other.number)


class Team(Protocol):
    """A collection with the fields ``id``, ``body``, ``topic``, ``number`` and a vector."""

    @property
    def table(self) -> str:
        """The lines of the backend's table in ``repoint.toml``."""
        ...

    @property
    def wish(self) -> Wish:
        """What the team says of its collection."""
        ...

    def backend(self) -> Backend:
        """Return the backend of ``table``, opened."""
        ...

    def put(self, rows: Iterable[TeamRow]) -> None:
        """Write rows with the team's own code; make the collection if it is not there."""
        ...

    def delete(self, ids: Sequence[str]) -> None:
        """Delete rows with the team's own code."""
        ...

    def rows(self) -> Mapping[str, TeamRow]:
        """Return the rows as the team's own code reads them."""
        ...


def row(name: str, body: str, *, topic: str = "", number: int = 0) -> TeamRow:
    """Return a row as the team's own code makes it."""
    (vector,) = vectors([body]) if body.strip() else np.zeros((1, DIMENSIONS), np.float32)
    return TeamRow(id=name, body=body, topic=topic, number=number, vector=vector)


def row_of(name: str, document: Mapping[str, Json]) -> TeamRow:
    """Return a document as a row."""
    metadata = document["metadata"]
    assert isinstance(metadata, dict)
    return row(
        name,
        str(document["text"]),
        topic=str(metadata["topic"]),
        number=int(str(metadata["number"])),
    )


def vectors(texts: Sequence[str], spec: ReleaseSpec = SPEC) -> npt.NDArray[np.float32]:
    """Return what the team's model makes of texts."""
    model = HashingEmbedder(dimensions=spec.model.dimensions)
    embedding = Embedding(spec.model, model, Fingerprint("the team"))
    return embedding.documents(texts).values
