"""Diagnoses: what made a release worse, how sure that is, and what to type next.

One scale for all causes: how much of what was lost comes back when this one thing is put
right and nothing else. What cannot be put right without writing is a fact with the share of
what it touches. How both are found out is ``operations.diagnose``'s work.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

from repoint.domain.ids import Actor, DiagnosisId, Fingerprint, IndexName, Lsn, ReleaseName

#: A figure behind a sentence.
Figure: TypeAlias = str | int | float | bool | None


class Fault(StrEnum):
    """What may be wrong with a release."""

    BAD_MODEL = "bad-model"
    MISSING_DOCUMENTS = "missing-documents"
    STALE_DOCUMENTS = "stale-documents"
    #: Deleted or unknown documents are still in the collection.
    EXTRA_DOCUMENTS = "extra-documents"
    DOUBLED_CHUNKS = "doubled-chunks"
    #: Vectors that another model of the same dimensions made.
    OTHER_MODEL = "other-model"
    #: Vectors that the declared model did not make; nobody here knows which did.
    UNKNOWN_VECTORS = "unknown-vectors"
    FILTER_FIELD = "filter-field"
    QUERY_PREFIX = "query-prefix"
    DOCUMENT_PREFIX = "document-prefix"
    NORMALISATION = "normalisation"
    POOLING = "pooling"
    DISTANCE = "distance"
    ANN_PARAMETERS = "ann-parameters"
    CHUNKING = "chunking"
    #: Template or preprocessing steps.
    PREPARATION = "preparation"
    TRUNCATION = "truncation"
    CUT_OFF = "cut-off"
    HYBRID = "hybrid"
    RERANKER = "reranker"
    PROMPT = "prompt"
    #: The model behind the name is no longer the one that the release was made with.
    PROVIDER_CHANGED = "provider-changed"


class Blame(StrEnum):
    """Where a cause lies: the answer to the question that a rollback leaves open."""

    MODEL = "model"
    #: The collection is not what the spec and the log say.
    MIGRATION = "migration"
    #: The collection is what the spec says, and the spec does not fit.
    SETTINGS = "settings"
    PROVIDER = "provider"


class Certainty(StrEnum):
    """How a cause is known."""

    #: Putting it right, and nothing else, wins back the share that is its score.
    MEASURED = "measured"
    #: It was seen; these questions do not show what it costs. Its score is the share touched.
    PROVEN = "proven"
    #: It differs, and what it does is not measured by retrieval.
    POSSIBLE = "possible"


#: Less of the loss than this is chance, not a cause.
LEAST: Final = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One thing that is wrong, with its evidence."""

    fault: Fault
    blame: Blame
    certainty: Certainty
    #: From 0 to 1, see ``Certainty``.
    score: float
    summary: str
    figures: Mapping[str, Figure]
    #: What to type next.
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One combination of the grid, and what it scores on the questions looked at."""

    #: What differs from the release as it is.
    change: str
    #: Whose model embedded the questions.
    queries: str
    #: Whose vectors were compared with, and how: ``index``, ``exact`` or ``pool``.
    collection: str
    search: str
    value: float
    #: Compared with the same kind of search on the release as it is.
    gain: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """How much worse the release is than the baseline, and whether that is more than chance."""

    measure: str
    #: Empty: all questions; else the one group that lost.
    group: str
    questions: int
    failing: int
    baseline: float
    release: float
    low: float
    high: float
    p: float

    @property
    def difference(self) -> float:
        """Release minus baseline."""
        return self.release - self.baseline


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which questions the release was diagnosed with."""

    #: For people: a query set and its version, a file, or known items of the corpus.
    source: str
    #: Whether relevance was judged; else the baseline's own answers count as right.
    judged: bool
    questions: int
    filter: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Stored documents that were embedded again as the spec says."""

    documents: int
    #: Of these, the ones whose text is still the same, so that vectors can be compared.
    compared: int
    matching: int
    median_cosine: float | None
    #: What made the others, where an alternative reproduces them; empty where none does.
    explained_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkFigures:
    """How one release cuts the documents looked at."""

    release: ReleaseName
    documents: int
    chunks_per_document: float
    median_characters: float
    median_tokens: float
    longest_tokens: int
    #: Share of chunks with more tokens than the model reads.
    truncated: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldCoverage:
    """Whether a field of the log can be filtered on in the collection."""

    field: str
    probed: int
    found: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Expense:
    """What a diagnosis takes: before it, at most; after it, what it took."""

    questions: int
    searches: int
    texts: int
    tokens: int
    #: None where no model has a price.
    money: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecChange:
    """One field that the two specs hold differently, as text."""

    field: str
    baseline: str
    release: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All that a diagnosis says. It holds no text of a document and no question."""

    id: DiagnosisId
    index: IndexName
    release: ReleaseName
    baseline: ReleaseName
    release_fingerprint: Fingerprint
    baseline_fingerprint: Fingerprint
    actor: Actor
    at: datetime
    head: Lsn
    watermark: Lsn
    asked: Asked
    loss: Loss
    #: What to say to who asks; empty of causes it says that there is none to name.
    verdict: str
    causes: tuple[Cause, ...]
    cells: tuple[Cell, ...]
    #: Documents that cells of the pool were worked out on.
    pool: int
    #: Documents that differ from the log, by kind, and how many were compared.
    differences: Mapping[str, int]
    compared: int
    sample: Sample
    chunks: tuple[ChunkFigures, ...]
    fields: tuple[FieldCoverage, ...]
    changes: tuple[SpecChange, ...]
    #: Whether either query model answers its probes, as a sentence.
    probes: Mapping[str, str]
    expense: Expense
    #: What was not looked at, and why.
    left_out: tuple[str, ...]

    @property
    def top(self) -> Cause | None:
        """The first cause; None when nothing is wrong."""
        return self.causes[0] if self.causes else None


def ranked(causes: Iterable[Cause]) -> tuple[Cause, ...]:
    """Return the causes worth naming, what explains most first.

    What is only possible comes last: something measured or seen goes before it.
    """
    kept = [
        one for one in causes if one.certainty is not Certainty.MEASURED or one.score >= LEAST
    ]
    kept.sort(key=lambda one: (one.certainty is Certainty.POSSIBLE, -one.score, one.fault))
    return tuple(kept)


_ANSWERS: Final[Mapping[Blame, str]] = MappingProxyType(
    {
        Blame.MODEL: "the model was bad; the migration is not what made it worse",
        Blame.MIGRATION: "the migration was incomplete or wrong; the model cannot be blamed "
        "before it is put right",
        Blame.SETTINGS: "a setting of the release does not fit; neither the model nor the "
        "migration is the main cause",
        Blame.PROVIDER: "the model's provider changed it; what is stored does not fit its "
        "queries any more",
    }
)


def verdict(causes: tuple[Cause, ...], *, lost: bool) -> str:
    """Answer: was the model bad, or was the migration incomplete?"""
    if causes and causes[0].certainty is not Certainty.POSSIBLE:
        return _ANSWERS[causes[0].blame]
    if causes:
        return "retrieval is as it was; what differs is outside of what was measured"
    if lost:
        return "it is worse, and nothing that was looked at explains it"
    return "no fault was found: it is not worse than chance allows, and agrees with the log"
