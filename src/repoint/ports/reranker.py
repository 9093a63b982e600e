"""Who puts hits into a better order after retrieval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Reranker(Protocol):
    """Scores texts against a query. Safe to use from many threads."""

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        """Return one score a text, in order; higher is better.

        Raises:
            UnavailableError: no answer; ask again.
        """
        ...

    def close(self) -> None:
        """Release what it holds."""
        ...
