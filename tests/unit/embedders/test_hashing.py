import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repoint.domain.errors import BadSpecError
from repoint.domain.spec import ModelSpec
from repoint.embedders.hashing import HashingEmbedder
from repoint.ports.backend import FloatMatrix
from repoint.ports.embedder import Purpose
from repoint.wiring.clock import SystemClock


def rows(embedder: HashingEmbedder, *texts: str) -> FloatMatrix:
    found = embedder.embed(texts, purpose=Purpose.DOCUMENT)
    unit: FloatMatrix = found / np.linalg.norm(found, axis=1, keepdims=True)
    return unit


def test_the_space_is_the_same_on_every_machine() -> None:
    found = HashingEmbedder(dimensions=8).embed(["Zürich café"], purpose=Purpose.QUERY)[0]
    assert found.tolist() == pytest.approx(
        [0.715542, 0.0, 0.0, 0.46188, 0.104109, 0.0, 0.395891, 2.357771], abs=1e-6
    )


@given(st.text(min_size=1), st.sampled_from([1, 2, 8, 256]))
def test_no_text_gets_a_zero_vector(text: str, dimensions: int) -> None:
    found = HashingEmbedder(dimensions=dimensions).embed([text], purpose=Purpose.DOCUMENT)
    assert found.any()


def test_texts_that_share_words_are_closer_than_texts_that_do_not() -> None:
    near, far, one = rows(
        HashingEmbedder(dimensions=512),
        "how is measles treated",
        "the annual report of the harbour authority",
        "treatment of measles in children",
    )
    assert near @ one > 0.3
    assert abs(far @ one) < 0.15


def test_inflected_words_are_close() -> None:
    one, other = rows(HashingEmbedder(dimensions=512), "embedding", "embeddings")
    assert one @ other > 0.3


def test_another_seed_is_another_space_of_equal_dimensions() -> None:
    text = "the same text in two spaces that must never meet"
    one = rows(HashingEmbedder(dimensions=256), text)[0]
    other = rows(HashingEmbedder(dimensions=256, seed=7), text)[0]
    assert abs(one @ other) < 0.4


def test_open_reads_seed_and_dimensions_from_the_spec() -> None:
    model = ModelSpec(provider="hashing", dimensions=32, options={"seed": 5})
    embedder = HashingEmbedder.open(model, clock=SystemClock())
    assert embedder.dimensions == 32
    assert embedder.revision == "hashing-1-seed-5"


def test_a_misspelt_option_is_refused() -> None:
    model = ModelSpec(provider="hashing", dimensions=32, options={"sede": 5})
    with pytest.raises(BadSpecError, match="sede"):
        HashingEmbedder.open(model, clock=SystemClock())
