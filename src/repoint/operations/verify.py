"""Verification: proof, finding by finding, that a release answers as it should.

The checks ask a fixed number of questions, so their time does not grow with the corpus.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta

from repoint.domain.document import LogRow
from repoint.domain.errors import RepointError, SourceUnavailableError
from repoint.domain.ids import DocumentId, Lsn
from repoint.domain.operation import Baseline
from repoint.domain.pointer import Pointer
from repoint.domain.readiness import Finding, Status
from repoint.operations import acknowledge, diff, golden
from repoint.operations.checks import behaviour, standing, stored_run
from repoint.operations.originals import filled
from repoint.operations.session import Session
from repoint.operations.spaces import Space

#: Documents compared one by one with the log.
SAMPLE = 25


def verify(
    session: Session, space: Space, pointer: Pointer, *, ack_timeout: timedelta, upto: Lsn
) -> list[Finding]:
    """Return every finding about the release that should answer now.

    ``upto`` is the log's head when it was last brought into step; it answers for all of that.
    """
    index, release = space.release.index, space.release
    findings = [
        acknowledge.wait_for(session, index, pointer.epoch, timeout=ack_timeout).finding()
    ]
    findings += _tried("alias", lambda: [standing.alias(session, release)])
    return findings + answers_as_before(session, space, seed=pointer.epoch, upto=upto)


def answers_as_before(
    session: Session, space: Space, *, seed: int, upto: Lsn | None = None
) -> list[Finding]:
    """Return every finding about the release itself, whoever answers now."""
    index, release = space.release.index, space.release
    findings = [behaviour.query_model(session, space)]
    with session.store.read() as view:
        watermark = view.catchup.watermark(index, release.name)
        baseline = view.releases.baseline(index, release.name)
        run = stored_run.baseline(view, release)
        dead = {letter.document for letter in view.dead_letters.all(index, release.name)}
        findings.append(standing.lag(view, index, release.name, upto=upto))
        findings.append(standing.dead_letters(view, index, release.name))
    recent = [
        row
        for row in behaviour.recent_rows(session, index, upto=watermark)
        if row.id not in dead
    ]
    findings += _tried("golden", lambda: _golden(session, space, baseline))
    if run is not None:
        findings += _tried("benchmark", lambda: [_benchmark(session, space, run)])

    def whole() -> list[LogRow]:
        return filled(space.originals, index, recent)

    findings += _tried("filter", lambda: [behaviour.filtering(session, space, whole())])
    lexical = space.release.spec.hybrid is not None
    findings += _tried(
        "hybrid", lambda: [behaviour.hybrid(space, whole() if lexical else recent)]
    )
    findings += _tried("fresh-document", lambda: [behaviour.fresh(space, recent)])
    findings += _tried("deleted-document", lambda: [behaviour.deleted(space, recent)])
    findings += _tried(
        "sampled-diff",
        lambda: [diff.sampled(session.store, space, upto=watermark, count=SAMPLE, seed=seed)],
    )
    return findings


def passed(findings: Sequence[Finding]) -> bool:
    """Return whether nothing failed."""
    return all(finding.status is not Status.FAILED for finding in findings)


def _tried(check: str, ask: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """Return what was found; a model or database that does not answer is a finding, too."""
    try:
        return list(ask())
    except RepointError as error:
        # Without the source nothing is known against the release, nor for it.
        elsewhere = isinstance(error, SourceUnavailableError)
        return [
            Finding(
                check=check,
                status=Status.WARNING if elsewhere else Status.FAILED,
                summary=f"it could not be checked: {error.message}",
                figures={"error": error.code},
                remedy=error.hint,
            )
        ]


def _golden(session: Session, space: Space, baseline: Baseline | None) -> Iterable[Finding]:
    changed = _changed(session, space, baseline)
    now = _ask_again(session, space, baseline, changed=changed)
    return behaviour.answers(
        baseline,
        now,
        changed=changed,
        bridged=space.release.bridge is not None,
    )


def _benchmark(session: Session, space: Space, run: Baseline) -> Finding:
    """Compare with the stored run of the questions that the policy names."""
    now = _ask_again(session, space, run)
    found, _ = behaviour.answers(
        run,
        now,
        changed=_changed(session, space, run),
        bridged=space.release.bridge is not None,
    )
    return replace(
        found,
        check="benchmark",
        summary=found.summary.replace("golden queries", "questions of its stored run"),
    )


def _ask_again(
    session: Session,
    space: Space,
    baseline: Baseline | None,
    *,
    changed: frozenset[str] = frozenset(),
) -> Baseline:
    queries = (
        {
            query: DocumentId(baseline.expected.get(query, ""))
            for query in baseline.answers
            # What such a query says changed with its document.
            if not (golden.is_referred(query) and baseline.expected.get(query) in changed)
        }
        if baseline is not None
        else {}
    )
    # Twice as deep: what was written since may stand before what was found then.
    return golden.measure(space, queries, clock=session.clock, depth=golden.DEPTH * 2)


def _changed(session: Session, space: Space, baseline: Baseline | None) -> frozenset[str]:
    """Return the baseline's documents that were edited or deleted since it was taken."""
    if baseline is None:
        return frozenset()
    found = {
        DocumentId(document) for answer in baseline.answers.values() for document in answer
    }
    found |= {
        DocumentId(document)
        for query, document in baseline.expected.items()
        if golden.is_referred(query)
    }
    with session.store.read() as view:
        rows = view.log.get(space.release.index, sorted(found))
    return frozenset(
        document
        for document in found
        if (row := rows.get(document)) is None
        or row.document is None
        or row.written_at >= baseline.at
    )
