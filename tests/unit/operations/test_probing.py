from collections.abc import Sequence

import numpy as np
import pytest

from repoint.domain.errors import InputRejectedError, UnavailableError
from repoint.domain.ids import Fingerprint
from repoint.domain.readiness import Status
from repoint.domain.spec import ModelSpec
from repoint.embedders.hashing import HashingEmbedder
from repoint.operations.embedding import Embedding
from repoint.operations.probing import (
    FLOAT_SLACK,
    cosine_distance,
    distances,
    measure,
    probe,
)
from repoint.ports.backend import FloatMatrix
from repoint.ports.embedder import Purpose

SPACE = Fingerprint("a" * 64)
MODEL = ModelSpec(provider="hashing", dimensions=64)


def embedding(embedder: HashingEmbedder) -> Embedding:
    return Embedding(MODEL, embedder, SPACE)


class BatchDependent(HashingEmbedder):
    """A model whose vectors lean a little towards their batch, as some real ones do."""

    def embed(self, texts: Sequence[str], *, purpose: Purpose) -> FloatMatrix:
        rows = super().embed(texts, purpose=purpose)
        leaning: FloatMatrix = rows + np.float32(0.05) * rows.mean(axis=0)
        return leaning


class Strict(HashingEmbedder):
    """A model that refuses long texts."""

    def embed(self, texts: Sequence[str], *, purpose: Purpose) -> FloatMatrix:
        if any(len(text) > 500 for text in texts):
            raise InputRejectedError(model="strict", why="too long")
        return super().embed(texts, purpose=purpose)


class Down(HashingEmbedder):
    """A model behind a provider that is down."""

    def embed(self, texts: Sequence[str], *, purpose: Purpose) -> FloatMatrix:
        del texts, purpose
        raise UnavailableError("example.org answers 503")


def test_a_model_that_is_stable_has_only_the_float_slack_as_its_band() -> None:
    probes = measure(embedding(HashingEmbedder(dimensions=64)))
    assert probes.noise_band == FLOAT_SLACK
    assert {one.purpose for one in probes.probes} == {"query", "document"}
    assert max(len(one.text) for one in probes.probes) > 2_000
    assert any(not one.text.isascii() for one in probes.probes)


def test_the_same_model_answers_its_probes() -> None:
    probes = measure(embedding(HashingEmbedder(dimensions=64)))
    finding = probe(embedding(HashingEmbedder(dimensions=64)), probes)
    assert finding.check == "query-model"
    assert finding.status is Status.OK
    assert finding.figures["probes"] == len(probes.probes)
    assert finding.figures["largest_distance"] == 0


def test_a_model_swapped_at_equal_dimensions_is_an_alarm() -> None:
    probes = measure(embedding(HashingEmbedder(dimensions=64)))
    finding = probe(embedding(HashingEmbedder(dimensions=64, seed=1)), probes)
    assert finding.status is Status.FAILED
    assert finding.figures["beyond"] == len(probes.probes)
    assert "the model changed" in finding.summary
    assert finding.remedy


def test_a_model_that_depends_on_its_batch_gets_a_wider_band_and_no_alarm() -> None:
    one = embedding(BatchDependent(dimensions=64))
    probes = measure(one)
    assert probes.noise_band > 2 * FLOAT_SLACK
    assert probe(one, probes).status is Status.OK
    swapped = embedding(BatchDependent(dimensions=64, seed=1))
    assert probe(swapped, probes).status is Status.FAILED


def test_texts_that_the_model_refuses_are_left_out() -> None:
    one = embedding(Strict(dimensions=64))
    probes = measure(one)
    assert all(len(found.text) <= 500 for found in probes.probes)
    assert probe(one, probes).status is Status.OK


def test_a_model_that_refuses_every_sentinel_cannot_be_measured() -> None:
    with pytest.raises(InputRejectedError):
        measure(embedding(Strict(dimensions=64)), documents=["x" * 501], queries=["q"])


def test_a_model_that_is_down_fails_the_check_and_says_why() -> None:
    probes = measure(embedding(HashingEmbedder(dimensions=64)))
    finding = probe(embedding(Down(dimensions=64)), probes)
    assert finding.status is Status.FAILED
    assert "answers 503" in finding.summary
    assert finding.figures == {"error": "unavailable"}


def test_a_model_of_other_dimensions_fails_the_check() -> None:
    probes = measure(embedding(HashingEmbedder(dimensions=64)))
    finding = probe(embedding(HashingEmbedder(dimensions=32)), probes)
    assert finding.status is Status.FAILED
    assert finding.figures == {"error": "dimensions"}


def test_probing_goes_past_the_query_cache() -> None:
    one = embedding(HashingEmbedder(dimensions=64))
    probes = measure(one)
    distances(one, probes)
    assert one.cache_counts().size == 0


def test_tiny_distances_are_measured_and_not_rounded_away() -> None:
    one = np.array([1.0, 0.0])
    other = np.array([1.0, 1e-6])
    assert cosine_distance(one, other) == pytest.approx(5e-13, rel=1e-3)
    assert cosine_distance(one, one * 3) == 0
    assert cosine_distance(one, [0.0, 2.0]) == pytest.approx(1)
