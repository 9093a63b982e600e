"""What a bridge keeps of the old answers, on queries that it was not fitted on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from repoint.domain.bridge import OVERLAP_DEPTH, Against, Retention
from repoint.domain.errors import RefusedError, RepointError
from repoint.domain.evaluation import Ranking, Rankings
from repoint.domain.ids import QueryId, QuerySetName
from repoint.domain.measures import Measure
from repoint.domain.operation import Baseline
from repoint.domain.queries import QuerySet
from repoint.domain.release import Release
from repoint.operations.evaluate.asking import Options, ask_all
from repoint.operations.evaluate.scoring import score
from repoint.operations.evaluate.statistics import interval, resampled_means
from repoint.operations.query import ask
from repoint.operations.session import Session
from repoint.operations.spaces import Space

#: Ranks kept of every answer: enough for the measures that a policy may name at 100.
_DEPTH: Final = 100
#: Fewer queries say nothing about a share.
_LEAST_QUERIES: Final = 10


def against_queries(
    session: Session, space: Space, queries: QuerySet, *, measure: Measure
) -> Retention:
    """Ask the set through the bridge, and compare with what the old model found.

    ``space`` is the old release's, bridged. What the old model found is a stored run of the
    release with this version of the set; where there is none, its own model is asked.

    Raises:
        RefusedError: there is neither, or too few queries count.
        UnavailableError: the living model or the database did not answer.
    """
    old = _old_answers(session, space.release, queries)
    asked = _ask(session, space, queries)
    told = f"{queries.name}@{queries.version}"
    scored = queries.questions.scored_by(measure)
    if scored:
        before = score(queries.questions, old, [measure])[measure]
        after = score(queries.questions, asked, [measure])[measure]
        pairs = {query.id: (before[query.id], after[query.id]) for query in scored}
        return _retention(pairs, Against.JUDGEMENTS, str(measure), told)
    pairs = {
        query: (1.0, _share(ranking, asked[query])) for query, ranking in old.items() if ranking
    }
    return _retention(pairs, Against.OLD_ANSWERS, f"overlap@{OVERLAP_DEPTH}", told)


def against_golden(session: Session, space: Space, baseline: Baseline) -> Retention:
    """Compare with the stored answers of the release's own golden queries."""
    pairs: dict[QueryId, tuple[float, float]] = {}
    for text, before in baseline.answers.items():
        if before:
            hits, _ = ask(space, text, limit=OVERLAP_DEPTH, clock=session.clock)
            found = tuple(hit.document for hit in hits)
            pairs[QueryId(text)] = (1.0, _share(before, found))
    return _retention(pairs, Against.OLD_ANSWERS, f"overlap@{OVERLAP_DEPTH}", "golden")


def _old_answers(session: Session, release: Release, queries: QuerySet) -> Rankings:
    with session.store.read() as view:
        for run in view.runs.all(release.index):
            same = (run.query_set, run.version) == (queries.name, queries.version)
            if same and run.release == release.name:
                return view.runs.get(release.index, run.id).ranked
    try:
        return _ask(session, session.spaces.own(release), queries)
    except RepointError as error:
        raise RefusedError(
            f"nothing tells what {release.name!r} answered to {queries.name}@"
            f"{queries.version}: no run of it is stored, and its model does not answer "
            f"({error.message})",
            hint="name a query set that it was evaluated with (see: repoint runs list "
            f"{release.index}), or none, to compare with its golden queries",
        ) from error


def _ask(session: Session, space: Space, queries: QuerySet) -> Rankings:
    options = Options(depth=_DEPTH, exact=False)
    return ask_all(session, [space], queries, options=options)[0].ranked


def _share(before: Ranking | tuple[str, ...], now: tuple[str, ...]) -> float:
    kept = set(before[:OVERLAP_DEPTH])
    return len(kept & set(now[:OVERLAP_DEPTH])) / len(kept)


def _retention(
    pairs: Mapping[QueryId, tuple[float, float]], against: Against, measure: str, queries: str
) -> Retention:
    if len(pairs) < _LEAST_QUERIES:
        raise RefusedError(
            f"{len(pairs)} queries of {queries} can be compared; a bridge is judged by "
            f"{_LEAST_QUERIES} at least",
            hint="add judged queries, or make some of the corpus: repoint queries known-items",
        )
    values = np.array(list(pairs.values()), dtype=np.float64)
    means = resampled_means(values[:, 1:] - values[:, :1], seed=0)
    span = interval(means)
    return Retention(
        against=against,
        measure=measure,
        queries=queries,
        count=len(pairs),
        old=float(values[:, 0].mean()),
        bridged=float(values[:, 1].mean()),
        low=span.low,
        high=span.high,
    )


def query_set_of(session: Session, release: Release, name: QuerySetName) -> QuerySet:
    """Return the newest version that a run of the release is stored for, else the newest."""
    with session.store.read() as view:
        for run in view.runs.all(release.index):
            if run.release == release.name and run.query_set == name:
                return view.query_sets.get(release.index, name, version=run.version)
        return view.query_sets.get(release.index, name)
