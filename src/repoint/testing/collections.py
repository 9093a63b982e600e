"""Small collections for tests: entries with vectors, and a place where a backend lives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from repoint.domain.document import Chunk, Entry, Json
from repoint.domain.ids import CollectionName, DocumentId, Fingerprint, Lsn
from repoint.domain.spec import AnnKind, AnnSpec, Distance
from repoint.ports.backend import (
    Backend,
    Collection,
    CollectionSpec,
    Hit,
    SpaceMatrix,
    SpaceVector,
    StoredBatch,
)

SPACE: Final = Fingerprint("a" * 64)
OTHER_SPACE: Final = Fingerprint("b" * 64)
NAME: Final = CollectionName("docs_v1_aaaaaaaaaaaa")


@dataclass(frozen=True, slots=True, kw_only=True)
class RawRow:
    """A row to be written past the backend, as somebody who tampers would."""

    document: str
    slot: int
    lsn: int
    text: str
    #: None stores no vector.
    vector: Sequence[float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the backend under test keeps its collections, empty at first."""

    #: Opens the backend there, at each call a new handle where it can have several.
    opened: Callable[[], Backend]
    #: Adds rows to a collection without its driver; None where nobody could.
    tamper: Callable[[CollectionName, Sequence[RawRow]], None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a document: a text and a vector for each chunk."""

    document: str
    lsn: int
    vectors: Sequence[Sequence[float]] = ()
    texts: Sequence[str] = ()
    slots: int = 1
    metadata: Mapping[str, Json] = field(default_factory=dict)

    def entry(self) -> Entry:
        """Return it as the entry that a collection takes."""
        texts = self.texts or [f"{self.document} {n}" for n in range(len(self.vectors))]
        return Entry(
            document=DocumentId(self.document),
            lsn=Lsn(self.lsn),
            chunks=[Chunk.of(text, start=0, end=len(text)) for text in texts],
            slots=max(self.slots, len(texts)),
            metadata=self.metadata,
        )


def spec(
    *,
    name: CollectionName = NAME,
    fingerprint: Fingerprint = SPACE,
    dimensions: int = 3,
    distance: Distance = Distance.COSINE,
    lexical: bool = False,
) -> CollectionSpec:
    """Return a small collection's spec."""
    return CollectionSpec(
        name=name,
        fingerprint=fingerprint,
        dimensions=dimensions,
        distance=distance,
        ann=AnnSpec(kind=AnnKind.AUTO),
        lexical=lexical,
    )


def put(collection: Collection, *versions: Version) -> None:
    """Write versions of different documents in one call."""
    rows = [vector for version in versions for vector in version.vectors]
    matrix = np.array(rows, dtype=np.float32).reshape(-1, collection.spec.dimensions)
    entries = [version.entry() for version in versions]
    collection.put(entries, SpaceMatrix(collection.spec.fingerprint, matrix))


def query(*values: float, space: Fingerprint = SPACE) -> SpaceVector:
    """Return a query vector."""
    return SpaceVector(space, np.array(values, dtype=np.float32))


def places(hits: Sequence[Hit]) -> list[tuple[str, int]]:
    """Return which chunk each hit is."""
    return [(hit.document, hit.slot) for hit in hits]


def contents(collection: Collection) -> dict[tuple[str, int], int]:
    """Return the LSN of every chunk that a scan yields.

    Raises:
        AssertionError: the scan yields a chunk twice.
    """
    found: dict[tuple[str, int], int] = {}
    for batch in collection.scan():
        for place, lsn in _rows(batch):
            assert place not in found, f"{place} comes twice"
            found[place] = lsn
    return found


def standing(collection: Collection, *documents: str) -> dict[tuple[str, int], int]:
    """Return the LSN of every chunk that stands for these documents."""
    return dict(_rows(collection.stored([DocumentId(d) for d in documents])))


def _rows(batch: StoredBatch) -> list[tuple[tuple[str, int], int]]:
    columns = zip(batch.documents, batch.slots.tolist(), batch.lsns.tolist(), strict=True)
    return [((document, slot), lsn) for document, slot, lsn in columns]
