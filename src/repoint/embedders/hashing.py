"""Feature hashing: a model without files, the same on every machine.

Words, pairs of words and pieces of words are hashed into signed buckets (Weinberger et
al., ICML 2009). It knows no meaning, only spelling: it is there so that everything in
repoint can be tried and tested without a download.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from repoint.domain.options import Options
from repoint.domain.spec import ModelSpec
from repoint.ports.backend import FloatMatrix
from repoint.ports.clock import Clock
from repoint.ports.embedder import EmbedderTraits, Purpose

#: Raised whenever the same text would give other vectors.
ALGORITHM: Final = 1

# Ranges, not \w: what Python calls a letter grows with its Unicode tables, and an upgrade
# of Python must not move the space. Case folding is safe, Unicode never changes it.
_WORD: Final = re.compile(
    "[0-9a-z\u00aa\u00b5\u00ba\u00c0-\u1fff\u2070-\u2fff\u3040-\U0010ffff]+"
)
_PIECE: Final = 4
_PAIR_WEIGHT: Final = 0.5
#: All pieces of a word together weigh this much of the word itself.
_PIECES_WEIGHT: Final = 0.8
#: Short words are mostly grammar.
_SHORT: Final = 3
_SHORT_WEIGHT: Final = 0.3
_KEPT_WORDS: Final = 100_000


class HashingEmbedder:
    """Words and their pieces, hashed into signed buckets; never zero for a non-empty text."""

    def __init__(self, *, dimensions: int, seed: int = 0) -> None:
        self._dimensions = dimensions
        self._seed = seed
        # Eight bytes: blake2b takes a salt of up to sixteen.
        self._salt = (seed % 2**64).to_bytes(8, "little")
        self._word = lru_cache(maxsize=_KEPT_WORDS)(self._hash_word)

    @classmethod
    def open(cls, model: ModelSpec, *, clock: Clock) -> HashingEmbedder:
        """Return the embedder that the spec describes.

        Raises:
            BadSpecError: an option is unknown or of the wrong type.
        """
        del clock  # nothing here waits or tells the time
        options = Options(model.options, source="model hashing")
        seed = options.integer("seed", 0)
        options.finish()
        return cls(dimensions=model.dimensions, seed=seed)

    @property
    def dimensions(self) -> int:
        """As many as the spec asks for."""
        return self._dimensions

    @property
    def revision(self) -> str:
        """The algorithm's version and the seed."""
        return f"hashing-{ALGORITHM}-seed-{self._seed}"

    @property
    def traits(self) -> EmbedderTraits:
        """Pure computation: any batch will do."""
        return EmbedderTraits(batch=256, parallel=1, remote=False, bit_stable=True)

    def tokenizer(self, text: str) -> int:
        """Return the number of words, where chunks are measured in tokens."""
        return len(_words(text))

    def embed(self, texts: Sequence[str], *, purpose: Purpose) -> FloatMatrix:
        """Return one row a text; documents and queries are treated alike."""
        del purpose
        rows = np.zeros((len(texts), self._dimensions), dtype=np.float64)
        for row, text in zip(rows, texts, strict=True):
            self._fill(row, text)
        return rows.astype(np.float32)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the number of words."""
        return [len(_words(text)) for text in texts]

    def close(self) -> None:
        """Forget the words seen."""
        self._word.cache_clear()

    def _fill(self, row: npt.NDArray[np.float64], text: str) -> None:
        words = _words(text)
        places: list[int] = []
        values: list[float] = []
        for word, count in Counter(words).items():
            # A square root, not a logarithm: IEEE 754 fixes its last bit on every machine.
            weight = math.sqrt(count) * (_SHORT_WEIGHT if len(word) <= _SHORT else 1.0)
            at, signed = self._word(word)
            places += at
            values += [weight * value for value in signed]
        for pair in pairwise(words):
            place, sign = self._bucket(" ".join(pair))
            places.append(place)
            values.append(sign * _PAIR_WEIGHT)
        row += np.bincount(np.array(places, dtype=np.int64), values, self._dimensions)
        if text and not row.any():
            # No words at all, or features that cancelled out: the text itself is the feature.
            place, sign = self._bucket(f"\0{text}")
            row[place] = sign

    def _hash_word(self, word: str) -> tuple[list[int], list[float]]:
        framed = f"<{word}>"
        pieces = [framed[i : i + _PIECE] for i in range(len(framed) - _PIECE + 1)]
        hashed = [self._bucket(word), *(self._bucket(f"#{piece}") for piece in pieces)]
        share = _PIECES_WEIGHT / math.sqrt(max(len(pieces), 1))
        signed = [hashed[0][1], *(sign * share for _, sign in hashed[1:])]
        return [place for place, _ in hashed], signed

    def _bucket(self, feature: str) -> tuple[int, float]:
        data = feature.encode("utf-8", "surrogatepass")
        digest = blake2b(data, digest_size=8, salt=self._salt).digest()
        number = int.from_bytes(digest, "little")
        return number % self._dimensions, 1.0 if number >> 63 else -1.0


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
