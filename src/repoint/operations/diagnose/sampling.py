"""Embed a sample of stored documents again, and find out what made those that do not match.

The declared model must give the stored vectors again, within what was measured of it. Where
it does not, alternatives are tried one by one until one of them does.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from repoint.domain.diagnosis import Fault, Sample
from repoint.domain.document import LogRow
from repoint.domain.errors import RepointError
from repoint.domain.ids import DocumentId
from repoint.domain.spec import Distance, ModelSpec, Pooling, ReleaseSpec
from repoint.operations.diagnose import pool
from repoint.operations.diagnose.pool import Vectors
from repoint.operations.diagnose.spending import Purse
from repoint.operations.embedding import Embedding
from repoint.operations.probing import cosine_distance
from repoint.operations.spaces import Space, Spaces
from repoint.ports.backend import FloatVector

#: Databases may store less than single precision.
_SLACK: Final = 1e-4
#: How far lengths may differ, relative to each other.
_LENGTH_SLACK: Final = 0.02
#: Chunks that alternatives are tried on.
_TRIED: Final = 12
#: An alternative explains the vectors when it reproduces this share of them.
_EXPLAINS: Final = 0.75
#: Where inputs are cut by those who cut them.
_CUTS: Final = (8, 16, 32, 64, 128, 256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """What may have made vectors in place of the declared model."""

    fault: Fault
    says: str
    model: ModelSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What the sample showed."""

    sample: Sample
    #: Documents whose vectors the declared model does not give.
    strange: frozenset[DocumentId] = frozenset()
    #: Documents whose vectors are right but for their length.
    unscaled: frozenset[DocumentId] = frozenset()
    maker: Maker | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """Documents of a release that are looked at, and within what they must agree."""

    spaces: Spaces
    space: Space
    rows: Mapping[DocumentId, LogRow]
    #: Largest cosine distance that the model is known to stray by.
    noise: float

    def agree(self, one: FloatVector, other: FloatVector) -> bool:
        """Return whether two vectors point the same way, as far as the model can tell."""
        if not (np.isfinite(other).all() and np.any(one) and np.any(other)):
            return False
        return bool(cosine_distance(one, other) <= max(self.noise, _SLACK))

    def embedding(self, model: ModelSpec) -> Embedding:
        """Open another model in place of the release's own."""
        spec = replace(self.space.release.spec, model=model)
        return self.spaces.embedding(spec, spec.fingerprint())


def look(sampled: Sampled, held: Vectors, makers: Sequence[Maker], *, purse: Purse) -> Looked:
    """Compare stored vectors with fresh ones of the same text, and explain what differs."""
    space, rows = sampled.space, sampled.rows
    fresh = pool.embedded(space, rows, purse=purse, what="the sample of stored documents")
    if fresh is None:
        return Looked(sample=Sample(documents=0, compared=0, matching=0, median_cosine=None))
    again = {
        (document, slot): (digest, place)
        for place, (document, slot, digest) in enumerate(
            zip(fresh.documents, fresh.slots, fresh.digests, strict=True)
        )
    }
    spec = space.release.spec
    scaled = spec.model.normalise or spec.distance is not Distance.COSINE
    cosines: list[float] = []
    compared: set[DocumentId] = set()
    strange: dict[tuple[DocumentId, int], FloatVector] = {}
    unscaled: set[DocumentId] = set()
    for place, key in enumerate(zip(held.documents, held.slots, strict=True)):
        digest, there = again.get(key, ("", -1))
        vector = held.matrix[place]
        # What is zero or not finite is no vector of anybody's: the log's comparison has it.
        if digest != held.digests[place] or not np.any(vector) or not np.isfinite(vector).all():
            continue
        wanted = fresh.matrix[there]
        compared.add(key[0])
        cosines.append(1.0 - cosine_distance(vector, wanted))
        if not sampled.agree(vector, wanted):
            strange[key] = vector
        elif scaled and not _same_length(vector, wanted):
            unscaled.add(key[0])
    names = frozenset(document for document, _ in strange)
    maker = _explained(sampled, strange, makers, purse=purse)
    return Looked(
        sample=Sample(
            documents=len(rows),
            compared=len(compared),
            matching=len(compared - names - unscaled),
            median_cosine=statistics.median(cosines) if cosines else None,
            explained_by="" if maker is None else maker.says,
        ),
        strange=names,
        unscaled=frozenset(unscaled),
        maker=maker,
    )


def makers(
    spec: ReleaseSpec, baseline: ReleaseSpec, others: Mapping[str, ModelSpec], *, longest: int
) -> Iterator[Maker]:
    """Yield what may have made the vectors, the cheapest mistakes first."""
    model = spec.model
    yield from _prefixes(model, baseline.model)
    for name, other in others.items():
        yield Maker(fault=Fault.OTHER_MODEL, says=name, model=other)
    for cut in _CUTS:
        if cut < min(longest, model.max_tokens or longest):
            yield Maker(
                fault=Fault.TRUNCATION,
                says=f"the same model on the first {cut} tokens",
                model=replace(model, max_tokens=cut),
            )
    if model.provider == "onnx":
        other_way = Pooling.CLS if model.pooling is Pooling.MEAN else Pooling.MEAN
        yield Maker(
            fault=Fault.POOLING,
            says=f"the same model with {other_way} pooling",
            model=replace(model, pooling=other_way),
        )


def _prefixes(model: ModelSpec, baseline: ModelSpec) -> Iterator[Maker]:
    tried = {model.document_prefix}
    for prefix, whose in (
        ("", "no prefix"),
        (model.query_prefix, "the prefix of questions"),
        (baseline.document_prefix, "the baseline's prefix"),
    ):
        if prefix not in tried:
            tried.add(prefix)
            yield Maker(
                fault=Fault.DOCUMENT_PREFIX,
                says=f"the same model with {whose}",
                model=replace(model, document_prefix=prefix),
            )


def _explained(
    sampled: Sampled,
    strange: Mapping[tuple[DocumentId, int], FloatVector],
    makers: Sequence[Maker],
    *,
    purse: Purse,
) -> Maker | None:
    """Return the maker that gives the strange vectors again; None where none does."""
    keys = list(strange)[:_TRIED]
    if not keys:
        return None
    chunks = pool.prepared(sampled.space, {name: sampled.rows[name] for name, _ in keys})
    texts = [chunks[name][slot].text for name, slot in keys]
    for maker in makers:
        what = f"whether {maker.says} made the vectors"
        if not purse.allows(len(texts), what=what):
            return None
        try:
            embedding = sampled.embedding(maker.model)
            matrix, _ = pool.embed(embedding, texts)
        except RepointError as error:
            purse.left_out.append(f"{what}: {error.message}")
            continue
        purse.pay(maker.model, embedding, texts)
        near = sum(
            sampled.agree(strange[key], row) for key, row in zip(keys, matrix, strict=True)
        )
        if near >= _EXPLAINS * len(keys):
            return maker
    return None


def _same_length(one: FloatVector, other: FloatVector) -> bool:
    lengths = float(np.linalg.norm(one)), float(np.linalg.norm(other))
    return abs(lengths[0] - lengths[1]) <= _LENGTH_SLACK * max(lengths)
