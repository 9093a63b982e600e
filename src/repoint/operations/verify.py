"""Verification: proof, finding by finding, that a release answers as it should.

The checks ask a fixed number of questions, so their time does not grow with the corpus.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

from repoint.domain.errors import RepointError
from repoint.domain.ids import DocumentId, Lsn
from repoint.domain.operation import Baseline
from repoint.domain.pointer import Pointer
from repoint.domain.readiness import Finding, Status
from repoint.operations import acknowledge, diff, golden
from repoint.operations.checks import behaviour, standing
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
    findings.append(behaviour.query_model(session, space))
    with session.store.read() as view:
        watermark = view.catchup.watermark(index, release.name)
        baseline = view.releases.baseline(index, release.name)
        dead = {letter.document for letter in view.dead_letters.all(index, release.name)}
        findings.append(standing.lag(view, index, release.name, upto=upto))
        findings.append(standing.dead_letters(view, index, release.name))
    recent = [
        row
        for row in behaviour.recent_rows(session, index, upto=watermark)
        if row.id not in dead
    ]
    findings += _tried("golden", lambda: _golden(session, space, baseline))
    findings += _tried("filter", lambda: [behaviour.filtering(session, space, recent)])
    findings += _tried("hybrid", lambda: [behaviour.hybrid(space, recent)])
    findings += _tried("fresh-document", lambda: [behaviour.fresh(space, recent)])
    findings += _tried("deleted-document", lambda: [behaviour.deleted(space, recent)])
    findings += _tried(
        "sampled-diff",
        lambda: [
            diff.sampled(session.store, space, upto=watermark, count=SAMPLE, seed=pointer.epoch)
        ],
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
        return [
            Finding(
                check=check,
                status=Status.FAILED,
                summary=f"it could not be checked: {error.message}",
                figures={"error": error.code},
                remedy=error.hint,
            )
        ]


def _golden(session: Session, space: Space, baseline: Baseline | None) -> Iterable[Finding]:
    now = _ask_again(session, space, baseline)
    return behaviour.answers(
        baseline,
        now,
        changed=_changed(session, space, baseline),
        bridged=space.release.bridge is not None,
    )


def _ask_again(session: Session, space: Space, baseline: Baseline | None) -> Baseline:
    queries = (
        {query: DocumentId(baseline.expected.get(query, "")) for query in baseline.answers}
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
    with session.store.read() as view:
        rows = view.log.get(space.release.index, sorted(found))
    return frozenset(
        document
        for document in found
        if (row := rows.get(document)) is None
        or row.document is None
        or row.written_at >= baseline.at
    )
