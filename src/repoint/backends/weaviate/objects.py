"""How chunks lie in a class: one object a slot, its id made of document and slot.

An emptied slot is an object without vector, text and part, which no search finds; its LSN
stands guard.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias
from uuid import UUID

import numpy as np
from weaviate.classes.data import DataObject
from weaviate.collections.classes.internal import ReferenceInputs
from weaviate.collections.classes.types import WeaviateField, WeaviateProperties

from repoint.backends.weaviate.classes import GUARD, RELEASE
from repoint.backends.weaviate.filters import PART, PARTS, fields
from repoint.backends.weaviate.names import (
    document_key,
    field_name,
    object_id,
    sound,
    vector_name,
)
from repoint.domain.document import Chunk, Entry, digest_of, encoded
from repoint.domain.ids import DocumentId, Lsn
from repoint.ports.backend import CollectionSpec, FloatMatrix, FloatVector, Hit, StoredBatch

Properties: TypeAlias = Mapping[str, object]
Written: TypeAlias = DataObject[WeaviateProperties, ReferenceInputs | None]

#: What a hit needs, and what a stored row does.
HIT: Final = ("document", "slot", "lsn", "text", "start", "end", "metadata")
STORED: Final = ("document", "slot", "lsn", "digest", GUARD)


def written(
    spec: CollectionSpec,
    entries: Sequence[Entry],
    matrix: FloatMatrix,
    *,
    standing: Mapping[UUID, int],
    field: str = "",
) -> Iterator[Written]:
    """Yield what is to be written: each slot, unless a higher LSN stands there.

    With a field, of a class that releases share, objects say whose they are.
    """
    vectors = iter(matrix)
    using = field_name(field) if field else vector_name(spec.fingerprint)
    whose: dict[str, WeaviateField] = {RELEASE: field} if field else {}
    for entry in entries:
        key = document_key(entry.document)
        for slot in range(max(entry.slots, len(entry.chunks))):
            chunk = entry.chunks[slot] if slot < len(entry.chunks) else None
            vector = None if chunk is None else next(vectors)
            place = object_id(entry.document, slot, field=field)
            if standing.get(place, -1) > entry.lsn:
                continue
            held: dict[str, WeaviateField] = {
                **whose,
                "document": entry.document,
                "key": key,
                "slot": slot,
                "lsn": entry.lsn,
            }
            if chunk is None or vector is None:
                yield DataObject(uuid=place, properties={**held, GUARD: entry.lsn})
            else:
                yield DataObject(
                    uuid=place,
                    properties={
                        **held,
                        **_chunk(chunk, entry),
                        PART: place.int % PARTS,
                    },
                    vector={using: vector.tolist()},
                )


def stored_names(*, with_vectors: bool) -> tuple[str, ...]:
    """Return the properties of a stored row; with its vector, its text gives the digest."""
    return (*STORED, "text") if with_vectors else STORED


def hit(found: Properties, score: float) -> Hit:
    """Return a found object as a hit."""
    return Hit(
        document=DocumentId(str(found["document"])),
        slot=whole(found["slot"]),
        lsn=Lsn(whole(found["lsn"])),
        score=score,
        text=str(found["text"]),
        start=whole(found["start"]),
        end=whole(found["end"]),
        metadata=json.loads(str(found["metadata"])),
    )


def batch(
    rows: Sequence[tuple[Properties, FloatVector | None]],
    dimensions: int,
    *,
    with_vectors: bool,
) -> StoredBatch:
    """Return objects as rows; with vectors, digests are taken from the texts that stand."""
    digests = [str(row["digest"]) for row, _ in rows]
    vectors = None
    if with_vectors:
        digests = [digest_of(str(row["text"])) for row, _ in rows]
        vectors = np.full((len(rows), dimensions), np.nan, dtype=np.float32)
        for place, (_, vector) in enumerate(rows):
            if vector is not None and vector.shape == (dimensions,):
                vectors[place] = vector
    return StoredBatch(
        documents=[DocumentId(str(row["document"])) for row, _ in rows],
        slots=np.array([whole(row["slot"]) for row, _ in rows], dtype=np.int32),
        lsns=np.array([whole(row["lsn"]) for row, _ in rows], dtype=np.int64),
        digests=digests,
        vectors=vectors,
    )


def whole(value: object) -> int:
    """Return a whole number, which comes back as one or as a double."""
    return int(float(str(value)))


def _chunk(chunk: Chunk, entry: Entry) -> dict[str, WeaviateField]:
    return {
        "digest": chunk.digest,
        "text": sound(chunk.text),
        "start": chunk.start,
        "end": chunk.end,
        "metadata": sound(encoded(entry.metadata)),
        **fields(entry.metadata),
    }
