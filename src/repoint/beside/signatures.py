"""Signatures by which a vector is known again that a database may have rounded."""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np

from repoint.ports.backend import FloatMatrix, FloatVector

#: How far the numbers of a signature may lie apart where the vector is the same.
_APART: Final = 1e-3


def made_of(vector: FloatVector | None) -> str:
    """Return a signature of a vector's direction; empty for none.

    A digest would not do: a database may keep another length and, with it, other last bits.
    """
    if vector is None or not vector.any():
        return ""
    wide = vector.astype(np.float64)
    found = _projections(len(wide)) @ (wide / np.linalg.norm(wide))
    return ",".join(f"{one:.6f}" for one in found)


def was_made(vector: FloatVector | None, signature: object) -> bool:
    """Return whether a vector is the one of a signature."""
    made = made_of(vector)
    if not made or not signature:
        return made == signature
    pairs = zip(made.split(","), str(signature).split(","), strict=True)
    return all(abs(float(one) - float(other)) <= _APART for one, other in pairs)


@cache
def _projections(length: int) -> FloatMatrix:
    signs = np.random.default_rng(20_260_101).integers(0, 2, size=(4, length)) * 2 - 1
    matrix: FloatMatrix = signs.astype(np.float64)
    return matrix
