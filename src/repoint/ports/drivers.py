"""Where operations get their drivers from; the composition root answers it."""

from __future__ import annotations

from typing import Protocol

from repoint.domain.ids import IndexName
from repoint.domain.spec import ModelSpec, ReleaseSpec, RerankSpec
from repoint.ports.backend import Backend
from repoint.ports.embedder import Embedder
from repoint.ports.reranker import Reranker
from repoint.ports.text import Preparer


class Drivers(Protocol):
    """Opens drivers by what a spec says. The same spec gives the same instance again."""

    def backend(self, name: str) -> Backend:
        """Return the backend of that name.

        Raises:
            NotFoundError: nobody registered one under it.
        """
        ...

    def alias(self, backend: str, index: IndexName) -> str:
        """Return the name that the backend's database has for an index."""
        ...

    def embedder(self, model: ModelSpec) -> Embedder:
        """Return the model, opened.

        Raises:
            NotFoundError: no such provider.
            MissingModelError: its files or key are not here, or not those of the digest.
        """
        ...

    def reranker(self, spec: RerankSpec) -> Reranker:
        """Return the reranker, opened; raises as ``embedder``."""
        ...

    def preparer(self, spec: ReleaseSpec) -> Preparer:
        """Return the release's preprocessing and chunking."""
        ...

    def close(self) -> None:
        """Close every driver that was opened."""
        ...
