"""How a collection lies in Qdrant: one point a slot, its spec in the collection's metadata.

A point's id is made of document and slot, so writing again meets the same point. An emptied
slot is a point without a vector, which no search finds; its LSN stands guard. For cosine
Qdrant keeps vectors at length 1, so their own length stands beside them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias
from uuid import UUID, uuid5

import numpy as np
from qdrant_client import models

from repoint.backends.qdrant.filters import fields
from repoint.domain.adoption import layout_of, layout_tree
from repoint.domain.document import Chunk, Entry, digest_of, encoded
from repoint.domain.errors import RowsRefusedError
from repoint.domain.ids import CollectionName, DocumentId, Fingerprint, Lsn
from repoint.domain.spec import AnnKind, AnnSpec, Distance
from repoint.ports.backend import CollectionSpec, FloatMatrix, FloatVector, Hit, StoredBatch

Payload: TypeAlias = Mapping[str, object]

#: The vector's name: only one that has a name may be left out.
VECTOR: Final = "chunk"
#: The payload field whose words are ranked where the spec is lexical; emptied slots lack it.
WORDS: Final = "text"
#: What a hit needs, and what a stored row does.
HIT: Final = ("document", "slot", "lsn", "text", "start", "end", "metadata")
STORED: Final = ("document", "slot", "lsn", "digest")

_SPACE: Final = UUID("6f5cfa38-8c5f-4d0c-a8a5-1d2f3f0e7a52")


def filled() -> models.FieldCondition:
    """Return the condition of a slot that is not emptied."""
    return models.FieldCondition(key="filled", match=models.MatchValue(value=True))


def upserts(
    spec: CollectionSpec, entries: Sequence[Entry], matrix: FloatMatrix
) -> list[models.UpsertOperation]:
    """Return one operation a document: its points, each unless a higher LSN stands there."""
    vectors = iter(matrix)
    lengths = iter(lengths_of(spec, matrix))
    operations = []
    for entry in entries:
        points = [
            _point(entry, slot, chunk, next(vectors), float(next(lengths)))
            for slot, chunk in enumerate(entry.chunks)
        ]
        points += [_emptied(entry, slot) for slot in range(len(entry.chunks), entry.slots)]
        if points:
            not_newer = models.FieldCondition(key="lsn", range=models.Range(lte=entry.lsn))
            listed = models.PointsList(
                points=points, update_filter=models.Filter(must=[not_newer])
            )
            operations.append(models.UpsertOperation(upsert=listed))
    return operations


def hit(payload: Payload, score: float) -> Hit:
    """Return a found point as a hit."""
    return Hit(
        document=DocumentId(str(payload["document"])),
        slot=_whole(payload["slot"]),
        lsn=Lsn(_whole(payload["lsn"])),
        score=score,
        text=str(payload["text"]),
        start=_whole(payload["start"]),
        end=_whole(payload["end"]),
        metadata=json.loads(str(payload["metadata"])),
    )


def batch(
    found: Sequence[models.Record],
    dimensions: int,
    *,
    with_vectors: bool,
    using: str = VECTOR,
) -> StoredBatch:
    """Return points as rows; with vectors, digests are taken from the texts that stand."""
    rows: list[Payload] = [record.payload for record in found]
    digests = [str(row["digest"]) for row in rows]
    vectors = None
    if with_vectors:
        digests = [digest_of(str(row["text"])) for row in rows]
        vectors = np.full((len(rows), dimensions), np.nan, dtype=np.float32)
        for place, record in enumerate(found):
            stored = (record.vector or {}).get(using)
            if stored is not None:
                vectors[place] = np.asarray(stored, dtype=np.float32) * record.payload["length"]
    return StoredBatch(
        documents=[DocumentId(str(row["document"])) for row in rows],
        slots=np.array([row["slot"] for row in rows], dtype=np.int32),
        lsns=np.array([row["lsn"] for row in rows], dtype=np.int64),
        digests=digests,
        vectors=vectors,
    )


def metadata_of(spec: CollectionSpec) -> dict[str, object]:
    """Return what the collection carries of its spec."""
    return {"repoint": tree_of(spec)}


def tree_of(spec: CollectionSpec) -> dict[str, object]:
    """Return a spec as plain values."""
    return {
        "name": spec.name,
        "fingerprint": spec.fingerprint,
        "dimensions": spec.dimensions,
        "distance": spec.distance.value,
        "ann": {
            "kind": spec.ann.kind.value,
            "build": dict(spec.ann.build),
            "search": dict(spec.ann.search),
        },
        "lexical": spec.lexical,
        **({"adopted": layout_tree(spec.adopted)} if spec.adopted else {}),
    }


def spec_of(
    metadata: Mapping[str, object] | None, name: CollectionName
) -> CollectionSpec | None:
    """Return the spec that a collection carries, None if it carries none of ours."""
    try:
        tree = json.loads(json.dumps((metadata or {})["repoint"]))
        if tree["name"] != name:
            return None
        return CollectionSpec(
            name=name,
            fingerprint=Fingerprint(tree["fingerprint"]),
            dimensions=tree["dimensions"],
            distance=Distance(tree["distance"]),
            ann=AnnSpec(
                kind=AnnKind(tree["ann"]["kind"]),
                build=tree["ann"]["build"],
                search=tree["ann"]["search"],
            ),
            lexical=tree.get("lexical", False),
            adopted=layout_of(tree["adopted"]) if tree.get("adopted") else None,
        )
    except (KeyError, ValueError, TypeError):
        return None


def content_of(entry: Entry, chunk: Chunk) -> dict[str, object]:
    """Return what a chunk's payload holds besides its place, its position and its vector."""
    return {
        "digest": chunk.digest,
        "text": _sound(chunk.text),
        "start": chunk.start,
        "end": chunk.end,
        "metadata": _sound(encoded(entry.metadata)),
        **fields(entry.metadata),
    }


def id_of(document: DocumentId, slot: int) -> str:
    """Return the id of a slot's point."""
    return str(uuid5(_SPACE, f"{slot}:{_sound(document)}"))


def lengths_of(spec: CollectionSpec, matrix: FloatMatrix) -> list[float]:
    """Return what each vector that comes back is multiplied with to be what was given."""
    if spec.distance is not Distance.COSINE:
        return [1.0] * len(matrix)
    return [float(length) for length in np.linalg.norm(matrix, axis=1)]


def _point(
    entry: Entry, slot: int, chunk: Chunk, vector: FloatVector, length: float
) -> models.PointStruct:
    return models.PointStruct(
        id=id_of(entry.document, slot),
        vector={VECTOR: vector.tolist()},
        payload={
            "document": entry.document,
            "slot": slot,
            "lsn": entry.lsn,
            "filled": True,
            "length": length,
            **content_of(entry, chunk),
        },
    )


def _emptied(entry: Entry, slot: int) -> models.PointStruct:
    return models.PointStruct(
        id=id_of(entry.document, slot),
        vector={},
        payload={
            "document": entry.document,
            "slot": slot,
            "lsn": entry.lsn,
            "filled": False,
        },
    )


def _sound(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RowsRefusedError(
            driver="qdrant",
            why=f"half a surrogate pair is no text ({error.reason})",
        ) from error
    return text


def _whole(value: object) -> int:
    return int(str(value))
