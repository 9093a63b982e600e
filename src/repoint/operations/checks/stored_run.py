"""A release's stored run as a baseline: its answers to the questions that the policy names."""

from __future__ import annotations

from typing import Final

from repoint.domain.evaluation import Run, latency
from repoint.domain.ids import IndexName
from repoint.domain.operation import Baseline
from repoint.domain.release import Release
from repoint.operations import golden
from repoint.ports.store import Transaction

#: Enough to see a broken path, few enough to ask within a rollback.
QUERIES: Final = 24


def baseline(view: Transaction, release: Release) -> Baseline | None:
    """Return what the release answered to the policy's questions, spread over all of them.

    None where the newest policy names no query set, or the release has no stored run of it.
    """
    index = release.index
    named = view.policies.newest(index).policy.queries
    if not named:
        return None
    for summary in view.runs.all(index):
        if (summary.fingerprint, summary.query_set) == (release.fingerprint, named):
            return _baseline(view, index, view.runs.get(index, summary.id))
    return None


def _baseline(view: Transaction, index: IndexName, run: Run) -> Baseline | None:
    queries = view.query_sets.get(index, run.query_set, version=run.version)
    texts = {query.id: query.text for query in queries.questions.queries}
    answered = [query for query, ranking in run.ranked.items() if ranking and query in texts]
    taken = latency(run)
    if not answered or taken is None:
        return None
    step = max(1, len(answered) // QUERIES)
    return Baseline(
        index=index,
        release=run.release,
        answers={
            texts[query]: run.ranked[query][: golden.DEPTH]
            for query in answered[::step][:QUERIES]
        },
        expected={},
        latency_p50_ms=taken.total.p50,
        latency_p95_ms=taken.total.p95,
        at=run.at,
    )
