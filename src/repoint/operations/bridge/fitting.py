"""Fitting a map between two spaces from vectors that both have of the same texts.

Two families are tried and the one that does better on pairs held out is kept: a rotation
(Schönemann, "A generalized solution of the orthogonal Procrustes problem", Psychometrika
31(1), 1966), which cannot overfit, and ridge regression (Hoerl and Kennard, Technometrics
12(1), 1970), which can stretch what a rotation cannot. Both map around the means, since
the vectors of most models lie to one side of the origin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from repoint.domain.bridge import MapMethod
from repoint.operations.bridged import apply
from repoint.ports.backend import FloatMatrix

#: Penalties tried, as parts of the mean variance of a source dimension times the pairs.
_PENALTIES: Final = (1e-4, 1e-3, 1e-2, 1e-1)
#: The share of the pairs that is kept out of the fit.
HELD_OUT: Final = 0.1

Wide = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedMap:
    """A map, and how well it does on the pairs that it has not seen."""

    method: MapMethod
    #: float32, shape (source dimensions + 1, target dimensions); the last row is added.
    weights: FloatMatrix
    fitted: int
    held_out: int
    cosine: float


def fit(source: FloatMatrix, target: FloatMatrix, *, seed: int = 0) -> FittedMap:
    """Return the map that takes the source's rows nearest to the target's.

    Row by row both are vectors of one text; at least ten pairs. The same pairs and seed give
    the same map.
    """
    rows = len(source)
    order = np.random.default_rng(seed).permutation(rows)
    out = order[: max(1, round(rows * HELD_OUT))]
    kept = order[len(out) :]
    x, y = source[kept].astype(np.float64), target[kept].astype(np.float64)
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    x, y = x - mean_x, y - mean_y
    candidates = [(MapMethod.ROTATION, _rotation(x, y))]
    candidates += [(MapMethod.RIDGE, _ridge(x, y, penalty)) for penalty in _PENALTIES]
    best: FittedMap | None = None
    for method, matrix in candidates:
        shift = mean_y - mean_x @ matrix
        weights = np.vstack([matrix, shift]).astype(np.float32)
        cosine = _mean_cosine(apply(source[out], weights), target[out])
        if best is None or cosine > best.cosine:
            best = FittedMap(
                method=method,
                weights=weights,
                fitted=len(kept),
                held_out=len(out),
                cosine=cosine,
            )
    assert best is not None  # noqa: S101 - there is always the rotation
    return best


def _rotation(x: Wide, y: Wide) -> Wide:
    u, s, v = np.linalg.svd(x.T @ y, full_matrices=False)
    scale = s.sum() / max(float((x * x).sum()), 1e-30)
    return np.asarray((u @ v) * scale)


def _ridge(x: Wide, y: Wide, penalty: float) -> Wide:
    gram = x.T @ x
    weight = penalty * float(np.trace(gram)) / len(gram)
    return np.asarray(np.linalg.solve(gram + weight * np.eye(len(gram)), x.T @ y))


def _mean_cosine(one: FloatMatrix, other: FloatMatrix) -> float:
    a, b = one.astype(np.float64), other.astype(np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    dots = (a * b).sum(axis=1)
    return float(np.divide(dots, lengths, out=np.zeros_like(dots), where=lengths > 0).mean())
