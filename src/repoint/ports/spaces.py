"""The guard before every backend's data: vectors meet only their own space (INV-1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from repoint.domain.document import Entry
from repoint.domain.errors import DimensionsError, MixedSpacesError
from repoint.domain.spec import Distance
from repoint.ports.backend import (
    CollectionSpec,
    FloatMatrix,
    FloatVector,
    SpaceMatrix,
    SpaceVector,
)


def query_values(spec: CollectionSpec, query: SpaceVector) -> FloatVector:
    """Return the query's numbers, once they are known to belong to the collection.

    Raises:
        MixedSpacesError: they are of another space.
        DimensionsError: they have another length.
    """
    if query.space != spec.fingerprint:
        raise MixedSpacesError(
            collection=spec.name, expected=spec.fingerprint, found=query.space
        )
    values = np.asarray(query.values, dtype=np.float32)
    if values.shape != (spec.dimensions,):
        raise DimensionsError(
            where=f"query of {spec.name}", expected=spec.dimensions, found=values.size
        )
    return values


def chunk_rows(
    spec: CollectionSpec, entries: Sequence[Entry], vectors: SpaceMatrix
) -> FloatMatrix:
    """Return one row a chunk, once they are known to belong to the collection.

    Raises:
        MixedSpacesError: they are of another space.
        DimensionsError: they have another length.
        ValueError: there are more or fewer rows than chunks, or a document comes twice.
    """
    if vectors.space != spec.fingerprint:
        raise MixedSpacesError(
            collection=spec.name, expected=spec.fingerprint, found=vectors.space
        )
    rows = np.asarray(vectors.values, dtype=np.float32)
    chunks = sum(len(entry.chunks) for entry in entries)
    if chunks == 0 and rows.size == 0:
        rows = rows.reshape(0, spec.dimensions)
    if rows.ndim != 2 or rows.shape[1] != spec.dimensions:  # noqa: PLR2004 - a matrix
        raise DimensionsError(
            where=f"rows for {spec.name}", expected=spec.dimensions, found=rows.shape[-1]
        )
    if len(rows) != chunks:
        raise ValueError(f"{len(rows)} vectors for {chunks} chunks")
    if len({entry.document for entry in entries}) != len(entries):
        raise ValueError("a document comes twice in one call")
    return rows


def scores(rows: FloatMatrix, query: FloatVector, distance: Distance) -> FloatVector:
    """Return the score of each row, as ``Hit`` has it, by comparing with every one.

    In double precision, so that the model's own rounding never decides an order; equal rows
    get equal scores.
    """
    matrix, wanted = rows.astype(np.float64), query.astype(np.float64)
    if distance is Distance.L2:
        found = -np.square(matrix - wanted).sum(axis=1)
    else:
        found = (matrix * wanted).sum(axis=1)
    if distance is Distance.COSINE:
        norms = np.linalg.norm(matrix, axis=1) * np.linalg.norm(wanted)
        found = np.divide(found, norms, out=np.zeros_like(found), where=norms > 0)
    single: FloatVector = found.astype(np.float32)
    return single
