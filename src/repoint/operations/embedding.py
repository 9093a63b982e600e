"""Embed for one release: prefixes, checks, normalisation and the query cache.

Drivers return raw vectors; what all of them need is done here, once. Whatever leaves this
module is finite, not zero, of the release's dimensions, and carries its space (INV-1).
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import BoundedSemaphore, Lock
from typing import Final

import numpy as np
import numpy.typing as npt

from repoint.domain.errors import (
    DimensionsError,
    InputRejectedError,
    MissingModelError,
    ProviderAnswerError,
)
from repoint.domain.ids import Fingerprint
from repoint.domain.spec import ModelSpec
from repoint.ports.backend import FloatMatrix, SpaceMatrix, SpaceVector
from repoint.ports.embedder import Embedder, Purpose

#: No model that works refuses this text, so one that does is broken for every text.
HARMLESS: Final = "The library opens at nine in the morning."

#: The option of a model spec that cuts longer vectors to ``dimensions``.
TRUNCATE: Final = "truncate"


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheCounts:
    """What a query cache has done so far."""

    hits: int
    misses: int
    size: int


class QueryCache:
    """The newest query vectors of any number of releases, within one bound.

    Keyed by the release's fingerprint and the text, so two spaces never meet here
    (INV-1). Safe to use from many threads.
    """

    def __init__(self, *, size: int = 10_000) -> None:
        self._size = size
        self._lock = Lock()
        self._vectors: OrderedDict[tuple[Fingerprint, str], SpaceVector] = OrderedDict()
        self._hits = 0
        self._misses = 0

    def get(self, space: Fingerprint, text: str) -> SpaceVector | None:
        """Return the vector, and keep it longer; None when it is not there."""
        with self._lock:
            vector = self._vectors.get((space, text))
            if vector is None:
                self._misses += 1
                return None
            self._hits += 1
            self._vectors.move_to_end((space, text))
            return vector

    def put(self, text: str, vector: SpaceVector) -> None:
        """Keep a vector, in place of the one that was longest unused."""
        with self._lock:
            self._vectors[vector.space, text] = vector
            self._vectors.move_to_end((vector.space, text))
            while len(self._vectors) > self._size:
                self._vectors.popitem(last=False)

    def clear(self) -> None:
        """Forget every text and vector; the counts go on."""
        with self._lock:
            self._vectors.clear()

    def counts(self) -> CacheCounts:
        """Return hits and misses so far, and how many vectors are kept."""
        with self._lock:
            return CacheCounts(hits=self._hits, misses=self._misses, size=len(self._vectors))


class Embedding:
    """One release's use of its model. Safe to use from many threads."""

    def __init__(
        self,
        model: ModelSpec,
        embedder: Embedder,
        fingerprint: Fingerprint,
        *,
        cache: QueryCache | None = None,
    ) -> None:
        """Take the release's model, after checking that it is the one the spec names.

        Raises:
            MissingModelError: the files here are not those of the spec's digest.
        """
        check_identity(model, embedder)
        self._model = model
        self._embedder = embedder
        self._space = fingerprint
        self._cache = QueryCache() if cache is None else cache
        self._name = model.name or model.provider
        # Shared by all who write into the release here, so that a sync and a follower
        # together ask no more of the model than it likes. Queries never queue behind them.
        self._turns = BoundedSemaphore(max(embedder.traits.parallel, 1))

    @property
    def embedder(self) -> Embedder:
        """The driver, for its traits and revision."""
        return self._embedder

    @property
    def space(self) -> Fingerprint:
        """The space of every vector that it gives."""
        return self._space

    def documents(self, texts: Sequence[str]) -> SpaceMatrix:
        """Return one checked row a text, in order.

        Raises:
            InputRejectedError: the model will never embed one of these texts; ``isolate``
                says which.
            UnavailableError: no usable answer; ask again.
            DimensionsError: the model gives vectors of another length.
        """
        rows = self._raw(texts, Purpose.DOCUMENT)
        faults = _faults(rows)
        if faults:
            position, why = next(iter(faults.items()))
            raise self._rejected(f"text {position + 1} of {len(texts)} {why}")
        return SpaceMatrix(self._space, self._finished(rows))

    def isolate(
        self, texts: Sequence[str]
    ) -> tuple[SpaceMatrix, Mapping[int, InputRejectedError]]:
        """Return one row a text, NaN where the model will never embed it, and why by position.

        A batch that is refused is halved until the texts to blame stand alone. Where
        everything would be to blame, a harmless text decides: if that fails too, the
        model is, and its error is raised instead of condemning every document.

        Raises:
            InputRejectedError: the model refuses whatever it is given.
            UnavailableError: no usable answer; ask again.
            DimensionsError: the model gives vectors of another length.
        """
        rows = np.full((len(texts), self._model.dimensions), np.nan, dtype=np.float32)
        rejected: dict[int, InputRejectedError] = {}
        trusted = False
        pending = [range(len(texts))]
        while pending:
            span = pending.pop()
            try:
                found = self._raw(texts[span.start : span.stop], Purpose.DOCUMENT)
            except InputRejectedError as error:
                trusted = trusted or self._prove_model()
                if len(span) == 1:
                    rejected[span.start] = error
                else:
                    middle = span.start + len(span) // 2
                    pending += [range(middle, span.stop), range(span.start, middle)]
                continue
            faults = _faults(found)
            if faults:
                trusted = trusted or self._prove_model()
            for place, why in faults.items():
                rejected[span.start + place] = self._rejected(f"the text {why}")
            good = [place for place in range(len(span)) if place not in faults]
            rows[[span.start + place for place in good]] = self._finished(found[good])
        return SpaceMatrix(self._space, rows), dict(sorted(rejected.items()))

    def query(self, text: str, *, cached: bool = True) -> SpaceVector:
        """Return the query's vector, from the cache where it is there.

        Raises:
            InputRejectedError: the model will never embed it.
            UnavailableError: no usable answer; ask again.
            DimensionsError: the model gives vectors of another length.
        """
        return self.look_up(text, cached=cached)[0]

    def look_up(self, text: str, *, cached: bool = True) -> tuple[SpaceVector, bool]:
        """Return the query's vector, and whether the model was asked; raises as ``query``."""
        known = self._cache.get(self._space, text) if cached else None
        if known is not None:
            return known, False
        vector = self.queries([text])[0]
        if cached:
            self._cache.put(text, vector)
        return vector, True

    def queries(self, texts: Sequence[str]) -> list[SpaceVector]:
        """Return fresh query vectors for many texts in one call; raises as ``query``."""
        rows = self._raw(texts, Purpose.QUERY)
        faults = _faults(rows)
        if faults:
            raise self._rejected(f"the query {next(iter(faults.values()))}")
        finished = self._finished(rows)
        finished.setflags(write=False)  # shared with every later caller through the cache
        return [SpaceVector(self._space, row) for row in finished]

    def count_tokens(self, texts: Sequence[str]) -> int:
        """Return how many tokens these documents are, prefixes included."""
        if not texts:
            return 0
        prefix = self._model.document_prefix
        return sum(self._embedder.count_tokens([prefix + text for text in texts]))

    def count_query_tokens(self, texts: Sequence[str]) -> int:
        """Return how many tokens these questions are, prefixes included."""
        if not texts:
            return 0
        prefix = self._model.query_prefix
        return sum(self._embedder.count_tokens([prefix + text for text in texts]))

    def forget_queries(self) -> None:
        """Forget every question and vector of the query cache, shared or not."""
        self._cache.clear()

    def cache_counts(self) -> CacheCounts:
        """Return what the query cache, shared or not, has done."""
        return self._cache.counts()

    def _raw(self, texts: Sequence[str], purpose: Purpose) -> FloatMatrix:
        wanted = self._model.dimensions
        if not texts:
            return np.empty((0, wanted), dtype=np.float32)
        model = self._model
        prefix = model.query_prefix if purpose is Purpose.QUERY else model.document_prefix
        given = [prefix + text for text in texts]
        if purpose is Purpose.QUERY:
            rows = self._embedder.embed(given, purpose=purpose)
        else:
            with self._turns:
                rows = self._embedder.embed(given, purpose=purpose)
        if rows.ndim != 2 or rows.shape[0] != len(texts):  # noqa: PLR2004 - a matrix
            raise ProviderAnswerError(
                f"model {self._name!r} gave an array of shape {rows.shape} "
                f"for {len(texts)} texts"
            )
        found = rows.shape[1]
        if found > wanted and model.options.get(TRUNCATE) is True:
            return rows[:, :wanted]
        if found != wanted:
            raise DimensionsError(where=f"model {self._name!r}", expected=wanted, found=found)
        return rows

    def _finished(self, rows: FloatMatrix) -> FloatMatrix:
        if not self._model.normalise:
            return rows.astype(np.float32)
        wide = rows.astype(np.float64)
        norms = np.linalg.norm(wide, axis=1, keepdims=True)
        unit: FloatMatrix = (wide / norms).astype(np.float32)
        return unit

    def _prove_model(self) -> bool:
        if _faults(self._raw([HARMLESS], Purpose.DOCUMENT)):
            raise ProviderAnswerError(
                f"model {self._name!r} gives no usable vector for any text",
                hint="see: repoint check",
            )
        return True

    def _rejected(self, why: str) -> InputRejectedError:
        return InputRejectedError(model=self._name, why=why)


def check_identity(model: ModelSpec, embedder: Embedder) -> None:
    """Refuse a model whose files are not the ones that the release was made with.

    Raises:
        MissingModelError: the digests differ.
    """
    if model.digest and embedder.revision != model.digest:
        raise MissingModelError(
            model=model.name or model.provider,
            why=f"the files here are not those of the digest: {embedder.revision[:12]}, "
            f"not {model.digest[:12]}",
            hint="restore the files that the release was made with, or create a new release",
        )


def pinned(model: ModelSpec, embedder: Embedder) -> ModelSpec:
    """Return the spec with what identifies the model written into it.

    A local model's digest makes ``check_identity`` refuse any other files later; of a
    remote model only the name of its version is known, and the probes do the checking.
    """
    check_identity(model, embedder)
    if embedder.traits.remote:
        return dataclasses.replace(model, revision=model.revision or embedder.revision)
    return dataclasses.replace(model, digest=embedder.revision)


def _faults(rows: npt.NDArray[np.float32]) -> dict[int, str]:
    """Return the rows that are no vectors, and why."""
    finite = np.isfinite(rows).all(axis=1)
    zero = finite & ~rows.any(axis=1)
    faults = {int(row): "got a vector that is not finite" for row in np.flatnonzero(~finite)}
    faults |= {int(row): "got a vector of zeros" for row in np.flatnonzero(zero)}
    return dict(sorted(faults.items()))
