"""The model of a release whose queries go over a bridge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from repoint.domain.bridge import BridgeMap
from repoint.domain.errors import MissingModelError
from repoint.domain.release import Release
from repoint.operations.embedding import Embedding
from repoint.ports.backend import FloatMatrix
from repoint.ports.embedder import EmbedderTraits, Purpose


class BridgedEmbedder:
    """``ports.embedder.Embedder`` for queries alone: a living model, then the map.

    Documents are refused: what the map loses would stand in the collection for good.
    """

    def __init__(self, bridge: BridgeMap, living: Embedding, *, dimensions: int) -> None:
        self._bridge, self._living = bridge, living
        flat = np.frombuffer(bridge.weights, dtype="<f4")
        self._weights: FloatMatrix = flat.reshape(-1, dimensions).astype(np.float32)

    @property
    def dimensions(self) -> int:
        """Length of the vectors that it returns: the old space's."""
        return int(self._weights.shape[1])

    @property
    def revision(self) -> str:
        """The bridge, since it decides the vectors as much as the model does."""
        return f"bridge {self._bridge.id}"

    @property
    def traits(self) -> EmbedderTraits:
        """Those of the living model."""
        return self._living.embedder.traits

    def embed(self, texts: Sequence[str], *, purpose: Purpose) -> FloatMatrix:
        """Return one mapped row a query.

        Raises:
            MissingModelError: the texts are documents.
        """
        if purpose is Purpose.DOCUMENT:
            raise MissingModelError(
                model=f"of release {self._bridge.release}",
                why=f"its queries go over bridge {self._bridge.id}, and documents never do",
                hint=f"what is written waits until the model is back: repoint bridge disable "
                f"{self._bridge.index} {self._bridge.release}",
            )
        rows = [vector.values for vector in self._living.queries(texts)]
        if not rows:
            return np.empty((0, self.dimensions), dtype=np.float32)
        return apply(np.stack(rows), self._weights)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return each text's number of tokens for the living model."""
        return self._living.embedder.count_tokens(texts)

    def close(self) -> None:
        """Nothing to release: the living model belongs to whoever opened it."""


def apply(rows: FloatMatrix, weights: FloatMatrix) -> FloatMatrix:
    """Return the rows in the map's target space, their lengths as they come out.

    ``weights`` has one row a source dimension, and a last one that is added.
    """
    mapped: FloatMatrix = rows @ weights[:-1] + weights[-1]
    return mapped


def bridged(bridge: BridgeMap, living: Embedding, release: Release) -> Embedding:
    """Return an embedding for the old release's space, fed by the living model.

    Prefixes, files and options are the living model's business; dimensions and normalisation
    are the old one's.
    """
    model = release.spec.model
    bare = replace(model, digest="", query_prefix="", document_prefix="", options={})
    embedder = BridgedEmbedder(bridge, living, dimensions=model.dimensions)
    return Embedding(bare, embedder, release.fingerprint)
