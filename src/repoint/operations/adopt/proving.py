"""Does a spec make the vectors that a collection holds? A sample is embedded again to know.

Where it does not, ``alternatives`` are tried on a part of the sample, so that the part of
the declaration that differs can be named.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from repoint.domain.comparison import NORM_TOLERANCE
from repoint.domain.document import Document, Json
from repoint.domain.errors import InputRejectedError, RepointError
from repoint.domain.ids import Fingerprint
from repoint.domain.spec import ReleaseSpec
from repoint.operations.adopt.alternatives import Alternative, Variation
from repoint.operations.adopt.models import Models, ProvingDrivers
from repoint.operations.embedding import Embedding
from repoint.operations.probing import cosine_distance
from repoint.ports.adoption import Foreign, ForeignPage
from repoint.ports.backend import FloatMatrix

#: Rows that are embedded again.
SAMPLE: Final = 64
#: Rows that each alternative is tried on.
TRIED_ON: Final = 12
#: A cosine distance within which another runtime, precision or processor may lie. Leaving
#: out a prefix moves a vector at least ten times further.
BAND: Final = 1e-3
#: Vectors of lengths that vary less are all of one length.
_SPREAD: Final = 1e-3
#: Documents that are named.
_EXAMPLES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One part of the declaration, as it was declared and as the vectors say."""

    part: str
    declared: str
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a sample said of a declaration."""

    sampled: int
    #: Sampled rows whose vector is not what the spec makes.
    beyond: int
    #: Cosine distances: the middle one, and the largest.
    median: float
    largest: float
    band: float
    #: Parts that differ, where they could be told.
    differences: tuple[Difference, ...] = ()
    #: What came nearest, where nothing that was tried makes these vectors.
    nearest: str = ""
    #: Alternatives that were tried.
    tried: int = 0
    examples: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against the declaration."""
        return self.beyond == 0 and not self.differences

    def as_tree(self) -> dict[str, Json]:
        """Return the figures as plain values."""
        return {
            "sampled": self.sampled,
            "beyond": self.beyond,
            "median": self.median,
            "largest": self.largest,
            "band": self.band,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    documents: Sequence[Document]
    vectors: FloatMatrix

    def part(self, count: int) -> _Sample:
        return _Sample(documents=self.documents[:count], vectors=self.vectors[:count])


def prove(
    foreign: Foreign,
    page: ForeignPage,
    spec: ReleaseSpec,
    drivers: ProvingDrivers,
    *,
    band: float,
    others: Iterable[tuple[str, ReleaseSpec]] = (),
) -> Proof:
    """Return whether the spec makes the sampled vectors; ``others`` may have made them.

    Raises:
        UnavailableError: the declared model does not answer.
        MissingModelError: it cannot be opened here.
    """
    sample = _whole(page)
    with Models(drivers, spec.model) as models:
        return _proven(foreign, sample, spec, models, band=band, others=others)


def _proven(
    foreign: Foreign,
    sample: _Sample,
    spec: ReleaseSpec,
    models: Models,
    *,
    band: float,
    others: Iterable[tuple[str, ReleaseSpec]],
) -> Proof:
    found = _distances(sample, spec, models)
    beyond = found > band
    proof = Proof(
        sampled=len(found),
        beyond=int(beyond.sum()),
        median=float(np.median(found)) if len(found) else 0.0,
        largest=float(found.max()) if len(found) else 0.0,
        band=band,
        examples=tuple(
            sample.documents[place].id for place in np.flatnonzero(beyond)[:_EXAMPLES]
        ),
    )
    differences = [] if foreign.normalises else _of_lengths(sample, spec, models)
    if not proof.beyond:
        return _with(proof, differences, tried=0)
    # A few rows that are off say nothing of the declaration: they may be stale.
    wrong = _Sample(
        documents=[sample.documents[int(place)] for place in np.flatnonzero(beyond)],
        vectors=sample.vectors[beyond],
    ).part(TRIED_ON)
    best, tried, distance = _explained(wrong, spec, models, band=band, others=others)
    differences += [
        Difference(part=one.part, declared=one.declared, found=one.found)
        for one in best.changes
    ]
    if distance > band:
        nearest = ", ".join(f"{one.part} {one.found}" for one in best.changes) or "as declared"
        return _with(
            proof, [], tried=tried, nearest=f"{nearest} (median distance {distance:.2g})"
        )
    return _with(proof, differences, tried=tried)


def _with(
    proof: Proof, differences: Sequence[Difference], *, tried: int, nearest: str = ""
) -> Proof:
    return Proof(
        sampled=proof.sampled,
        beyond=proof.beyond,
        median=proof.median,
        largest=proof.largest,
        band=proof.band,
        differences=tuple(differences),
        nearest=nearest,
        tried=tried,
        examples=proof.examples,
    )


def _whole(page: ForeignPage) -> _Sample:
    documents = [row.document for row in page.rows]
    vectors = page.vectors if page.vectors is not None else np.empty((0, 0), dtype=np.float32)
    usable = np.isfinite(vectors).all(axis=1) & vectors.any(axis=1)
    places = np.flatnonzero(usable)
    return _Sample(documents=[documents[int(one)] for one in places], vectors=vectors[places])


def _explained(
    wrong: _Sample,
    spec: ReleaseSpec,
    models: Models,
    *,
    band: float,
    others: Iterable[tuple[str, ReleaseSpec]],
) -> tuple[Alternative, int, float]:
    """Return what comes nearest, how many were tried, and its median distance.

    One part is changed at a time; from the best of those a second part.
    """
    tried = 0

    def measured(one: Alternative) -> float:
        nonlocal tried
        tried += 1
        try:
            return float(np.median(_distances(wrong, one.spec, models)))
        except RepointError:  # an alternative that cannot be is no explanation
            return float("inf")

    declared = Alternative(spec=spec, changes=())
    best, distance = declared, measured(declared)
    vary = Variation(models.preparer, others=tuple(others))
    for _ in range(2):
        began = best
        for one in vary.of(began):
            now = measured(one)
            if now < distance:
                best, distance = one, now
            if distance <= band:
                return best, tried, distance
        if best is began:
            break  # no part changed alone comes nearer, so none is worth a second
    return best, tried, distance


def _distances(sample: _Sample, spec: ReleaseSpec, models: Models) -> npt.NDArray[np.float64]:
    """Return each sampled row's distance; 2, the largest there is, where it has no vector."""
    if not sample.documents:
        return np.zeros(0)
    made = _made(sample.documents, spec, models)
    return np.array(
        [
            2.0
            if vector is None or len(vector) != len(stored)
            else cosine_distance(vector, stored)
            for vector, stored in zip(made, sample.vectors, strict=True)
        ]
    )


def _made(
    documents: Sequence[Document], spec: ReleaseSpec, models: Models
) -> list[npt.NDArray[np.float32] | None]:
    preparer = models.preparer(spec)
    embedding = Embedding(spec.model, models.embedder(spec.model), Fingerprint("a proof"))
    texts: dict[int, str] = {}
    for place, document in enumerate(documents):
        try:
            chunks = preparer.prepare(document)
        except InputRejectedError:
            continue
        if len(chunks) == 1:
            texts[place] = chunks[0].text
    found: list[npt.NDArray[np.float32] | None] = [None] * len(documents)
    matrix, rejected = embedding.isolate(list(texts.values()))
    for number, place in enumerate(texts):
        if number not in rejected:
            found[place] = matrix.values[number]
    return found


def _of_lengths(sample: _Sample, spec: ReleaseSpec, models: Models) -> list[Difference]:
    """Return whether the vectors' lengths say otherwise than the declaration.

    Only the length tells a vector that was normalised from one that was not.
    """
    lengths = np.linalg.norm(sample.vectors.astype(np.float64), axis=1)
    if not len(lengths):
        return []
    unit = bool(np.abs(lengths - 1).max() <= NORM_TOLERANCE)
    if spec.model.normalise:
        if unit:
            return []
        shown = f"lengths from {lengths.min():.3g} to {lengths.max():.3g}"
        return [Difference(part="model.normalise", declared="true", found=f"false ({shown})")]
    if not unit:
        return []
    raw = [one for one in _made(sample.documents[:TRIED_ON], spec, models) if one is not None]
    of_model = np.array([float(np.linalg.norm(one.astype(np.float64))) for one in raw])
    if not len(of_model) or np.abs(of_model - 1).max() <= _SPREAD:
        return []  # the model's own vectors have length one: both declarations are right
    return [
        Difference(part="model.normalise", declared="false", found="true (all of length 1)")
    ]
