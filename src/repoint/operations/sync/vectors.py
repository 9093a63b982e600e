"""Get the vectors of a slab: stored ones where the text did not change, else the model's.

A stored vector is reused by the digest of its chunk's text, and only from the release's
own collection, so the fingerprint is the same by construction: never by content alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from repoint.domain.catchup import Lease
from repoint.domain.errors import InputRejectedError, UnavailableError
from repoint.domain.ids import DocumentId
from repoint.operations.embedding import Embedding
from repoint.operations.sync.control import Control
from repoint.operations.sync.slabs import Slab
from repoint.ports.backend import Collection, FloatMatrix, SpaceMatrix

#: Characters of one token where nothing was counted yet.
_USUAL_RATIO: Final = 4.0
#: Texts that are counted to learn it.
_SAMPLE: Final = 32

#: For each chunk of a slab, where its vector is.
Places: TypeAlias = npt.NDArray[np.int64]


@dataclass(slots=True, kw_only=True)
class Vectors:
    """The vectors of a slab's first ``rows`` rows; more were not paid for before a stop."""

    rows: int
    matrix: SpaceMatrix
    #: Rows that preparation or the model refuses, by place.
    refused: dict[int, InputRejectedError]
    embedded: int
    reused: int
    tokens: int = 0
    #: Why the model did not answer for the rest: to be raised once these rows are written.
    failure: UnavailableError | None = None


@dataclass(slots=True)
class _Pool:
    """Each different text of a slab once; the known ones have their vector already."""

    texts: list[str] = field(default_factory=list)
    #: Digest to place: from 0 in ``texts``, from -1 downwards in ``known``.
    places: dict[str, int] = field(default_factory=dict)
    known: list[int] = field(default_factory=list)
    #: For each chunk of the slab its place.
    source: list[int] = field(default_factory=list)


class Embeddings:
    """Embeds slabs for one sync."""

    def __init__(
        self,
        embedding: Embedding,
        collection: Collection,
        control: Control,
        *,
        exact_tokens: bool,
    ) -> None:
        self._embedding = embedding
        self._collection = collection
        self._control = control
        traits = embedding.embedder.traits
        self._batch = max(traits.batch, 1)
        self._tokens = _TokenCount(embedding, exact=exact_tokens or traits.remote)

    def of(self, slab: Slab, *, reuse: Sequence[DocumentId]) -> Vectors:
        """Return the slab's vectors, as far as the control lets it go on.

        Of the documents in ``reuse`` something may be stored already.

        Raises:
            UnavailableError: the model does not answer, not even for the first batch.
        """
        stored_digests, stored = self._stored(reuse)
        pool = _pool(slab, stored_digests)
        fresh = np.empty((len(pool.texts), self._collection.spec.dimensions), dtype=np.float32)
        rejected: dict[int, InputRejectedError] = {}
        failure: UnavailableError | None = None
        done, tokens = 0, 0
        for span in _batches(len(pool.texts), self._batch):
            texts = pool.texts[span.start : span.stop]
            count = self._tokens.of(texts)
            if self._control.ended() or not self._control.spend(count):
                break
            try:
                fresh[span.start : span.stop] = self._embed(texts, span.start, rejected)
            except UnavailableError as error:
                if not done:
                    raise
                failure = error  # what was paid for so far is not thrown away
                break
            done, tokens = span.stop, tokens + count
        vectors = self._assemble(slab, pool, fresh[:done], stored, rejected)
        vectors.tokens, vectors.failure = tokens, failure
        return vectors

    def _embed(
        self, texts: Sequence[str], first: int, rejected: dict[int, InputRejectedError]
    ) -> FloatMatrix:
        try:
            return self._embedding.documents(texts).values
        except InputRejectedError:
            found, blamed = self._embedding.isolate(texts)
            rejected.update({first + place: error for place, error in blamed.items()})
            return found.values

    def _stored(self, ids: Sequence[DocumentId]) -> tuple[dict[str, int], FloatMatrix | None]:
        """Return the digests of what may be reused, and the vectors that they number."""
        if not ids:
            return {}, None
        batch = self._collection.stored(ids, with_vectors=True)
        if batch.vectors is None or not len(batch.digests):
            return {}, None
        usable: npt.NDArray[np.bool_] = np.isfinite(batch.vectors.sum(axis=1))
        return (
            {digest: row for row, digest in enumerate(batch.digests) if usable[row]},
            batch.vectors,
        )

    def _assemble(
        self,
        slab: Slab,
        pool: _Pool,
        fresh: FloatMatrix,
        stored: FloatMatrix | None,
        rejected: dict[int, InputRejectedError],
    ) -> Vectors:
        done = len(fresh)
        source = np.array(pool.source, dtype=np.int64)
        rows, used = len(slab.rows), len(source)
        if done < len(pool.texts):
            rows, used = _whole_rows(slab, source, done)
        refused = {place: error for place, error in slab.refused.items() if place < rows}
        keep = np.ones(used, dtype=bool)
        if rejected:
            _refuse(slab, rows, source, rejected, refused, keep)
        source = source[:used][keep]
        everything = fresh
        if pool.known and stored is not None:
            # Known places count down from -1, which is how an array counts from its end.
            everything = np.concatenate([fresh, stored[pool.known[::-1]]])
        return Vectors(
            rows=rows,
            matrix=SpaceMatrix(self._embedding.space, everything[source]),
            refused=refused,
            embedded=done,
            reused=int(np.count_nonzero(np.array(pool.source[:used], dtype=np.int64) < 0)),
        )


class _TokenCount:
    """Counts tokens where it must be exact, and otherwise by the ratio of the first texts."""

    def __init__(self, embedding: Embedding, *, exact: bool) -> None:
        self._embedding = embedding
        self._exact = exact
        self._ratio: float | None = None
        self._lock = Lock()

    def of(self, texts: Sequence[str]) -> int:
        """Return how many tokens these texts are."""
        if self._exact:
            return self._embedding.count_tokens(texts)
        characters = sum(map(len, texts))
        with self._lock:
            if self._ratio is None:
                # Counting everything would tokenize everything twice.
                sample = texts[:_SAMPLE]
                counted = self._embedding.count_tokens(sample)
                self._ratio = sum(map(len, sample)) / counted if counted else _USUAL_RATIO
            return round(characters / self._ratio) if self._ratio else 0


def maybe_stored(slab: Slab, lease: Lease) -> list[DocumentId]:
    """Return the documents of which an earlier version or attempt may be stored."""
    retry = lease.attempt > 1
    return [
        row.id
        for row, chunks in zip(slab.rows, slab.chunks, strict=True)
        if chunks and (retry or row.first_lsn <= lease.watermark)
    ]


def _pool(slab: Slab, stored: dict[str, int]) -> _Pool:
    pool = _Pool()
    texts, places, known, source = pool.texts, pool.places, pool.known, pool.source
    for chunks in slab.chunks:
        for chunk in chunks:
            digest = chunk.digest
            place = places.get(digest)
            if place is None:
                row = stored.get(digest)
                if row is None:
                    place = len(texts)
                    texts.append(chunk.text)
                else:
                    known.append(row)
                    place = -len(known)
                places[digest] = place
            source.append(place)
    return pool


def _batches(texts: int, batch: int) -> Iterator[range]:
    for start in range(0, texts, batch):
        yield range(start, min(start + batch, texts))


def _whole_rows(slab: Slab, source: Places, done: int) -> tuple[int, int]:
    """Return how many first rows have all their vectors, and how many chunks those have."""
    missing = int(np.flatnonzero(source >= done)[0])
    used = 0
    for rows, chunks in enumerate(slab.chunks):
        if used + len(chunks) > missing:
            return rows, used
        used += len(chunks)
    return len(slab.rows), used


def _refuse(
    slab: Slab,
    rows: int,
    source: Places,
    rejected: dict[int, InputRejectedError],
    refused: dict[int, InputRejectedError],
    keep: npt.NDArray[np.bool_],
) -> None:
    """Turn rejected texts into refused rows: a document is there whole or not at all."""
    first = 0
    for row, chunks in enumerate(slab.chunks[:rows]):
        last = first + len(chunks)
        blamed = next((int(p) for p in source[first:last] if int(p) in rejected), None)
        if blamed is not None:
            refused[row] = rejected[blamed]
            keep[first:last] = False
        first = last
