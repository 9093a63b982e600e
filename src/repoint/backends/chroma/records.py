"""How a collection lies in Chroma: one record a slot, emptied ones in a collection beside it.

Every record must have a vector, and a condition on all of them makes a search slow, so what
is emptied cannot stand among what is searched. Its LSN stands guard in a second collection,
whose name has the first one's id: a collection made anew never meets the guards of another.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias
from uuid import UUID, uuid5

import numpy as np

from repoint.backends.chroma.filters import fields
from repoint.backends.chroma.server import Described, Got, Value
from repoint.domain.adoption import layout_of, layout_tree
from repoint.domain.document import Chunk, Entry, digest_of
from repoint.domain.errors import RowsRefusedError
from repoint.domain.ids import CollectionName, DocumentId, Fingerprint, Lsn
from repoint.domain.spec import AnnKind, AnnSpec, Distance
from repoint.ports.backend import CollectionSpec, FloatMatrix, Hit, StoredBatch

Record: TypeAlias = Mapping[str, Value]

NOTHING: Final[Record] = MappingProxyType({})
#: One more than the largest place among which records are spread evenly.
PLACES: Final = 2**31

_SPACE: Final = UUID("0c6b8f5e-53b5-4f0b-9d2e-8a4c1f7d2b60")
#: The metadata key with the spec, and the one that marks a collection of guards.
_SPEC: Final = "repoint"
_GUARDS: Final = "repoint_guards_of"


@dataclass(frozen=True, slots=True)
class Slot:
    """One slot of an entry, and the record id that is made of document and number."""

    entry: Entry
    number: int

    @property
    def id(self) -> str:
        """Return the record's id: a text without limits, in a form that has some."""
        return str(uuid5(_SPACE, f"{self.number}:{_sound(self.entry.document)}"))

    @property
    def chunk(self) -> Chunk | None:
        """Return its chunk, None where it is emptied."""
        filled = self.number < len(self.entry.chunks)
        return self.entry.chunks[self.number] if filled else None


def slots_of(entries: Sequence[Entry]) -> dict[str, Slot]:
    """Return every slot of the entries by record id, filled ones in the order of vectors."""
    return {
        slot.id: slot
        for entry in entries
        for number in range(max(entry.slots, len(entry.chunks)))
        for slot in (Slot(entry, number),)
    }


def record(id_: str, slot: Slot, *, over: Record = NOTHING) -> dict[str, Value | None]:
    """Return the metadata of a slot's record, filled or emptied.

    A write joins its keys to those ``over`` which it comes, so each that is to go is null.
    """
    entry, chunk = slot.entry, slot.chunk
    common: dict[str, Value | None] = {
        "document": entry.document,
        "slot": slot.number,
        "lsn": entry.lsn,
    }
    if chunk is None:
        return common
    return (
        dict.fromkeys(over)
        | common
        | {
            "place": UUID(id_).int % PLACES,
            "digest": chunk.digest,
            "start": chunk.start,
            "end": chunk.end,
            "metadata": json.dumps(dict(entry.metadata)),
            **fields(entry.metadata),
        }
    )


def guard_vectors(ids: Sequence[str]) -> FloatMatrix:
    """Return small vectors that differ, for records which nobody looks for by vector."""
    rows = [(UUID(one).int >> 16 & 0xFFFF, UUID(one).int & 0xFFFF) for one in ids]
    return np.array(rows, dtype=np.float32).reshape(-1, 2)


def is_ours(found: Record | None) -> bool:
    """Return whether repoint wrote a record."""
    return found is not None and "document" in found and "lsn" in found


def hits(
    found: Sequence[Record | None], texts: Sequence[str | None], scores: Sequence[float]
) -> list[Hit]:
    """Return found records as hits, best first; one that somebody else wrote is none."""
    rows = zip(found, texts, scores, strict=True)
    best = [_hit(row, text, score) for row, text, score in rows if row and is_ours(row)]
    return sorted(best, key=lambda one: (-one.score, one.document, one.slot))


def _hit(found: Record, text: str | None, score: float) -> Hit:
    return Hit(
        document=DocumentId(str(found["document"])),
        slot=int(found["slot"]),
        lsn=Lsn(int(found["lsn"])),
        score=score,
        text=text or "",
        start=int(found["start"]),
        end=int(found["end"]),
        metadata=json.loads(str(found["metadata"])),
    )


def batch(got: Got, dimensions: int, *, with_vectors: bool) -> StoredBatch:
    """Return records as rows; with vectors, digests are taken from the texts that stand."""
    rows = [row for row in got.metadatas or [] if row]
    digests = [str(row["digest"]) for row in rows]
    vectors = None
    if with_vectors:
        digests = [digest_of(text or "") for text in got.documents or []]
        vectors = np.array(got.embeddings or [], dtype=np.float32).reshape(-1, dimensions)
    return StoredBatch(
        documents=[DocumentId(str(row["document"])) for row in rows],
        slots=np.array([row["slot"] for row in rows], dtype=np.int32),
        lsns=np.array([row["lsn"] for row in rows], dtype=np.int64),
        digests=digests,
        vectors=vectors,
    )


def metadata_of(spec: CollectionSpec) -> dict[str, Value]:
    """Return what the collection carries of its spec."""
    tree: dict[str, object] = {
        "name": spec.name,
        "fingerprint": spec.fingerprint,
        "dimensions": spec.dimensions,
        "distance": spec.distance.value,
        "ann": {
            "kind": spec.ann.kind.value,
            "build": dict(spec.ann.build),
            "search": dict(spec.ann.search),
        },
    }
    if spec.adopted is not None:
        tree["adopted"] = layout_tree(spec.adopted)
    return {_SPEC: json.dumps(tree)}


def spec_of(described: Described) -> CollectionSpec | None:
    """Return the spec that a collection carries, None if it carries none of ours."""
    try:
        tree = json.loads(str((described.metadata or {})[_SPEC]))
        if tree["name"] != described.name:
            return None
        return CollectionSpec(
            name=CollectionName(tree["name"]),
            fingerprint=Fingerprint(tree["fingerprint"]),
            dimensions=tree["dimensions"],
            distance=Distance(tree["distance"]),
            ann=AnnSpec(
                kind=AnnKind(tree["ann"]["kind"]),
                build=tree["ann"]["build"],
                search=tree["ann"]["search"],
            ),
            lexical=False,
            adopted=layout_of(tree["adopted"]) if tree.get("adopted") else None,
        )
    except (KeyError, ValueError, TypeError):
        return None


def guards_name(collection: str) -> str:
    """Return the name of the guards of the collection with this id."""
    return f"repoint-guards-{collection}"


def guards_metadata(name: CollectionName) -> dict[str, Value]:
    """Return what a collection of guards carries."""
    return {_GUARDS: name}


def guards_of(described: Described) -> str | None:
    """Return the name of the collection whose guards these are, None if they are none."""
    name = (described.metadata or {}).get(_GUARDS)
    return str(name) if name is not None else None


def _sound(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RowsRefusedError(
            driver="chroma",
            why=f"half a surrogate pair is no text ({error.reason})",
        ) from error
    return text
