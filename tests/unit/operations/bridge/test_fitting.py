"""A map between spaces is found where there is one, and judged on pairs that it never saw."""

import numpy as np
import pytest

from repoint.domain.bridge import MapMethod
from repoint.operations.bridge.fitting import fit
from repoint.operations.bridged import apply

ROWS = 400


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def vectors(dimensions: int, *, seed: int = 1) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(ROWS, dimensions)) + 0.3)


def rotation(source: int, target: int) -> np.ndarray:
    square = np.random.default_rng(2).normal(size=(max(source, target),) * 2)
    return np.asarray(np.linalg.qr(square)[0][:source, :target])


@pytest.mark.parametrize(("source", "target"), [(24, 24), (16, 24)])
def test_a_rotation_is_found_again(source: int, target: int) -> None:
    x = vectors(source)
    y = (x @ rotation(source, target)).astype(np.float32)
    made = fit(x, y)
    assert made.cosine > 0.999
    np.testing.assert_allclose(unit(apply(x, made.weights)), unit(y), atol=0.02)


def test_what_a_rotation_cannot_do_least_squares_does() -> None:
    x = vectors(16)
    stretched = x @ (rotation(16, 16) * np.linspace(0.2, 4.0, 16)) + 0.5
    made = fit(x, stretched.astype(np.float32))
    assert made.method is MapMethod.RIDGE
    assert made.cosine > 0.999


def test_spaces_that_have_nothing_to_do_with_each_other_are_told() -> None:
    x = unit(np.random.default_rng(1).normal(size=(ROWS, 16)))
    y = unit(np.random.default_rng(9).normal(size=(ROWS, 16)))
    assert fit(x, y).cosine < 0.3


def test_the_pairs_held_out_are_not_fitted_on_and_the_seed_decides_which() -> None:
    x, y = vectors(16), vectors(16, seed=5)
    one, again, other = fit(x, y), fit(x, y), fit(x, y, seed=1)
    assert (one.fitted, one.held_out) == (360, 40)
    assert one.weights.tobytes() == again.weights.tobytes()
    assert one.weights.tobytes() != other.weights.tobytes()
