"""How a collection lies in Milvus: one row a slot, its spec in the collection's properties.

A row's id is made of document and slot, so writing again meets the same row, and ids are
spread evenly, so ranges of them are pages. An emptied slot is a row that no search asks for;
its LSN stands guard.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, TypeAlias

import numpy as np
from pymilvus import DataType, Function, FunctionType, MilvusClient
from pymilvus.milvus_client import IndexParams

from repoint.backends.milvus.filters import fields
from repoint.domain.adoption import layout_of, layout_tree
from repoint.domain.document import Chunk, Entry, digest_of, encoded
from repoint.domain.errors import RowsRefusedError
from repoint.domain.ids import CollectionName, DocumentId, Fingerprint, Lsn
from repoint.domain.spec import AnnKind, AnnSpec, Distance
from repoint.ports.backend import CollectionSpec, FloatMatrix, FloatVector, Hit, StoredBatch

Row: TypeAlias = dict[str, object]

VECTOR: Final = "chunk"
WORDS: Final = "words"
#: What a hit needs, and what a stored row does.
HIT: Final = ("document", "slot", "lsn", "text", "start", "end", "metadata")
STORED: Final = ("document", "slot", "lsn", "digest")
METRICS: Final = {Distance.COSINE: "COSINE", Distance.DOT: "IP", Distance.L2: "L2"}
#: Bytes that a text field may hold.
LONGEST: Final = 65_535
#: Rows and roughly bytes of one call; servers refuse 64 MiB.
MOST_ROWS: Final = 1_000
MOST_BYTES: Final = 8 * 2**20

#: The key of the collection's properties that has the spec.
_SPEC: Final = "repoint"
_HALF: Final = 16**8


class Sealed(str):
    """A text whose only part is itself.

    The client looks at each part of what it is given for a text field, which of a plain text
    are its characters: a sixth of all that this process does to write.
    """

    __slots__ = ()

    def __iter__(self) -> Iterator[str]:
        """Yield the whole."""
        return iter((str(self),))


@dataclass(frozen=True, slots=True)
class Slot:
    """One slot of an entry."""

    entry: Entry
    number: int

    @property
    def chunk(self) -> Chunk | None:
        """Return its chunk, None where it is emptied."""
        filled = self.number < len(self.entry.chunks)
        return self.entry.chunks[self.number] if filled else None


def slots_of(entries: Sequence[Entry]) -> dict[str, Slot]:
    """Return every slot of the entries by row id, filled ones in the order of vectors."""
    return {
        _digest(f"{number}:{entry.document}"): Slot(entry, number)
        for entry in entries
        for number in range(max(entry.slots, len(entry.chunks)))
    }


def owner(document: DocumentId) -> str:
    """Return the short name of a document, by which its rows are found."""
    return _digest(document)


def row(id_: str, slot: Slot, vector: FloatVector) -> Row:
    """Return a slot's row.

    Raises:
        UnsupportedError: the text or the metadata is longer than Milvus can hold.
    """
    entry, chunk = slot.entry, slot.chunk
    metadata = entry.metadata if chunk else {}
    indexed = fields(metadata)
    if indexed:
        fitting(f"metadata of {entry.document}", encoded(indexed))
    return {
        "id": Sealed(id_),
        "document": fitting("a document's id", entry.document),
        "owner": Sealed(owner(entry.document)),
        "slot": slot.number,
        "lsn": entry.lsn,
        "filled": chunk is not None,
        "digest": Sealed(chunk.digest if chunk else ""),
        "text": fitting(f"chunk of {entry.document}", chunk.text if chunk else ""),
        "start": chunk.start if chunk else 0,
        "end": chunk.end if chunk else 0,
        "metadata": fitting(f"metadata of {entry.document}", encoded(metadata)),
        "fields": indexed,
        VECTOR: vector,
    }


def nowhere(dimensions: int) -> FloatVector:
    """Return the vector of an emptied slot: there must be one."""
    vector = np.zeros(dimensions, dtype=np.float32)
    vector[0] = 1.0
    return vector


def parts(rows: Sequence[Row], dimensions: int) -> Iterator[list[Row]]:
    """Yield the rows in parts that one call may carry."""
    part: list[Row] = []
    size = 0
    for one in rows:
        bytes_ = 4 * dimensions + 4 * (len(str(one["text"])) + len(str(one["metadata"])))
        if part and (len(part) == MOST_ROWS or size + bytes_ > MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(one)
        size += bytes_
    if part:
        yield part


def borders(pages: int) -> list[str]:
    """Return the ids between which so many pages lie, the first and the last included."""
    return [*(f"{_HALF * n // pages:08x}" for n in range(pages)), "g"]


def hit(found: Mapping[str, object], score: float) -> Hit:
    """Return a found row as a hit."""
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


def matrix(found: Sequence[Mapping[str, object]], dimensions: int) -> FloatMatrix:
    """Return the vectors of rows."""
    vectors = [one[VECTOR] for one in found]
    return np.array(vectors, dtype=np.float32).reshape(-1, dimensions)


def batch(
    found: Sequence[Mapping[str, object]], dimensions: int, *, with_vectors: bool
) -> StoredBatch:
    """Return rows as a batch; with vectors, digests are taken from the texts that stand."""
    digests = [
        digest_of(str(one["text"])) if with_vectors else str(one["digest"]) for one in found
    ]
    return StoredBatch(
        documents=[DocumentId(str(one["document"])) for one in found],
        slots=np.array([one["slot"] for one in found], dtype=np.int32),
        lsns=np.array([one["lsn"] for one in found], dtype=np.int64),
        digests=digests,
        vectors=matrix(found, dimensions) if with_vectors else None,
    )


def make(client: MilvusClient, name: str, spec: CollectionSpec, *, timeout: float) -> None:
    """Make a collection, neither indexed nor loaded yet."""
    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("id", DataType.VARCHAR, max_length=32, is_primary=True)
    schema.add_field("document", DataType.VARCHAR, max_length=LONGEST)
    schema.add_field("owner", DataType.VARCHAR, max_length=32)
    schema.add_field("slot", DataType.INT32)
    schema.add_field("lsn", DataType.INT64)
    schema.add_field("filled", DataType.BOOL)
    schema.add_field("digest", DataType.VARCHAR, max_length=64)
    analysed = {"enable_analyzer": True} if spec.lexical else {}
    schema.add_field("text", DataType.VARCHAR, max_length=LONGEST, **analysed)
    schema.add_field("start", DataType.INT64)
    schema.add_field("end", DataType.INT64)
    schema.add_field("metadata", DataType.VARCHAR, max_length=LONGEST)
    schema.add_field("fields", DataType.JSON)
    schema.add_field(VECTOR, DataType.FLOAT_VECTOR, dim=spec.dimensions)
    if spec.lexical:
        schema.add_field(WORDS, DataType.SPARSE_FLOAT_VECTOR)
        schema.add_function(
            Function(
                name="bm25",
                function_type=FunctionType.BM25,
                input_field_names=["text"],
                output_field_names=[WORDS],
            )
        )
    client.create_collection(
        name,
        schema=schema,
        consistency_level="Strong",
        properties=properties(spec),
        timeout=timeout,
    )


def properties(spec: CollectionSpec) -> dict[str, str]:
    """Return what a collection carries of its spec."""
    return {_SPEC: json.dumps(_tree(spec))}


def indexes(client: MilvusClient, spec: CollectionSpec) -> dict[str, IndexParams]:
    """Return the index of each field that must have one, which is named like it."""
    kind, build = index_of(spec.ann)
    vectors, words = client.prepare_index_params(), client.prepare_index_params()
    vectors.add_index(
        VECTOR,
        index_name=VECTOR,
        index_type=kind,
        metric_type=METRICS[spec.distance],
        params=build,
    )
    if not spec.lexical:
        return {VECTOR: vectors}
    words.add_index(
        WORDS, index_name=WORDS, index_type="SPARSE_INVERTED_INDEX", metric_type="BM25"
    )
    return {VECTOR: vectors, WORDS: words}


def index_of(ann: AnnSpec) -> tuple[str, dict[str, int]]:
    """Return Milvus' name for the approximate index, and how it is built."""
    given = {name: int(value) for name, value in ann.build.items()}
    if ann.kind is AnnKind.FLAT:
        return "FLAT", {}
    if ann.kind is AnnKind.IVF_FLAT:
        return "IVF_FLAT", {"nlist": given.get("nlist", 1024)}
    return "HNSW", {
        "M": given.get("m", 16),
        "efConstruction": given.get("ef_construction", 200),
    }


def spec_of(described: Mapping[str, object], name: CollectionName) -> CollectionSpec | None:
    """Return the spec that a collection carries, None if it carries none of this name."""
    found = carried(described)
    return found if found is not None and found.name == name else None


def carried(described: Mapping[str, object]) -> CollectionSpec | None:
    """Return the spec that a collection carries, None if it carries none of ours."""
    properties = described.get("properties")
    if not isinstance(properties, Mapping):
        return None
    try:
        tree = json.loads(str(properties[_SPEC]))
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
            lexical=tree["lexical"],
            adopted=layout_of(tree["adopted"]) if tree.get("adopted") else None,
        )
    except (KeyError, ValueError, TypeError):
        return None


def whole(value: object) -> int:
    """Return a number that came as anything."""
    return int(str(value))


def _tree(spec: CollectionSpec) -> dict[str, object]:
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


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def fitting(what: str, text: str) -> str:
    """Return a text, sealed, once it is known that Milvus can hold it.

    Raises:
        RowsRefusedError: it is too long, or no valid Unicode.
    """
    try:
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError as error:
        raise RowsRefusedError(
            driver="milvus",
            why=f"half a surrogate pair is no text ({error.reason})",
        ) from error
    if size > LONGEST:
        raise RowsRefusedError(
            driver="milvus",
            why=f"{size:,} bytes in one field ({what}), at most {LONGEST:,}: "
            "give the release a chunking size",
        )
    return Sealed(text)
