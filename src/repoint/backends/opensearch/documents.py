"""How a collection lies in OpenSearch: one document a slot, its spec in the mapping.

A document's id is made of our document's and the slot, so writing again meets the same one;
its version is the LSN, so the database itself refuses an older one. An emptied slot is a
document without a vector, which no search finds; its version stands guard.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Final, TypeAlias

import numpy as np

from repoint.backends.opensearch.filters import KINDS, fields
from repoint.domain.adoption import layout_of, layout_tree
from repoint.domain.document import Entry, digest_of, encoded
from repoint.domain.errors import RowsRefusedError
from repoint.domain.ids import CollectionName, DocumentId, Fingerprint, Lsn
from repoint.domain.spec import AnnKind, AnnSpec, Distance
from repoint.ports.backend import CollectionSpec, FloatMatrix, FloatVector, Hit, StoredBatch

Source: TypeAlias = dict[str, object]

VECTOR: Final = "chunk"
#: What a hit needs, and what a stored row does.
HIT: Final = ("document", "slot", "lsn", "text", "start", "end", "metadata")
STORED: Final = ("document", "slot", "lsn", "digest")
SPACES: Final = {
    Distance.COSINE: "cosinesimil",
    Distance.DOT: "innerproduct",
    Distance.L2: "l2",
}
#: Bytes of a text that can be compared: an id, or a metadata field's.
LONGEST: Final = 32_766
#: Documents and roughly bytes of one request; servers refuse 100 MB.
MOST_DOCUMENTS: Final = 1_000
MOST_BYTES: Final = 8 * 2**20

_SPEC: Final = "repoint"


def physical(name: str) -> str:
    """Return a name without capitals, which an index of OpenSearch cannot have."""
    return re.sub(r"[A-Z]", lambda found: f"x{ord(found[0]):x}.", name)


def made_of(spec: CollectionSpec) -> dict[str, object]:
    """Return the settings and the mapping of a collection's index."""
    build = {name: int(value) for name, value in spec.ann.build.items()}
    templates = [
        {kind: {"path_match": f"fields.{prefix}*", "mapping": {"type": kind}}}
        for prefix, kind in KINDS.values()
    ]
    method = {
        "name": "hnsw",
        "engine": "lucene",
        "space_type": SPACES[spec.distance],
        "parameters": {"m": 16, "ef_construction": 100, **build},
    }
    stored = {"type": "keyword", "index": False, "doc_values": False}
    return {
        "settings": {
            "index": {
                "knn": True,
                "number_of_shards": 1,  # more would each rank words by their own part
                "gc_deletes": "0s",  # what was purged may be written again
                "mapping.total_fields.limit": 10_000,
            }
        },
        "mappings": {
            "_meta": meta_of(spec),
            "dynamic": False,
            "dynamic_templates": templates,
            "properties": {
                "document": {"type": "keyword"},
                "slot": {"type": "integer"},
                "lsn": {"type": "long"},
                "filled": {"type": "boolean"},
                "digest": stored,
                "text": {"type": "text", "index": spec.lexical},
                "start": stored,
                "end": stored,
                "metadata": stored,
                "zero": {"type": "boolean"},
                "fields": {"type": "object", "dynamic": True},
                VECTOR: {
                    "type": "knn_vector",
                    "dimension": spec.dimensions,
                    "method": method,
                },
            },
        },
    }


def meta_of(spec: CollectionSpec) -> dict[str, object]:
    """Return what a mapping says of the collection, for ``spec_of``."""
    return {_SPEC: _tree(spec)}


def spec_of(mapping: Mapping[str, object]) -> CollectionSpec | None:
    """Return the spec that an index carries, None if it carries none of ours."""
    try:
        tree = json.loads(json.dumps(mapping))["_meta"][_SPEC]
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


def documents_of(
    spec: CollectionSpec, entries: Sequence[Entry], matrix: FloatMatrix
) -> dict[str, Source]:
    """Return every slot of the entries as a document, by its id.

    Raises:
        RowsRefusedError: a text is no valid Unicode, or longer than can be compared.
    """
    vectors = iter(matrix)
    cosine = spec.distance is Distance.COSINE
    found: dict[str, Source] = {}
    for entry in entries:
        metadata = encoded(entry.metadata)
        compared = fields(entry.metadata)
        for text in (entry.document, *(v for v in compared.values() if isinstance(v, str))):
            _comparable(entry.document, text)
        for number in range(max(entry.slots, len(entry.chunks))):
            source: Source = {
                "document": entry.document,
                "slot": number,
                "lsn": entry.lsn,
                "filled": number < len(entry.chunks),
            }
            if number < len(entry.chunks):
                chunk, vector = entry.chunks[number], next(vectors)
                source |= {
                    "digest": chunk.digest,
                    "text": sound(chunk.text),
                    "start": chunk.start,
                    "end": chunk.end,
                    "metadata": sound(metadata),
                    "fields": compared,
                }
                # Without a direction there is nothing to compare: the index refuses it.
                zero = cosine and not np.any(vector)
                source |= {"zero": True} if zero else {VECTOR: vector.tolist()}
            found[id_of(entry.document, number)] = source
    return found


def requests(documents: Mapping[str, Source], index: str) -> Iterator[list[Source]]:
    """Yield the lines of bulk requests, each no longer than a server takes."""
    lines: list[Source] = []
    size = 0
    for id_, source in documents.items():
        vector = source.get(VECTOR)
        bytes_ = 12 * len(vector) if isinstance(vector, list) else 0
        bytes_ += 2 * len(str(source.get("text", ""))) + 2 * len(
            str(source.get("metadata", ""))
        )
        if lines and (len(lines) == 2 * MOST_DOCUMENTS or size + bytes_ > MOST_BYTES):
            yield lines
            lines, size = [], 0
        put = {"_index": index, "_id": id_, "version": source["lsn"]}
        lines += [{"index": {**put, "version_type": "external_gte"}}, source]
        size += bytes_
    if lines:
        yield lines


def hit(source: Mapping[str, object], score: float) -> Hit:
    """Return a found document as a hit."""
    return Hit(
        document=DocumentId(str(source["document"])),
        slot=int(str(source["slot"])),
        lsn=Lsn(int(str(source["lsn"]))),
        score=score,
        text=str(source["text"]),
        start=int(str(source["start"])),
        end=int(str(source["end"])),
        metadata=json.loads(str(source["metadata"])),
    )


def batch(
    found: Sequence[Mapping[str, object]], dimensions: int, *, with_vectors: bool
) -> StoredBatch:
    """Return documents as rows; with vectors, digests are taken from the texts that stand."""
    digests = [
        digest_of(str(one["text"])) if with_vectors else str(one["digest"]) for one in found
    ]
    vectors = None
    if with_vectors:
        vectors = np.full((len(found), dimensions), np.nan, dtype=np.float32)
        for place, one in enumerate(found):
            if one.get("zero") or VECTOR in one:
                vectors[place] = _vector(one)
    return StoredBatch(
        documents=[DocumentId(str(one["document"])) for one in found],
        slots=np.array([one["slot"] for one in found], dtype=np.int32),
        lsns=np.array([one["lsn"] for one in found], dtype=np.int64),
        digests=digests,
        vectors=vectors,
    )


def score(value: float, distance: Distance) -> float:
    """Return the score of our own from that of OpenSearch, which is never below zero."""
    if distance is Distance.COSINE:
        return 2.0 * value - 1.0
    if distance is Distance.L2:
        return 1.0 - 1.0 / value
    return value - 1.0 if value >= 1.0 else 1.0 - 1.0 / value


def _vector(source: Mapping[str, object]) -> FloatVector | float:
    found = source.get(VECTOR)
    return np.array(found, dtype=np.float32) if isinstance(found, list) else 0.0


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


def id_of(document: DocumentId, slot: int) -> str:
    """Return the id of the database's document for one slot of ours."""
    text = f"{slot}:{document}".encode("utf-8", "surrogatepass")
    return blake2b(text, digest_size=16).hexdigest()


def _comparable(document: DocumentId, text: str) -> None:
    if len(sound(text).encode()) > LONGEST:
        why = f"an id or a metadata field of {len(text.encode()):,} bytes, where at most "
        why += f"{LONGEST:,} can be compared"
        raise RowsRefusedError.of({document: why}, driver="opensearch")


def sound(text: str) -> str:
    """Return a text, once it is known to be valid Unicode."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RowsRefusedError(
            driver="opensearch",
            why=f"half a surrogate pair is no text ({error.reason})",
        ) from error
    return text
