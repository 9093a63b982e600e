"""A pool of documents on which cells of the grid are worked out, in this process alone.

It holds what the questions look for, what either release finds, and documents drawn at
random. Vectors are copies of what is stored, or are embedded here; no database compares
them. That is what lets a cell cross the model of one release with the vectors of another
without any query of one space reaching a collection of another (INV-1).
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

import numpy as np
import numpy.typing as npt

from repoint.domain.document import Chunk, LogRow
from repoint.domain.errors import InputRejectedError
from repoint.domain.evaluation import Ranking, Rankings
from repoint.domain.ids import DocumentId, IndexName, Lsn, QueryId
from repoint.domain.spec import Distance
from repoint.operations.diagnose.asking import seen_once
from repoint.operations.diagnose.spending import Purse
from repoint.operations.embedding import Embedding
from repoint.operations.originals import filled
from repoint.operations.spaces import Model, Space
from repoint.ports.backend import FloatMatrix, FloatVector
from repoint.ports.store import Store

#: The part of a pool that is drawn at random.
_AT_RANDOM: Final = 0.2
#: Documents whose text is read at once.
_BATCH: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Vectors:
    """Chunks of documents, one row a chunk."""

    documents: Sequence[DocumentId]
    slots: Sequence[int]
    digests: Sequence[str]
    matrix: FloatMatrix

    def without(self, names: Collection[DocumentId]) -> Vectors:
        """Return the chunks of all other documents."""
        return self._kept([d not in names for d in self.documents])

    def only(self, names: Collection[DocumentId]) -> Vectors:
        """Return the chunks of these documents."""
        return self._kept([d in names for d in self.documents])

    def joined(self, others: Vectors) -> Vectors:
        """Return both, one after the other."""
        return Vectors(
            documents=[*self.documents, *others.documents],
            slots=[*self.slots, *others.slots],
            digests=[*self.digests, *others.digests],
            matrix=np.concatenate([self.matrix, others.matrix]),
        )

    def replaced(self, fresh: Vectors, names: Collection[DocumentId]) -> Vectors:
        """Return these chunks with some documents' taken from elsewhere."""
        return self.without(names).joined(fresh.only(names))

    def _kept(self, mask: Sequence[bool]) -> Vectors:
        places = [place for place, keep in enumerate(mask) if keep]
        return Vectors(
            documents=[self.documents[place] for place in places],
            slots=[self.slots[place] for place in places],
            digests=[self.digests[place] for place in places],
            matrix=self.matrix[places],
        )


def choose(
    store: Store,
    index: IndexName,
    *,
    relevant: Sequence[DocumentId],
    found: Sequence[Rankings],
    size: int,
    seed: int,
) -> dict[DocumentId, LogRow]:
    """Return the pool's documents as the log has them, within its size.

    Relevant documents come first, then what releases found, the best places first.
    """
    chance = random.Random(seed)  # noqa: S311 - a sample, not a secret
    wanted = dict.fromkeys(relevant)
    answers = [ranking for rankings in found for ranking in rankings.values()]
    for places in zip_longest(*answers):
        wanted.update(dict.fromkeys(name for name in places if name is not None))
    names = [name for name in wanted if not name.startswith("\x01")]
    head_room = max(len(relevant), round(size * (1 - _AT_RANDOM)))
    rows: dict[DocumentId, LogRow] = {}
    with store.read() as view:
        for start in range(0, min(len(names), head_room), _BATCH):
            rows |= view.log.get(index, names[start : min(start + _BATCH, head_room)])
        head = view.log.head(index)
        for position in chance.sample(range(head), min(head, 2 * size)):
            if len(rows) >= size:
                break
            for row in view.log.rows(index, above=Lsn(position), upto=head, limit=1):
                rows[row.id] = row
    return {name: row for name, row in rows.items() if row.document is not None}


def stored(space: Space, names: Sequence[DocumentId]) -> Vectors:
    """Return copies of what stands in a release's collection."""
    parts = [
        space.collection.stored(names[start : start + _BATCH], with_vectors=True)
        for start in range(0, len(names), _BATCH)
    ]
    dimensions = space.release.spec.model.dimensions
    matrices = [
        np.asarray(part.vectors, dtype=np.float32)
        for part in parts
        if part.vectors is not None and len(part.documents)
    ]
    return Vectors(
        documents=[name for part in parts for name in part.documents],
        slots=[int(slot) for part in parts for slot in part.slots],
        digests=[digest for part in parts for digest in part.digests],
        matrix=np.concatenate(matrices)
        if matrices
        else np.empty((0, dimensions), dtype=np.float32),
    )


def prepared(
    model: Model | Space, rows: Mapping[DocumentId, LogRow]
) -> dict[DocumentId, list[Chunk]]:
    """Return the chunks that a release's spec makes of documents; refused ones have none."""
    made: dict[DocumentId, list[Chunk]] = {}
    whole = filled(model.originals, model.release.index, list(rows.values()))
    made |= {name: [] for name in rows.keys() - {row.id for row in whole}}
    for name, row in ((row.id, row) for row in whole):
        if row.document is None:
            continue
        try:
            made[name] = model.preparer.prepare(row.document)
        except InputRejectedError:
            made[name] = []
    return made


def embedded(
    model: Model | Space,
    rows: Mapping[DocumentId, LogRow],
    *,
    purse: Purse,
    what: str,
) -> Vectors | None:
    """Embed documents from the log as the spec says; None where that is over the budget."""
    chunks = [
        (name, slot, chunk)
        for name, made in prepared(model, rows).items()
        for slot, chunk in enumerate(made)
    ]
    texts = [chunk.text for *_, chunk in chunks]
    if not purse.allows(len(texts), what=what):
        return None
    matrix, refused = embed(model.embedding, texts)
    purse.pay(model.release.spec.model, model.embedding, texts)
    kept = [place for place in range(len(chunks)) if place not in refused]
    return Vectors(
        documents=[chunks[place][0] for place in kept],
        slots=[chunks[place][1] for place in kept],
        digests=[chunks[place][2].digest for place in kept],
        matrix=matrix[kept],
    )


def embed(embedding: Embedding, texts: Sequence[str]) -> tuple[FloatMatrix, frozenset[int]]:
    """Return one row a text, in the model's own batches, and which texts it refuses."""
    step = max(embedding.embedder.traits.batch, 1)
    rows: list[FloatMatrix] = []
    refused: set[int] = set()
    for start in range(0, len(texts), step):
        found, why = embedding.isolate(texts[start : start + step])
        rows.append(found.values)
        refused.update(start + place for place in why)
    if not rows:
        return np.empty((0, embedding.embedder.dimensions), np.float32), frozenset()
    return np.concatenate(rows), frozenset(refused)


def rankings(
    questions: Mapping[QueryId, FloatVector],
    vectors: Vectors,
    *,
    distance: Distance,
    k: int,
    distinct: bool,
) -> dict[QueryId, Ranking]:
    """Return the nearest k documents for each question, by their nearest chunk."""
    if not len(vectors.documents):
        return dict.fromkeys(questions, ())
    order = sorted(range(len(vectors.documents)), key=lambda place: vectors.documents[place])
    names = [vectors.documents[place] for place in order]
    wide = np.nan_to_num(vectors.matrix[order].astype(np.float64))
    ranked: dict[QueryId, Ranking] = {}
    for query, vector in questions.items():
        best = np.argsort(-scores(vector, wide, distance), kind="stable")
        if distinct:
            kept: dict[DocumentId, None] = {}
            for place in best:
                kept[names[place]] = None
                if len(kept) == k:
                    break
            ranked[query] = tuple(kept)
        else:
            ranked[query] = seen_once([names[place] for place in best[:k]])
    return ranked


def scores(
    vector: FloatVector, wide: npt.NDArray[np.float64], distance: Distance
) -> npt.NDArray[np.float64]:
    """Return each row's score, by the rule that every backend follows."""
    asked = vector.astype(np.float64)
    found: npt.NDArray[np.float64] = wide @ asked
    if distance is Distance.L2:
        found = -np.square(wide - asked).sum(axis=1)
    elif distance is Distance.COSINE:
        norms = np.linalg.norm(wide, axis=1) * np.linalg.norm(asked)
        found = np.divide(found, norms, out=np.zeros_like(found), where=norms > 0)
    return found
