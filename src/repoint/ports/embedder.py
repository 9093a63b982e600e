"""Who turns text into vectors: embedding models, local or behind a provider.

``repoint.testing.EmbedderSuite`` checks each promise by the name in brackets. A driver
returns raw vectors; prefixes, truncation of dimensions, normalisation, and the checks for
NaN, zero and wrong length belong to ``repoint.operations.embedding``, once for all drivers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from repoint.ports.backend import FloatMatrix


class Purpose(StrEnum):
    """What a text is embedded for; some providers have a model for each."""

    DOCUMENT = "document"
    QUERY = "query"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedderTraits:
    """How a driver likes to be used."""

    #: Texts in one call that make good use of it.
    batch: int
    #: Calls at the same time that help; 1 where a call already uses every core.
    parallel: int
    #: Calls leave this machine: they cost money and can be rate limited.
    remote: bool
    #: The same text gives the same bits, alone and in any batch.
    bit_stable: bool


class Embedder(Protocol):
    """One embedding model. Safe to use from many threads [threads]."""

    @property
    def dimensions(self) -> int:
        """Length of the vectors that it returns."""
        ...

    @property
    def revision(self) -> str:
        """What tells this model from another of the same name: a digest, a version.

        For local files the SHA-256 over the files that decide the vectors [digest].
        """
        ...

    @property
    def traits(self) -> EmbedderTraits:
        """How it likes to be used."""
        ...

    def embed(self, texts: Sequence[str], *, purpose: Purpose) -> FloatMatrix:
        """Return one row a text, in order [order]; no texts give shape (0, dimensions) [empty].

        Raises:
            InputRejectedError: the model will never accept one of these texts.
            RateLimitedError: asked to slow down, retries within the driver used up.
            UnavailableError: no answer, retries within the driver used up.
            ProviderAnswerError: an answer that is not one vector of the right length a text.
        """
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return each text's number of tokens, before truncation; an estimate if remote."""
        ...

    def close(self) -> None:
        """Release what it holds."""
        ...
