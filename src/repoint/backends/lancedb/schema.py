"""How a collection lies in a table: its columns, its spec in the schema, rows and batches.

One row a slot. An emptied slot is a row without text and vector, which neither vector nor
text search can find; its LSN stands guard. ``document`` and ``slot`` are declared the
table's key: only then do two writers that add the same row at the same time conflict
instead of doubling it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from repoint.backends.lancedb.filters import PREFIXES, as_double, column
from repoint.domain.adoption import layout_of, layout_tree
from repoint.domain.document import Entry, FieldType, Json, compact, digest_of
from repoint.domain.filters import type_of
from repoint.domain.ids import CollectionName, Fingerprint
from repoint.domain.spec import AnnKind, AnnSpec, Distance
from repoint.ports.backend import CollectionSpec, FloatMatrix, Hit, StoredBatch

KEY: Final = ("document", "slot")
#: A row that is no emptied slot.
FILLED: Final = "text IS NOT NULL"

#: Where the schema's metadata keeps the collection's spec.
SPEC: Final = b"repoint.collection"

_IN_KEY: Final = {b"lance-schema:unenforced-primary-key": b"true"}
_HIT: Final = ("document", "slot", "lsn", "text", "start", "end", "metadata")
_STORED: Final = ("document", "slot", "lsn", "digest")

_FIELD_TYPES: Final = {
    FieldType.TEXT: pa.string(),
    FieldType.NUMBER: pa.float64(),
    FieldType.BOOLEAN: pa.bool_(),
}


def table_schema(spec: CollectionSpec) -> pa.Schema:
    """Return the schema of a new table, which carries the spec."""
    return pa.schema(
        [
            pa.field("document", pa.string(), nullable=False, metadata=_IN_KEY),
            pa.field("slot", pa.int32(), nullable=False, metadata=_IN_KEY),
            pa.field("lsn", pa.int64(), nullable=False),
            pa.field("digest", pa.string()),
            pa.field("vector", pa.list_(pa.float32(), spec.dimensions)),
            pa.field("text", pa.string()),
            pa.field("start", pa.int32()),
            pa.field("end", pa.int32()),
            pa.field("metadata", pa.string()),
        ],
        metadata={SPEC: json.dumps(tree_of(spec), sort_keys=True).encode()},
    )


def spec_of(schema: pa.Schema, name: CollectionName) -> CollectionSpec | None:
    """Return the spec that a table carries, None if it carries none that can be read."""
    try:
        tree = json.loads((schema.metadata or {})[SPEC])
        adopted = tree.get("adopted")
        return CollectionSpec(
            name=name,
            fingerprint=Fingerprint(tree["fingerprint"]),
            # The vectors of an adopted table stand in another one, the team's own.
            dimensions=tree["dimensions"] if adopted else schema.field("vector").type.list_size,
            distance=Distance(tree["distance"]),
            ann=AnnSpec(
                kind=AnnKind(tree["ann"]["kind"]),
                build=tree["ann"]["build"],
                search=tree["ann"]["search"],
            ),
            lexical=tree["lexical"],
            adopted=None if adopted is None else layout_of(adopted),
        )
    except (KeyError, ValueError, TypeError, AttributeError):
        return None


def tree_of(spec: CollectionSpec) -> dict[str, object]:
    """Return the spec as a table's schema carries it."""
    tree: dict[str, object] = {
        "fingerprint": spec.fingerprint,
        "dimensions": spec.dimensions,
        "distance": spec.distance,
        "ann": {
            "kind": spec.ann.kind,
            "build": dict(spec.ann.build),
            "search": dict(spec.ann.search),
        },
        "lexical": spec.lexical,
    }
    if spec.adopted is not None:
        tree["adopted"] = layout_tree(spec.adopted)
    return tree


def field_columns(entries: Iterable[Entry]) -> dict[str, pa.DataType]:
    """Return the columns that these entries' metadata needs, and their types."""
    seen = {
        (field, type_of(value))
        for entry in entries
        if entry.chunks
        for field, value in entry.metadata.items()
    }
    return {
        column(field, kind): _FIELD_TYPES[kind]
        for field, kind in sorted(seen)
        if kind in PREFIXES
    }


def rows(entries: Sequence[Entry], vectors: FloatMatrix, schema: pa.Schema) -> pa.Table:
    """Return the table's rows for whole documents: their chunks, then their emptied slots."""
    filled = [(e, n, chunk) for e in entries for n, chunk in enumerate(e.chunks)]
    emptied = [(e, n) for e in entries for n in range(len(e.chunks), e.slots)]
    values = pa.FixedSizeListArray.from_arrays(
        pa.array(np.ascontiguousarray(vectors).reshape(-1)), vectors.shape[1]
    )
    columns: dict[str, pa.Array] = {
        "document": [e.document for e, *_ in filled] + [e.document for e, _ in emptied],
        "slot": [n for _, n, _ in filled] + [n for _, n in emptied],
        "lsn": [e.lsn for e, *_ in filled] + [e.lsn for e, _ in emptied],
        "digest": _padded([chunk.digest for *_, chunk in filled], len(emptied)),
        "vector": pa.concat_arrays([values, pa.nulls(len(emptied), values.type)])
        if emptied
        else values,
        "text": _padded([chunk.text for *_, chunk in filled], len(emptied)),
        "start": _padded([chunk.start for *_, chunk in filled], len(emptied)),
        "end": _padded([chunk.end for *_, chunk in filled], len(emptied)),
    }
    texts = {id(e): compact(e.metadata) for e in entries if e.metadata}
    columns["metadata"] = _padded([texts.get(id(e)) for e, *_ in filled], len(emptied))
    for name, values_of in field_values(entries).items():
        columns[name] = _padded([values_of.get(id(e)) for e, *_ in filled], len(emptied))
    total = len(filled) + len(emptied)
    arrays = [
        pa.array(columns[f.name], f.type) if f.name in columns else pa.nulls(total, f.type)
        for f in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _padded(values: list[object], nulls: int) -> list[object]:
    return values + [None] * nulls


def field_values(entries: Iterable[Entry]) -> dict[str, dict[int, Json]]:
    """Return each column's values, by the identity of the entry."""
    values: dict[str, dict[int, Json]] = {}
    for entry in entries:
        for field, value in entry.metadata.items():
            kind = type_of(value)
            if kind in PREFIXES:
                values.setdefault(column(field, kind), {})[id(entry)] = _value(value)
    return values


def _value(value: Json) -> Json:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return as_double(value)
    return value


def hit_columns(score: str) -> list[str]:
    """Return the columns that a search asks for."""
    return [*_HIT, score]


def hits(found: pa.Table, scores: Iterable[float], *, limit: int) -> list[Hit]:
    """Return the best rows as hits, equal scores by document id and slot."""
    columns = zip(*(found[name].to_pylist() for name in _HIT), scores, strict=True)
    ranked = sorted(columns, key=lambda row: (-row[-1], row[0], row[1]))
    return [
        Hit(
            document=document,
            slot=slot,
            lsn=lsn,
            score=score,
            text=text,
            start=start,
            end=end,
            metadata=json.loads(metadata) if metadata else {},
        )
        for document, slot, lsn, text, start, end, metadata, score in ranked[:limit]
    ]


def stored_columns(*, with_vectors: bool) -> list[str]:
    """Return the columns of a stored batch."""
    return [*_STORED, "vector", "text"] if with_vectors else list(_STORED)


def stored_batch(found: pa.RecordBatch | pa.Table, dimensions: int) -> StoredBatch:
    """Return rows of the stored columns as a batch, with vectors if that column is there.

    Where the text is there too, its digest is taken from it and not from what was noted
    when it was written, so that a text changed behind repoint's back shows.
    """
    vectors = None
    digests = found["digest"].to_pylist()
    if "vector" in found.schema.names:
        vectors = _matrix(found["vector"], dimensions)
        texts = found["text"].to_pylist()
        digests = [
            d if t is None else digest_of(t) for d, t in zip(digests, texts, strict=True)
        ]
    return StoredBatch(
        documents=found["document"].to_pylist(),
        slots=found["slot"].to_numpy().astype(np.int32, copy=False),
        lsns=found["lsn"].to_numpy().astype(np.int64, copy=False),
        digests=digests,
        vectors=vectors,
    )


def _matrix(column: pa.Array | pa.ChunkedArray, dimensions: int) -> FloatMatrix:
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    matrix = np.full((len(whole), dimensions), np.nan, dtype=np.float32)
    present = whole.is_valid().to_numpy(zero_copy_only=False)
    # ``flatten`` leaves out the places of rows that have no vector.
    matrix[present] = whole.flatten().to_numpy(zero_copy_only=False).reshape(-1, dimensions)
    return matrix
