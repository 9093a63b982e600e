"""Search: one question, one route, one stamped answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from repoint.domain.errors import BadInputError
from repoint.domain.filters import Filter
from repoint.domain.ids import BridgeId, Epoch, IndexName, ReleaseName
from repoint.domain.ranking import reciprocal_rank, weighted_sum
from repoint.domain.spec import Fusion, HybridSpec
from repoint.operations.routing import Route
from repoint.operations.spaces import Space
from repoint.ports.backend import Hit, SpaceVector
from repoint.ports.clock import Clock

#: Chunks fetched per document wanted, where documents have several; doubled while short.
_CHUNKS_PER_DOCUMENT = 4

#: Characters of a question: far more than any model reads, and bounded all the same.
LONGEST: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Where the time of one question went, in milliseconds."""

    embed_ms: float
    search_ms: float
    rerank_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a release answered, stamped with who answered at which epoch."""

    index: IndexName
    release: ReleaseName
    #: The pointer's epoch; None when a release was asked by name, past the pointer.
    epoch: Epoch | None
    hits: Sequence[Hit]
    timings: Timings
    #: The bridge that the question went over; None: the release's own model embedded it.
    bridge: BridgeId | None = None


def search(
    route: Route, text: str, *, limit: int, where: Filter | None, clock: Clock
) -> Answer:
    """Answer a question by one route, from its first step to its last."""
    hits, timings = ask(route.space, text, limit=limit, where=where, clock=clock)
    return Answer(
        index=route.index,
        release=route.release,
        epoch=route.epoch,
        hits=hits,
        timings=timings,
        bridge=route.space.bridge,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question made ready for one release: its text prepared, its vector in that space."""

    text: str
    prepared: str
    vector: SpaceVector


def ask(
    space: Space,
    text: str,
    *,
    limit: int,
    clock: Clock,
    where: Filter | None = None,
) -> tuple[list[Hit], Timings]:
    """Return a release's best hits, one a document, and where the time went.

    Raises:
        BadInputError: the question is empty, or the limit is not between 1 and 10,000.
        UnavailableError: the model's provider or the database did not answer.
    """
    began = clock.monotonic()
    question = prepare(space, text)
    embedded = clock.monotonic()
    hits, timings = find(space, question, limit=limit, clock=clock, where=where)
    return hits, replace(timings, embed_ms=(embedded - began) * 1000)


def prepare(space: Space, text: str, *, cached: bool = True) -> Question:
    """Return the question as the release's model sees it; without the cache it is paid anew.

    Raises:
        BadInputError: the question is empty, or longer than ``LONGEST``.
        InputRejectedError: the model will never embed it.
        UnavailableError: the model's provider did not answer.
    """
    if len(text) > LONGEST:
        raise BadInputError(
            f"the question has {len(text):,} characters, more than {LONGEST:,}",
            hint="ask with the words that matter; models read a page at most",
        )
    prepared = space.preparer.prepare_query(text)
    if not prepared.strip():
        raise BadInputError("the question has no text left to search for")
    vector = space.embedding.query(prepared, cached=cached)
    return Question(text=text, prepared=prepared, vector=vector)


def find(
    space: Space,
    question: Question,
    *,
    limit: int,
    clock: Clock,
    where: Filter | None = None,
    exact: bool = False,
) -> tuple[list[Hit], Timings]:
    """Return the best hits for a prepared question; ``exact`` goes past the approximate index.

    Raises:
        BadInputError: the limit is not between 1 and 10,000.
        UnavailableError: the database or the reranker did not answer.
    """
    if not 1 <= limit <= 10_000:  # noqa: PLR2004 - the bound is in the message
        raise BadInputError(
            f"a limit of {limit} hits is out of bounds", hint="ask for 1 to 10000"
        )
    began = clock.monotonic()
    rerank = space.release.spec.rerank
    wanted = limit if rerank is None else max(limit, rerank.candidates)
    hits = _retrieve(
        space, question.prepared, question.vector, wanted=wanted, where=where, exact=exact
    )
    found = clock.monotonic()
    if space.reranker is not None:
        scores = space.reranker.score(question.text, [hit.text for hit in hits])
        hits = [replace(hit, score=score) for hit, score in zip(hits, scores, strict=True)]
        hits.sort(key=lambda hit: (-hit.score, hit.document, hit.slot))
    done = clock.monotonic()
    return hits[:limit], Timings(
        embed_ms=0.0,
        search_ms=(found - began) * 1000,
        rerank_ms=(done - found) * 1000,
    )


def _retrieve(
    space: Space,
    text: str,
    vector: SpaceVector,
    *,
    wanted: int,
    where: Filter | None,
    exact: bool,
) -> list[Hit]:
    spec = space.release.spec
    chunked = spec.chunking.size is not None
    fetch = wanted * _CHUNKS_PER_DOCUMENT if chunked else wanted
    while True:
        if spec.hybrid is None:
            hits = space.collection.search(vector, limit=fetch, where=where, exact=exact)
            found = len(hits)
        else:
            depth = max(fetch, spec.hybrid.candidates)
            near = space.collection.search(vector, limit=depth, where=where, exact=exact)
            worded = space.collection.search_text(text, limit=depth, where=where)
            hits, found = _fused(near, worded, spec.hybrid), max(len(near), len(worded))
        kept = hits if spec.min_score is None else _above(hits, spec.min_score)
        if not chunked:
            return kept[:wanted]
        best = _one_per_document(kept)
        if len(best) >= wanted or found < fetch or len(kept) < len(hits):
            return best[:wanted]
        fetch *= 2  # a few documents filled all the places with their chunks


def _fused(near: Sequence[Hit], worded: Sequence[Hit], spec: HybridSpec) -> list[Hit]:
    hits = {(hit.document, hit.slot): hit for hit in (*worded, *near)}
    sides = (near, worded)
    weights = (spec.vector_weight, spec.lexical_weight)
    if spec.fusion is Fusion.RRF:
        ranked = reciprocal_rank(
            [[(hit.document, hit.slot) for hit in side] for side in sides],
            weights=weights,
            k=spec.rrf_k,
        )
    else:
        ranked = weighted_sum(
            [[((hit.document, hit.slot), hit.score) for hit in side] for side in sides],
            weights=weights,
        )
    return [replace(hits[key], score=score) for key, score in ranked]


def _above(hits: Sequence[Hit], min_score: float) -> list[Hit]:
    return [hit for hit in hits if hit.score >= min_score]


def _one_per_document(hits: Sequence[Hit]) -> list[Hit]:
    best: dict[str, Hit] = {}
    for hit in hits:  # best first, so a document's first chunk is its best
        best.setdefault(hit.document, hit)
    return list(best.values())
