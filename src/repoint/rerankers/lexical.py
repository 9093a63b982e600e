"""Weighted word overlap: a reranker without a model or a network.

BM25's formula over the candidates alone: a word counts more the fewer candidates have it.
It is honest about what it is: no meaning, only words; as a release's rerank step it makes
answers prefer the query's own words among what the vectors found.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from repoint.domain.options import Options
from repoint.domain.spec import RerankSpec
from repoint.ports.clock import Clock

_WORD: Final = re.compile(r"\w+")


class LexicalReranker:
    """Scores by the query's words, weighted by how rare they are among the candidates."""

    def __init__(self, *, saturation: float = 0.9, length_share: float = 0.4) -> None:
        self._saturation = saturation
        self._length_share = length_share

    @classmethod
    def open(cls, spec: RerankSpec, *, clock: Clock) -> LexicalReranker:
        """Return the reranker that the spec describes.

        Options: ``saturation``, how soon repeating a word stops helping;
        ``length_share``, how much long texts pay for their length, up to 1: wholly.

        Raises:
            BadSpecError: an option is unknown, of the wrong type or out of bounds.
        """
        del clock  # nothing here waits or tells the time
        options = Options(spec.options, source="reranker lexical")
        saturation = options.number("saturation", 0.9, above=0)
        length_share = options.number("length_share", 0.4, above=0, most=1)
        options.finish()
        return cls(saturation=saturation, length_share=length_share)

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        """Return one score a text, in order; zero where no word of the query occurs."""
        counts = [Counter(_words(text)) for text in texts]
        lengths = [sum(count.values()) for count in counts]
        usual = sum(lengths) / len(lengths) if any(lengths) else 1.0
        # In the query's order, not a set's: sums of floats depend on it, scores must not.
        weights = {
            word: math.log(1 + (len(texts) - having + 0.5) / (having + 0.5))
            for word in dict.fromkeys(_words(query))
            if (having := sum(word in count for count in counts))
        }
        return [
            sum(
                weight * count[word] / (count[word] + self._damping(length / usual))
                for word, weight in weights.items()
            )
            for count, length in zip(counts, lengths, strict=True)
        ]

    def close(self) -> None:
        """Hold nothing, release nothing."""

    def _damping(self, relative_length: float) -> float:
        share = self._length_share
        return self._saturation * (1 - share + share * relative_length)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
