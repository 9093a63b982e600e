"""Causes that lie in the collection: it is not what the spec and the log say."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

import numpy as np

from repoint.domain.comparison import Kind
from repoint.domain.diagnosis import LEAST, Blame, Cause, Certainty, Fault
from repoint.domain.ids import DocumentId
from repoint.domain.readiness import Status
from repoint.operations.diagnose.case import Case, measured
from repoint.operations.diagnose.grid import unit
from repoint.operations.diagnose.pool import Vectors

#: A release that is written to is always a little behind.
_USUAL_LAG: Final = 0.01
#: How each kind of difference is called as a cause, and what puts it right.
_KINDS: Final = (
    (
        Fault.MISSING_DOCUMENTS,
        (Kind.MISSING, Kind.PARTIAL, Kind.DEAD_LETTERED),
        "are in the log and not, or not whole, in the collection",
    ),
    (Fault.STALE_DOCUMENTS, (Kind.STALE,), "stand in the collection in an older version"),
    (
        Fault.EXTRA_DOCUMENTS,
        (Kind.EXTRA, Kind.AHEAD),
        "stand in the collection and not, or not so, in the log",
    ),
    (
        Fault.CHUNKING,
        (Kind.WRONG_TEXT,),
        "were cut or prepared otherwise than the spec says",
    ),
)


def fresh_vectors(case: Case) -> Vectors | None:
    """Embed the whole pool as the spec says, where stored vectors cannot be trusted."""
    if not (case.looked.strange or case.log.pool) or case.grid is None:
        return None
    return case.embedded(case.spec, what="the pool as the spec says")


def causes(case: Case, fresh: Vectors | None) -> Iterator[Cause]:
    """Yield what is wrong with the collection."""
    provider_changed = case.probes.status is Status.FAILED
    if provider_changed:
        yield _provider(case, fresh)
    yield from _differences(case, fresh)
    yield from _doubled(case)
    yield from _no_vectors(case, fresh)
    if case.looked.strange and not provider_changed:
        yield _strange(case, fresh)
    yield from _unscaled(case)
    yield from _distance(case)
    yield from _fields(case)


def repaired(case: Case, fresh: Vectors | None, names: Collection[DocumentId]) -> float:
    """Return which part of the loss comes back when these documents are made anew."""
    if case.grid is None or fresh is None or not names:
        return 0.0
    vectors = case.held.replaced(fresh, names)
    value = case.grid.work_out("", vectors, distance=case.distance, quiet=True)
    return case.grid.share(value - case.grid.pooled, pooled=True)


def _differences(case: Case, fresh: Vectors | None) -> Iterator[Cause]:
    log, name = case.log, case.name
    for fault, kinds, says in _KINDS:
        count = sum(log.counts.get(kind, 0) for kind in kinds)
        here = log.named(*kinds)
        if not count and not here:
            continue
        share, behind = log.share(*kinds), len(here & log.behind)
        lagging = 2 * behind > len(here)
        won = repaired(case, fresh, here)
        if won < LEAST and lagging and share < _USUAL_LAG:
            continue
        if case.grid is not None and fresh is not None:
            value = case.held.replaced(fresh, here)
            case.grid.work_out(f"{fault} put right", value, distance=case.distance)
        refused = log.counts.get(Kind.DEAD_LETTERED, 0) if fault is _KINDS[0][0] else 0
        summary = f"{count:,} of {log.compared:,} documents compared {says}"
        if refused:
            summary += f"; {refused:,} of them were refused and have a dead letter"
        if behind:
            summary += f"; sync has not reached {behind} of {len(here)} looked at"
        yield measured(
            fault,
            Blame.MIGRATION,
            won if won >= LEAST else share,
            summary,
            certainty=Certainty.MEASURED if won >= LEAST else Certainty.PROVEN,
            remedy=f"repoint dead-letters {name} --retry"
            if 2 * refused > count
            else f"repoint sync {name}"
            if lagging
            else f"repoint diff {name} --repair",
            documents=count,
            compared=log.compared,
            behind=behind,
            won_back=won,
        )


def _doubled(case: Case) -> Iterator[Cause]:
    count = case.log.counts.get(Kind.DOUBLED, 0)
    if not count:
        return
    won = case.grid.share(case.grid.distinct(), pooled=False) if case.grid else 0.0
    yield measured(
        Fault.DOUBLED_CHUNKS,
        Blame.MIGRATION,
        max(won, 0.0) if won >= LEAST else case.log.share(Kind.DOUBLED),
        f"{count:,} of {case.log.compared:,} documents have a chunk that stands there "
        "several times, and fills places of the answer with itself",
        certainty=Certainty.MEASURED if won >= LEAST else Certainty.PROVEN,
        remedy=f"repoint diff {case.name} --repair",
        documents=count,
        won_back=won,
    )


def _no_vectors(case: Case, fresh: Vectors | None) -> Iterator[Cause]:
    """Name vectors that are none: zero, or not finite."""
    matrix = case.held.matrix
    usable = np.isfinite(matrix).all(axis=1) & matrix.any(axis=1)
    names = {case.held.documents[place] for place in np.flatnonzero(~usable).tolist()}
    if not names:
        return
    won = repaired(case, fresh, names)
    yield measured(
        Fault.UNKNOWN_VECTORS,
        Blame.MIGRATION,
        won if won >= LEAST else len(names) / len(case.rows),
        f"{len(names):,} of {len(case.rows):,} documents looked at have a vector that is zero "
        "or not finite",
        certainty=Certainty.MEASURED if won >= LEAST else Certainty.PROVEN,
        remedy=f"repoint diff {case.name} --repair",
        documents=len(names),
        looked_at=len(case.rows),
        won_back=won,
    )


def _strange(case: Case, fresh: Vectors | None) -> Cause:
    looked, maker = case.looked, case.looked.maker
    sample = looked.sample
    won = _made_anew(case, fresh)
    share = len(looked.strange) / max(sample.compared, 1)
    fault = Fault.UNKNOWN_VECTORS if maker is None else maker.fault
    made_by = (
        "no model or setting that is known here made them"
        if maker is None
        else f"{maker.says} made them"
    )
    return measured(
        fault,
        Blame.MIGRATION,
        won if won >= LEAST else share,
        f"{len(looked.strange)} of {sample.compared} stored documents do not have the vectors "
        f"that the declared model gives (median cosine {sample.median_cosine or 0:.3f}); "
        f"{made_by}",
        certainty=Certainty.MEASURED if won >= LEAST else Certainty.PROVEN,
        remedy="make the collection anew: a release of the same spec under another name, "
        f"repoint sync, then retire this one; the spec: repoint release show {case.name}",
        sampled=sample.compared,
        strange=len(looked.strange),
        median_cosine=sample.median_cosine,
        won_back=won,
    )


def _provider(case: Case, fresh: Vectors | None) -> Cause:
    sample = case.looked.sample
    share = len(case.looked.strange) / max(sample.compared, 1)
    won = _made_anew(case, fresh)
    explained = case.looked.maker
    return measured(
        Fault.PROVIDER_CHANGED,
        Blame.PROVIDER,
        max(won, share, LEAST),
        f"{case.probes.summary}; {share:.0%} of the stored documents looked at do not have the "
        "vectors that it gives now"
        + (f"; {explained.says} gives them" if explained is not None else ""),
        certainty=Certainty.MEASURED if won >= LEAST else Certainty.PROVEN,
        remedy="ask the provider what it serves under this name, and pin a version; what is "
        "stored stays of use only with the old one; see: repoint check "
        f"{case.release.release.index}",
        strange=len(case.looked.strange),
        sampled=sample.compared,
        won_back=won,
        **{
            name: value
            for name, value in case.probes.figures.items()
            if isinstance(value, int | float)
        },
    )


def _made_anew(case: Case, fresh: Vectors | None) -> float:
    """Return what embedding every stored document again as the spec says wins back."""
    if case.grid is None or fresh is None:
        return 0.0
    names = set(case.held.documents)
    value = case.grid.work_out(
        "stored documents embedded again",
        case.held.replaced(fresh, names & set(fresh.documents)),
        distance=case.distance,
    )
    return case.grid.share(value - case.grid.pooled, pooled=True)


def _unscaled(case: Case) -> Iterator[Cause]:
    unscaled = case.looked.unscaled
    if not unscaled:
        return
    won = 0.0
    if case.grid is not None:
        value = case.grid.work_out(
            "vectors of length one", unit(case.held), distance=case.distance
        )
        won = case.grid.share(value - case.grid.pooled, pooled=True)
    share = len(unscaled) / max(case.looked.sample.compared, 1)
    yield measured(
        Fault.NORMALISATION,
        Blame.MIGRATION,
        won if won >= LEAST else share,
        f"{len(unscaled)} of {case.looked.sample.compared} stored documents have vectors of "
        "another length than the spec says, pointing the right way",
        certainty=Certainty.MEASURED if won >= LEAST else Certainty.PROVEN,
        remedy=f"repoint diff {case.name} --repair",
        sampled=case.looked.sample.compared,
        unscaled=len(unscaled),
        won_back=won,
    )


def _distance(case: Case) -> Iterator[Cause]:
    declared = case.spec.distance
    if declared in case.distances:
        return
    won = 0.0
    if case.grid is not None:
        value = case.grid.work_out(f"by {declared}", case.held, distance=declared)
        won = case.grid.share(value - case.grid.pooled, pooled=True)
    used = ", ".join(sorted(case.distances)) or "something else"
    yield measured(
        Fault.DISTANCE,
        Blame.MIGRATION,
        won if won >= LEAST else 1.0,
        f"the database scores by {used}, the spec says {declared}",
        certainty=Certainty.MEASURED if won >= LEAST else Certainty.PROVEN,
        remedy="make the collection anew with the declared distance: a release of the same "
        f"spec under another name; the spec: repoint release show {case.name}",
        declared=declared.value,
        used=used,
        won_back=won,
    )


def _fields(case: Case) -> Iterator[Cause]:
    lost = [one for one in case.fields if one.found < one.probed]
    if not lost:
        return
    worst = max(lost, key=lambda one: (one.probed - one.found) / one.probed)
    share = (worst.probed - worst.found) / worst.probed
    won = 0.0
    if case.grid is not None and case.grid.panel.filtered:
        won = case.grid.share(case.grid.unfiltered(), pooled=False)
    named = ", ".join(f"{one.field!r} ({one.found} of {one.probed})" for one in lost)
    yield measured(
        Fault.FILTER_FIELD,
        Blame.MIGRATION,
        won if won >= LEAST else share,
        f"documents are not found by their own vector when their own field is filtered on: "
        f"{named}",
        certainty=Certainty.MEASURED if won >= LEAST else Certainty.PROVEN,
        remedy=f"repoint sync {case.name}; if it is in step, make the collection anew: diff "
        "does not compare fields",
        field=worst.field,
        probed=worst.probed,
        found=worst.found,
        won_back=won,
    )
