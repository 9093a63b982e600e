"""The promises of ``ports.embedder``, each as a test.

Subclass ``EmbedderSuite`` and give it one fixture, ``opening``; nothing else is needed to
hold a driver of your own to what repoint relies on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pytest

from repoint.domain.errors import InputRejectedError
from repoint.ports.embedder import Embedder, Purpose
from repoint.testing.conformance import Suite

#: Cosine distance that a driver may stray from itself without being another model.
SAME_TEXT: Final = 0.01

TEXTS: Final = (
    "The harbour was closed during the storm.",
    "A recipe for bread: flour, water, salt and time.",
    "ok",
    "Photosynthesis turns light into chemical energy. " * 12,
    "How do I reset my password?",
)

ODD_TEXTS: Final = (
    " ",
    "\n\t",
    "...",
    "\u0000",
    "👩\u200d🔬🚀",
    "re\u0301sume\u0301",
    "日本の首都は東京です",
    "a" * 5_000,
    "word " * 3_000,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """How the suite opens the driver under test."""

    #: Opens the model, anew at each call.
    opened: Callable[[], Embedder]
    #: Opens one that gives other vectors under the same name: another file, seed, version.
    altered: Callable[[], Embedder]


class EmbedderSuite(Suite):
    """What every embedder promises; a concrete class brings the fixture ``opening``."""

    @pytest.fixture
    def embedder(self, opening: Opening) -> Iterator[Embedder]:
        """Open the model for one test."""
        with closing(opening.opened()) as embedder:
            yield embedder

    def test_each_text_gets_one_row_of_its_dimensions(self, embedder: Embedder) -> None:
        """The shape is (texts, dimensions), in float32."""
        rows = embedder.embed(TEXTS, purpose=Purpose.DOCUMENT)
        assert rows.shape == (len(TEXTS), embedder.dimensions)
        assert rows.dtype == np.float32
        assert np.isfinite(rows).all()

    def test_rows_stand_in_the_order_of_the_texts(self, embedder: Embedder) -> None:
        """[order]."""
        rows = embedder.embed(TEXTS, purpose=Purpose.DOCUMENT)
        for place, text in enumerate(TEXTS):
            alone = embedder.embed([text], purpose=Purpose.DOCUMENT)[0]
            apart = [_distance(alone, row) for row in rows]
            assert int(np.argmin(apart)) == place
            assert apart[place] <= SAME_TEXT

    def test_no_texts_give_no_rows(self, embedder: Embedder) -> None:
        """[empty]."""
        rows = embedder.embed([], purpose=Purpose.QUERY)
        assert rows.shape == (0, embedder.dimensions)

    def test_more_texts_than_it_likes_at_once_are_all_answered(
        self, embedder: Embedder
    ) -> None:
        """A batch is advice, not a limit."""
        many = [f"entry number {number}" for number in range(embedder.traits.batch + 3)]
        rows = embedder.embed(many, purpose=Purpose.DOCUMENT)
        assert rows.shape == (len(many), embedder.dimensions)
        for place in (0, len(many) // 2, len(many) - 1):
            alone = embedder.embed([many[place]], purpose=Purpose.DOCUMENT)[0]
            assert _distance(alone, rows[place]) <= SAME_TEXT

    def test_the_same_text_gives_the_same_bits_if_it_says_so(self, embedder: Embedder) -> None:
        """``bit_stable`` holds alone, repeated, and between any neighbours."""
        batched = embedder.embed(TEXTS, purpose=Purpose.DOCUMENT)
        backwards = embedder.embed(TEXTS[::-1], purpose=Purpose.DOCUMENT)[::-1]
        for place, text in enumerate(TEXTS):
            alone = embedder.embed([text], purpose=Purpose.DOCUMENT)[0]
            for other in (batched[place], backwards[place]):
                if embedder.traits.bit_stable:
                    assert np.array_equal(alone, other)
                else:
                    assert _distance(alone, other) <= SAME_TEXT

    def test_texts_that_differ_get_vectors_that_differ(self, embedder: Embedder) -> None:
        """No constant answer, no row written over another."""
        rows = embedder.embed(TEXTS, purpose=Purpose.DOCUMENT)
        assert len(np.unique(rows, axis=0)) == len(TEXTS)

    def test_queries_and_documents_have_equal_dimensions(self, embedder: Embedder) -> None:
        """Both purposes are answered, in one space."""
        for purpose in Purpose:
            assert embedder.embed(TEXTS[:2], purpose=purpose).shape == (2, embedder.dimensions)

    def test_threads_get_what_one_thread_gets(self, embedder: Embedder) -> None:
        """[threads]."""
        expected = [embedder.embed([text], purpose=Purpose.QUERY)[0] for text in TEXTS]
        with ThreadPoolExecutor(max_workers=4) as pool:
            asked = [
                (place, pool.submit(embedder.embed, [text], purpose=Purpose.QUERY))
                for _ in range(3)
                for place, text in enumerate(TEXTS)
            ]
            for place, found in asked:
                assert _distance(expected[place], found.result()[0]) <= SAME_TEXT

    @pytest.mark.parametrize("text", ODD_TEXTS, ids=ascii)
    def test_an_odd_text_is_embedded_or_refused(self, embedder: Embedder, text: str) -> None:
        """Whatever a document holds, the answer is a finite row or ``InputRejectedError``."""
        try:
            rows = embedder.embed([text], purpose=Purpose.DOCUMENT)
        except InputRejectedError:
            return
        assert rows.shape == (1, embedder.dimensions)
        assert np.isfinite(rows).all()

    def test_a_text_that_is_no_unicode_is_embedded_or_refused(self, embedder: Embedder) -> None:
        """A lone surrogate gets through JSON and must not stop a backfill."""
        try:
            rows = embedder.embed(["before", "\ud800", "after"], purpose=Purpose.DOCUMENT)
        except InputRejectedError:
            return
        assert rows.shape == (3, embedder.dimensions)

    def test_its_revision_is_the_same_at_every_opening(self, opening: Opening) -> None:
        """A restart is no other model."""
        with closing(opening.opened()) as one, closing(opening.opened()) as other:
            assert one.revision
            assert one.revision == other.revision

    def test_its_revision_tells_another_model_apart(self, opening: Opening) -> None:
        """[digest]."""
        with closing(opening.opened()) as one, closing(opening.altered()) as other:
            assert one.revision != other.revision

    def test_tokens_are_counted_one_number_a_text(self, embedder: Embedder) -> None:
        """Longer texts count more, before any truncation."""
        short, long = embedder.count_tokens(["one word", "one word " * 2_000])
        assert 0 < short < long
        assert long > 2_000
        assert embedder.count_tokens([]) == []

    def test_closing_twice_is_no_error(self, opening: Opening) -> None:
        """Whoever cleans up need not know who did already."""
        embedder = opening.opened()
        embedder.embed(["a text"], purpose=Purpose.DOCUMENT)
        embedder.close()
        embedder.close()


def _distance(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    a, b = one.astype(np.float64), other.astype(np.float64)
    return float(1 - a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
