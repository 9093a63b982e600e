"""Causes that lie in the spec: the collection is what it says, and it does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from repoint.domain.diagnosis import Blame, Cause, Certainty, Fault
from repoint.domain.readiness import Status
from repoint.domain.spec import Distance, ModelSpec, ReleaseSpec
from repoint.operations.diagnose.case import Case, measured
from repoint.operations.diagnose.grid import Grid, Questions, prefixes
from repoint.operations.diagnose.pool import Vectors
from repoint.operations.spaces import Space

#: Chunks cut off, as a share, before their loss is looked into.
_CUT_OFF_SHARE: Final = 0.05


@dataclass(slots=True)
class Best:
    """The best of everything that was tried in the pool, each setting by itself."""

    questions: Questions
    vectors: Vectors
    distance: Distance
    #: The document side as it would be with every setting of the baseline that matters.
    spec: ReleaseSpec
    #: How many settings of the document side were changed for it.
    changed: int
    value: float


def causes(case: Case, grid: Grid, fresh: Vectors | None) -> Iterator[Cause]:
    """Yield which settings do not fit, and what is left for the model."""
    yield from _asked(case, grid)
    vectors = case.held if fresh is None else fresh
    start = grid.pooled if fresh is None else _value(case, grid, vectors)
    best = Best(
        questions=grid.questions(case.release),
        vectors=vectors,
        distance=case.distance,
        spec=case.spec,
        changed=0,
        value=start,
    )
    yield from _prefix(case, grid, best, start=start)
    yield from _scale(case, grid, best, start=start)
    yield from _documents(case, grid, best, start=start)
    damaged = bool(case.looked.strange or case.log.pool) and fresh is None
    if damaged:
        case.purse.left_out.append(
            "the model: it cannot be judged while the collection is not what the spec says"
        )
    elif case.probes.status is not Status.FAILED:
        yield from _model(case, grid, best)


def outside(case: Case) -> Iterator[Cause]:
    """Yield what differs and is not measured by retrieval."""
    if case.changed("prompt"):
        yield measured(
            Fault.PROMPT,
            Blame.SETTINGS,
            0.5,
            "the prompt differs; what a generator makes of the same documents is not measured "
            "here",
            certainty=Certainty.POSSIBLE,
            remedy="compare generated answers with either prompt; the difference: repoint "
            f"release diff {case.release.release.index} {case.baseline.release.name} "
            f"{case.release.release.name}",
        )


def _asked(case: Case, grid: Grid) -> Iterator[Cause]:
    spec = case.spec
    won = grid.share(grid.exact(), pooled=False)
    yield measured(
        Fault.ANN_PARAMETERS,
        Blame.SETTINGS,
        won,
        "exact search finds what the approximate index does not",
        remedy=_again(case, "ann"),
        kind=spec.ann.kind.value,
    )
    if spec.min_score is not None:
        won = grid.share(grid.without_cut_off(), pooled=False)
        yield measured(
            Fault.CUT_OFF,
            Blame.SETTINGS,
            won,
            f"the cut-off at {spec.min_score:g} leaves out documents that are looked for: "
            "scores of another model lie elsewhere",
            remedy=_again(case, "min_score"),
            min_score=spec.min_score,
        )
    if case.changed("rerank"):
        won = grid.share(grid.reranked(), pooled=False)
        yield measured(
            Fault.RERANKER,
            Blame.SETTINGS,
            won,
            "the reranker differs, and the order is better without it or with the baseline's",
            remedy=_again(case, "rerank"),
        )
    if case.changed("hybrid"):
        won = grid.share(grid.hybrid(), pooled=False)
        yield measured(
            Fault.HYBRID,
            Blame.SETTINGS,
            won,
            "lexical search joins in otherwise than in the baseline",
            remedy=_again(case, "hybrid"),
        )


def _prefix(case: Case, grid: Grid, best: Best, *, start: float) -> Iterator[Cause]:
    tried: list[tuple[float, str]] = []
    for prefix in prefixes(case.spec, case.baseline_spec):
        model = replace(case.spec.model, query_prefix=prefix)
        questions = grid.embedded(case.spaces, model, purse=case.purse)
        if questions is None:
            continue
        value = grid.work_out(
            f"questions with the prefix {prefix!r}" if prefix else "questions without prefix",
            best.vectors,
            distance=case.distance,
            questions=questions,
        )
        tried.append((value, prefix))
        if value > best.value:
            best.questions, best.value = questions, value
            best.spec = replace(best.spec, model=model)
    if not tried:
        return
    value, prefix = max(tried)
    declared = case.spec.model.query_prefix
    yield measured(
        Fault.QUERY_PREFIX,
        Blame.SETTINGS,
        grid.share(value - start, pooled=True),
        f"questions are embedded with the prefix {declared!r}; with {prefix!r} they find more",
        remedy=_again(case, "model.query_prefix"),
        declared=declared,
        better=prefix,
        value=value,
    )


def _scale(case: Case, grid: Grid, best: Best, *, start: float) -> Iterator[Cause]:
    """Compare the same vectors otherwise; of length one, every distance ranks alike."""
    mine, theirs = case.distance, case.baseline_spec.distance
    if case.spec.model.normalise:
        return
    vectors = best.vectors
    tried: list[tuple[float, Distance]] = []
    for distance in dict.fromkeys((Distance.COSINE, theirs)):
        if distance is not mine:
            value = grid.work_out(f"compared by {distance}", vectors, distance=distance)
            tried.append((value, distance))
            if value > best.value:
                best.vectors, best.distance, best.value = vectors, distance, value
    if not tried:
        return
    value, distance = max(tried, key=lambda one: one[0])
    score = grid.share(value - start, pooled=True)
    if case.changed("distance") and not case.changed("model.normalise"):
        yield measured(
            Fault.DISTANCE,
            Blame.SETTINGS,
            score,
            f"vectors of any length are compared by {mine}, in the baseline by {theirs}; by "
            f"{distance} more is found",
            remedy=_again(case, "distance"),
            value=value,
        )
    else:
        yield measured(
            Fault.NORMALISATION,
            Blame.SETTINGS,
            score,
            f"vectors keep their lengths and are compared by {mine}; by {distance}, as vectors "
            "of length one would be, more is found",
            remedy=_again(case, "model.normalise"),
            value=value,
        )


def _documents(case: Case, grid: Grid, best: Best, *, start: float) -> Iterator[Cause]:
    """Embed the pool with one setting of the document side as in the baseline."""
    for fault, field, spec, says in _variants(case):
        best.spec = _merged(best.spec, spec, fault)
        best.changed += 1
        vectors = case.embedded(spec, what=says)
        if vectors is None:
            continue
        questions = None
        if spec.model != case.spec.model:  # what is read of a document is read of a question
            questions = grid.embedded(case.spaces, spec.model, purse=case.purse)
        value = grid.work_out(says, vectors, distance=case.distance, questions=questions)
        if value > best.value:
            best.vectors, best.value = vectors, value
            best.questions = questions or best.questions
        yield measured(
            fault,
            Blame.SETTINGS,
            grid.share(value - start, pooled=True),
            _told(case, fault),
            remedy=_again(case, field),
            value=value,
            chunks_per_document=case.chunks.chunks_per_document,
            baseline_chunks_per_document=case.baseline_chunks.chunks_per_document,
            truncated=case.chunks.truncated,
        )


def _variants(case: Case) -> Iterator[tuple[Fault, str, ReleaseSpec, str]]:
    spec, other = case.spec, case.baseline_spec
    if case.changed("chunking"):
        changed = replace(spec, chunking=other.chunking)
        yield Fault.CHUNKING, "chunking", changed, "chunks as in the baseline"
    if case.chunks.truncated - case.baseline_chunks.truncated > _CUT_OFF_SHARE:
        changed = replace(spec, model=replace(spec.model, max_tokens=case.roomier()))
        yield Fault.TRUNCATION, "model.max_tokens", changed, "input that is not cut off"
    if case.changed("text"):
        changed = replace(spec, text=other.text)
        yield Fault.PREPARATION, "text", changed, "texts prepared as in the baseline"
    if spec.model.document_prefix:
        changed = replace(spec, model=replace(spec.model, document_prefix=""))
        yield (
            Fault.DOCUMENT_PREFIX,
            "model.document_prefix",
            changed,
            "documents without prefix",
        )
    if case.changed("model.pooling") and spec.model.provider == other.model.provider:
        changed = replace(spec, model=replace(spec.model, pooling=other.model.pooling))
        yield Fault.POOLING, "model.pooling", changed, "pooling as in the baseline"


def _merged(spec: ReleaseSpec, variant: ReleaseSpec, fault: Fault) -> ReleaseSpec:
    if fault is Fault.CHUNKING:
        return replace(spec, chunking=variant.chunking)
    if fault is Fault.PREPARATION:
        return replace(spec, text=variant.text)
    model = spec.model
    if fault is Fault.TRUNCATION:
        model = replace(model, max_tokens=variant.model.max_tokens)
    elif fault is Fault.DOCUMENT_PREFIX:
        model = replace(model, document_prefix=variant.model.document_prefix)
    elif fault is Fault.POOLING:
        model = replace(model, pooling=variant.model.pooling)
    return replace(spec, model=model)


def _told(case: Case, fault: Fault) -> str:
    mine, theirs = case.chunks, case.baseline_chunks
    if fault is Fault.CHUNKING:
        return (
            f"{mine.chunks_per_document:.1f} chunks a document of "
            f"{mine.median_characters:.0f} characters, {theirs.chunks_per_document:.1f} of "
            f"{theirs.median_characters:.0f} in the baseline; cut as there, more is found"
        )
    if fault is Fault.TRUNCATION:
        return (
            f"{mine.truncated:.0%} of the chunks are longer than the "
            f"{case.spec.model.max_tokens} tokens that the model may read "
            f"({theirs.truncated:.0%} in the baseline); read whole, more is found"
        )
    if fault is Fault.PREPARATION:
        return "texts are prepared otherwise than in the baseline; as there, more is found"
    if fault is Fault.POOLING:
        return (
            "token vectors are pooled otherwise than in the baseline; as there, more is found"
        )
    return (
        f"documents are embedded with the prefix {case.spec.model.document_prefix!r}; without "
        "it, more is found"
    )


def _model(case: Case, grid: Grid, best: Best) -> Iterator[Cause]:
    """Leave to the model what nothing else explains: all settings put right, it still loses."""
    if _same_model(case.spec.model, case.baseline_spec.model):
        return
    value = best.value
    if best.changed > 1:
        vectors = case.embedded(best.spec, what="all of these settings as in the baseline")
        questions = grid.embedded(case.spaces, best.spec.model, purse=case.purse)
        if vectors is not None and questions is not None:
            value = max(
                value,
                grid.work_out(
                    "all of these settings",
                    vectors,
                    distance=best.distance,
                    questions=questions,
                ),
            )
    elif best.changed or best.value > grid.pooled:
        value = max(
            value,
            grid.work_out(
                "the best of everything",
                best.vectors,
                distance=best.distance,
                questions=best.questions,
            ),
        )
    judged = "" if grid.panel.judged else "; nobody judged which of them is right"
    yield measured(
        Fault.BAD_MODEL,
        Blame.MODEL,
        grid.share(grid.baseline_pooled - value, pooled=True),
        f"with the collection whole and every setting put right, "
        f"{_name(case.release)} still scores {value:.3f} where {_name(case.baseline)} scores "
        f"{grid.baseline_pooled:.3f}{judged}",
        remedy=f"keep {case.baseline.release.name}, and try another model: repoint release "
        f"create {case.release.release.index} NAME --spec FILE",
        best=value,
        baseline=grid.baseline_pooled,
    )


def _value(case: Case, grid: Grid, vectors: Vectors) -> float:
    return grid.work_out("", vectors, distance=case.distance, quiet=True)


def _same_model(one: ModelSpec, other: ModelSpec) -> bool:
    def identity(model: ModelSpec) -> tuple[object, ...]:
        return (
            model.provider,
            model.name,
            model.revision,
            model.digest,
            model.dimensions,
            sorted(model.options.items()),
        )

    return identity(one) == identity(other)


def _name(space: Space) -> str:
    model = space.release.spec.model
    return f"{space.release.name}'s model ({model.name or model.provider})"


def _again(case: Case, field: str) -> str:
    index, name = case.release.release.index, case.release.release.name
    return (
        f"change {field} in a copy of the spec (repoint release show {index} {name}), then: "
        f"repoint release create {index} NAME --spec FILE"
    )
