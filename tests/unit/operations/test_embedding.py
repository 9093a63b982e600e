from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repoint.domain.errors import (
    DimensionsError,
    InputRejectedError,
    MissingModelError,
    ProviderAnswerError,
)
from repoint.domain.ids import Fingerprint
from repoint.domain.spec import ModelSpec
from repoint.embedders.hashing import HashingEmbedder
from repoint.operations.embedding import (
    CacheCounts,
    Embedding,
    QueryCache,
    check_identity,
    pinned,
)
from repoint.ports.backend import FloatMatrix
from repoint.ports.embedder import EmbedderTraits, Purpose

SPACE = Fingerprint("a" * 64)
OTHER = Fingerprint("b" * 64)
MODEL = ModelSpec(provider="hashing", dimensions=16)


class Recording(HashingEmbedder):
    """Hashing that remembers what it was asked and passes its answer through a change."""

    def __init__(
        self,
        *,
        change: Callable[[Sequence[str], FloatMatrix], FloatMatrix] = lambda _, rows: rows,
        remote: bool = False,
    ) -> None:
        super().__init__(dimensions=16)
        self.asked: list[tuple[Purpose, list[str]]] = []
        self._change = change
        self._remote = remote

    @property
    def traits(self) -> EmbedderTraits:
        return replace(super().traits, remote=self._remote)

    def embed(self, texts: Sequence[str], *, purpose: Purpose) -> FloatMatrix:
        self.asked.append((purpose, list(texts)))
        return self._change(texts, super().embed(texts, purpose=purpose))


def rejecting(*bad: str) -> Recording:
    def change(texts: Sequence[str], rows: FloatMatrix) -> FloatMatrix:
        if set(texts) & set(bad):
            raise InputRejectedError(model="m", why="answers 400: no", texts=len(texts))
        return rows

    return Recording(change=change)


def spoiling(value: float, *bad: str) -> Recording:
    def change(texts: Sequence[str], rows: FloatMatrix) -> FloatMatrix:
        for place, text in enumerate(texts):
            if text in bad:
                rows[place] = value
        return rows

    return Recording(change=change)


def embedding(embedder: HashingEmbedder | None = None, model: ModelSpec = MODEL) -> Embedding:
    return Embedding(model, embedder or Recording(), SPACE)


def test_documents_come_normalised_in_order_and_know_their_space() -> None:
    found = embedding().documents(["one", "two", "one"])
    assert found.space == SPACE
    assert found.values.dtype == np.float32
    assert np.linalg.norm(found.values, axis=1) == pytest.approx(np.ones(3), abs=1e-6)
    assert np.array_equal(found.values[0], found.values[2])
    assert not np.array_equal(found.values[0], found.values[1])


def test_without_normalisation_the_models_own_lengths_stay() -> None:
    found = embedding(model=replace(MODEL, normalise=False)).documents(["one two three"])
    raw = HashingEmbedder(dimensions=16).embed(["one two three"], purpose=Purpose.DOCUMENT)
    assert np.array_equal(found.values, raw)


def test_each_purpose_has_its_own_prefix() -> None:
    driver = Recording()
    one = embedding(driver, replace(MODEL, query_prefix="query: ", document_prefix="passage: "))
    one.documents(["text"])
    one.query("text")
    assert driver.asked == [
        (Purpose.DOCUMENT, ["passage: text"]),
        (Purpose.QUERY, ["query: text"]),
    ]
    assert one.count_tokens(["text", "text"]) == 4


def test_no_texts_ask_nobody() -> None:
    driver = Recording()
    one = embedding(driver)
    assert one.documents([]).values.shape == (0, 16)
    assert one.isolate([])[0].values.shape == (0, 16)
    assert one.queries([]) == []
    assert one.count_tokens([]) == 0
    assert driver.asked == []


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_a_vector_that_is_none_is_refused_and_its_text_named(value: float) -> None:
    one = embedding(spoiling(value, "bad"))
    with pytest.raises(InputRejectedError, match="text 2 of 3 got a vector"):
        one.documents(["fine", "bad", "good"])
    with pytest.raises(InputRejectedError, match="the query got a vector"):
        one.query("bad")


def test_a_model_of_other_dimensions_is_refused() -> None:
    for wanted in (8, 32):
        one = embedding(model=replace(MODEL, dimensions=wanted))
        with pytest.raises(DimensionsError, match=f"16 dimensions, not {wanted}"):
            one.documents(["text"])


def test_longer_vectors_are_cut_and_normalised_again_only_when_asked() -> None:
    one = embedding(model=replace(MODEL, dimensions=8, options={"truncate": True}))
    found = one.documents(["one two three four"]).values
    raw = HashingEmbedder(dimensions=16).embed(["one two three four"], purpose=Purpose.DOCUMENT)
    assert found.shape == (1, 8)
    assert found[0] == pytest.approx(raw[0, :8] / np.linalg.norm(raw[0, :8]))


def test_too_few_rows_are_no_answer() -> None:
    one = embedding(Recording(change=lambda _, rows: rows[:-1]))
    with pytest.raises(ProviderAnswerError, match=r"shape \(1, 16\) for 2 texts"):
        one.documents(["one", "two"])


@given(
    st.lists(st.sampled_from(["fine", "good", "zero", "refused"]), max_size=20),
)
def test_isolate_names_every_text_to_blame_and_no_other(texts: list[str]) -> None:
    def change(asked: Sequence[str], rows: FloatMatrix) -> FloatMatrix:
        if "refused" in asked:
            raise InputRejectedError(model="m", why="answers 400: no", texts=len(asked))
        rows[[place for place, text in enumerate(asked) if text == "zero"]] = 0
        return rows

    driver = Recording(change=change)
    found, rejected = embedding(driver).isolate(texts)
    bad = [place for place, text in enumerate(texts) if text in {"zero", "refused"}]
    assert list(rejected) == bad
    assert np.isnan(found.values[bad]).all()
    good = [place for place in range(len(texts)) if place not in bad]
    expected = embedding().documents([texts[place] for place in good]).values
    assert np.array_equal(found.values[good], expected)


def test_isolating_one_text_of_many_takes_few_questions() -> None:
    driver = rejecting("bad")
    texts = [f"text {number}" for number in range(256)]
    texts[100] = "bad"
    _, rejected = embedding(driver).isolate(texts)
    assert list(rejected) == [100]
    # One for the harmless text, and two a halving.
    assert len(driver.asked) == 1 + 1 + 2 * 8


def test_a_model_that_refuses_everything_condemns_no_document() -> None:
    def change(texts: Sequence[str], _: FloatMatrix) -> FloatMatrix:
        why = "answers 400: unknown parameter"
        raise InputRejectedError(model="m", why=why, texts=len(texts))

    driver = Recording(change=change)
    with pytest.raises(InputRejectedError, match="unknown parameter"):
        embedding(driver).isolate([f"text {number}" for number in range(64)])
    assert len(driver.asked) == 2


@pytest.mark.parametrize("value", [0.0, float("nan")])
def test_a_model_that_spoils_everything_condemns_no_document(value: float) -> None:
    driver = Recording(change=lambda _, rows: rows * 0 + np.float32(value))
    with pytest.raises(ProviderAnswerError, match="no usable vector for any text"):
        embedding(driver).isolate(["one", "two"])


def test_a_query_asked_again_is_not_embedded_again() -> None:
    driver = Recording()
    one = embedding(driver)
    first = one.query("text")
    assert one.query("text") is first
    assert len(driver.asked) == 1
    assert one.cache_counts() == CacheCounts(hits=1, misses=1, size=1)
    with pytest.raises(ValueError, match="read-only"):
        first.values[0] = 1


def test_a_probe_can_go_past_the_cache() -> None:
    driver = Recording()
    one = embedding(driver)
    one.query("text")
    one.query("text", cached=False)
    assert len(driver.asked) == 2


def test_releases_that_share_a_cache_never_share_a_vector() -> None:
    cache = QueryCache()
    one = Embedding(MODEL, HashingEmbedder(dimensions=16), SPACE, cache=cache)
    other = Embedding(MODEL, HashingEmbedder(dimensions=16, seed=1), OTHER, cache=cache)
    a, b = one.query("text"), other.query("text")
    assert (a.space, b.space) == (SPACE, OTHER)
    assert not np.array_equal(a.values, b.values)
    assert one.query("text") is a
    assert cache.counts().size == 2


def test_the_cache_keeps_what_was_used_last_within_its_bound() -> None:
    driver = Recording()
    one = Embedding(MODEL, driver, SPACE, cache=QueryCache(size=2))
    for text in ("a", "b", "a", "c", "a", "b"):
        one.query(text)
    assert [texts[0] for _, texts in driver.asked] == ["a", "b", "c", "b"]
    assert one.cache_counts().size == 2


def test_a_cleared_cache_holds_no_text() -> None:
    cache = QueryCache()
    one = Embedding(MODEL, Recording(), SPACE, cache=cache)
    one.query("personal")
    cache.clear()
    assert cache.counts() == CacheCounts(hits=0, misses=1, size=0)


def test_many_threads_may_share_a_cache() -> None:
    one = Embedding(MODEL, HashingEmbedder(dimensions=16), SPACE, cache=QueryCache(size=3))
    texts = [f"text {number % 7}" for number in range(400)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(one.query, texts))
    expected = {text: embedding().query(text).values for text in set(texts)}
    assert all(
        np.array_equal(vector.values, expected[text])
        for text, vector in zip(texts, found, strict=True)
    )
    counts = one.cache_counts()
    assert counts.hits + counts.misses == 400
    assert counts.size <= 3


def test_a_local_model_is_pinned_by_its_digest_and_another_is_refused() -> None:
    spec = pinned(MODEL, HashingEmbedder(dimensions=16))
    assert spec.digest == "hashing-1-seed-0"
    check_identity(spec, HashingEmbedder(dimensions=16))
    with pytest.raises(MissingModelError, match="not those of the digest"):
        Embedding(spec, HashingEmbedder(dimensions=16, seed=1), SPACE)


def test_a_remote_model_is_pinned_by_name_only() -> None:
    spec = pinned(MODEL, Recording(remote=True))
    assert (spec.digest, spec.revision) == ("", "hashing-1-seed-0")
