"""Erased documents in what releases are measured with: baselines, query sets, runs."""

from __future__ import annotations

from dataclasses import replace

from repoint.domain.erasure import (
    Erasure,
    baseline_without,
    questions_without,
    run_without,
)
from repoint.domain.ids import QuerySetName
from repoint.domain.readiness import Finding, Status
from repoint.operations.session import Session


def rewrite(session: Session, erasure: Erasure) -> list[Finding]:
    """Take the documents out of baselines, query sets and runs, and count what was there."""
    return [_baselines(session, erasure), *_query_sets(session, erasure)]


def _baselines(session: Session, erasure: Erasure) -> Finding:
    changed = 0
    with session.store.begin() as tx:
        for release in tx.releases.all(erasure.index):
            before = tx.releases.baseline(erasure.index, release.name)
            if before is None:
                continue
            after = baseline_without(before, erasure.secret)
            if after != before:
                tx.releases.put_baseline(after)
                changed += 1
    return Finding(
        check="baselines",
        status=Status.OK,
        summary=f"no golden query is made of them; {changed} baselines were rewritten",
        figures={"found": 0, "rewritten": changed},
    )


def _query_sets(session: Session, erasure: Erasure) -> list[Finding]:
    with session.store.read() as view:
        versions = [(one.name, one.version) for one in view.query_sets.all(erasure.index)]
    queries = sets = runs = 0
    for name, version in versions:
        gone, touched = _version(session, erasure, name, version)
        queries += gone
        sets += gone > 0 or touched > 0
        runs += touched
    return [
        Finding(
            check="query-sets",
            status=Status.OK,
            summary=f"no query is made of them: {queries} queries went, in {sets} versions",
            figures={"found": 0, "queries": queries, "rewritten": sets},
        ),
        Finding(
            check="runs",
            status=Status.OK,
            summary=f"no stored answer names them; {runs} runs were rewritten",
            figures={"found": 0, "rewritten": runs},
        ),
    ]


def _version(
    session: Session, erasure: Erasure, name: QuerySetName, version: int
) -> tuple[int, int]:
    """Rewrite one version and all that was measured with it, as one; return the counts."""
    touched = 0
    with session.store.begin() as tx:
        stands = tx.query_sets.get(erasure.index, name, version=version)
        questions, made = questions_without(stands.questions, erasure.secret)
        for summary in tx.runs.all(erasure.index):
            if (summary.query_set, summary.version) != (name, version):
                continue
            before = tx.runs.get(erasure.index, summary.id)
            after = run_without(before, erasure.secret, made)
            if after != before:
                tx.erasures.rewrite_run(after)
                touched += 1
        if questions != stands.questions:
            tx.erasures.rewrite_query_set(replace(stands, questions=questions))
    return len(made), touched
