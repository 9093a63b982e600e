"""What repoint notes of a team's rows, and how it lies in columns."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from repoint.backends.lancedb.describing import columns_of, row_of
from repoint.backends.lancedb.schema import field_values
from repoint.domain.adoption import Layout
from repoint.domain.document import Entry
from repoint.ports.backend import FloatMatrix

#: What is added to the team's rows.
NOTES: Final = pa.schema(
    [
        pa.field("repoint_lsn", pa.int64()),
        # NULL: known, and found by nobody.
        pa.field("repoint_digest", pa.string()),
        # NULL: the same as the team's.
        pa.field("repoint_text", pa.string()),
        pa.field("repoint_start", pa.int32()),
        pa.field("repoint_end", pa.int32()),
        pa.field("repoint_metadata", pa.string()),
        pa.field("repoint_state", pa.string()),
        pa.field("repoint_made", pa.string()),
    ]
)
#: What stands beside them.
BESIDE: Final = pa.schema(
    [
        pa.field("document", pa.string(), nullable=False),
        pa.field("lsn", pa.int64(), nullable=False),
        pa.field("emptied", pa.bool_(), nullable=False),
    ]
)
#: Stands for a digest where the row is not as repoint left it; no digest is ever equal.
BYPASSED: Final = "bypassed"

#: Where the table beside keeps the names of the columns that were the team's own.
TEAM: Final = b"repoint.team"
#: A metadata field's column: its type, and its name in hexadecimal.
_FIELD: Final = re.compile(r"[tnb]_([0-9a-f]{2})+")


def added_fields(names: Sequence[str], team: Sequence[str]) -> list[str]:
    """Return the columns of metadata fields that were added to a team's own."""
    return [name for name in names if name not in team and _FIELD.fullmatch(name)]


def matrix_of(column: pa.ChunkedArray, dimensions: int) -> FloatMatrix:
    """Return vectors as rows, NaN where there is none."""
    whole = column.combine_chunks()
    matrix = np.full((len(whole), dimensions), np.nan, dtype=np.float32)
    present = whole.is_valid().to_numpy(zero_copy_only=False)
    # ``flatten`` leaves out the places of rows that have no vector.
    matrix[present] = whole.flatten().to_numpy(zero_copy_only=False).reshape(-1, dimensions)
    return matrix


def typed(
    layout: Layout, entries: Sequence[Entry], matrix: FloatMatrix, schema: pa.Schema
) -> pa.Table:
    """Return the team's columns with their own types, as they will be read again."""
    rows = [row_of(layout, one.content) for one in entries if one.content]
    columns = [
        pa.array([row[name] for row in rows], schema.field(name).type)
        for name in columns_of(layout)
    ]
    flat = pa.array(np.ascontiguousarray(matrix).reshape(-1))
    vectors = pa.FixedSizeListArray.from_arrays(flat, matrix.shape[1])
    names = [*columns_of(layout), layout.vector]
    fields = [schema.field(name) for name in names]
    return pa.table([*columns, vectors.cast(fields[-1].type)], schema=pa.schema(fields))


def known(
    entries: Sequence[Entry],
    states: Sequence[tuple[str, ...]],
    schema: pa.Schema,
    *,
    fields: Sequence[str],
) -> dict[str, pa.Array]:
    """Return the columns of what repoint knows, metadata fields among them."""
    chunks = [entry.chunks[0] if entry.chunks else None for entry in entries]
    texts = [
        one.text if one and (entry.content is None or one.text != entry.content.text) else None
        for one, entry in zip(chunks, entries, strict=True)
    ]
    values: dict[str, list[object]] = {
        "repoint_lsn": [entry.lsn for entry in entries],
        "repoint_digest": [one.digest if one else None for one in chunks],
        "repoint_text": list(texts),
        "repoint_start": [one.start if one else None for one in chunks],
        "repoint_end": [one.end if one else None for one in chunks],
        "repoint_metadata": [
            json.dumps(dict(entry.metadata), ensure_ascii=False) for entry in entries
        ],
        "repoint_state": [state[0] for state in states],
        "repoint_made": [state[1] for state in states],
    }
    filterable = field_values(entries)
    for name in fields:
        of_entry = filterable.get(name, {})
        values[name] = [of_entry.get(id(entry)) for entry in entries]
    return {name: pa.array(column, schema.field(name).type) for name, column in values.items()}
