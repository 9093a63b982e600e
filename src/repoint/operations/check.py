"""Check: the rollback checklist of an index, each item with its figure."""

from __future__ import annotations

from repoint.domain.access import Action
from repoint.domain.errors import RepointError
from repoint.domain.ids import IndexName, ReleaseName
from repoint.domain.readiness import Finding, Status
from repoint.domain.release import ReleaseState
from repoint.operations import acknowledge, diff, naming, privileges, renderings
from repoint.operations.checks import behaviour, standing
from repoint.operations.session import Session, authorise
from repoint.operations.verify import SAMPLE


def check(session: Session, index: IndexName) -> list[Finding]:
    """Return whether a rollback typed now would be right, item by item."""
    authorise(session, Action.READ, index)
    with session.store.read() as view:
        pointer = view.pointers.pointer(index)
        operation = view.operations.unfinished(index)
        findings = [standing.frozen(view, index)]
        rollout = view.pointers.rollout(index)
        candidate = rollout.release if rollout and rollout.release != pointer.active else None
        releases = {
            role: view.releases.get(index, name)
            for role, name in (
                ("active", pointer.active),
                ("fallback", pointer.fallback),
                ("candidate", candidate),
            )
            if name is not None
        }
        alarms = view.alarms.all(index, now=session.clock.now())
        serving = [p for p in view.processes.all() if index in p.serves]
    live = [p for p in serving if acknowledge.is_alive(p, session)]
    late = [p for p in live if p.serves[index] < pointer.epoch]
    findings.append(
        Finding(
            check="processes",
            status=Status.FAILED if late else Status.OK,
            summary=f"{len(live) - len(late)} of {len(live)} serving processes are on epoch "
            f"{pointer.epoch}",
            figures={"processes": len(live), "late": len(late)},
        )
    )
    findings.append(
        Finding(
            check="operation",
            status=Status.WARNING if operation else Status.OK,
            summary=f"{operation.kind} by {operation.actor} is not finished"
            if operation
            else "nothing is half done",
            remedy="repoint reconcile" if operation else "",
        )
    )
    findings.append(
        Finding(
            check="fallback",
            status=Status.OK if pointer.fallback else Status.WARNING,
            summary=f"{pointer.fallback} is kept ready behind {pointer.active}"
            if pointer.fallback
            else "there is no fallback: a rollback has nowhere to go",
        )
    )
    if pointer.active is not None:
        with session.store.read() as view:
            watched = standing.guarded(view, index, pointer.active, now=session.clock.now())
        findings += [] if watched is None else [watched]
    for role, release in releases.items():
        with session.store.read() as view:
            watermark = view.catchup.watermark(index, release.name)
            of_release = [
                standing.live(release),
                standing.lag(view, index, release.name),
                standing.dead_letters(view, index, release.name),
                *standing.alarms(one for one in alarms if one.release == release.name),
            ]
        try:
            space = session.spaces.open(release)
            of_release.append(behaviour.query_model(session, space))
            of_release.append(
                diff.sampled(
                    session.store, space, upto=watermark, count=SAMPLE, seed=pointer.epoch
                )
            )
            if role == "active":
                of_release.append(standing.alias(session, release))
            if role == "candidate":
                of_release += naming.findings(session, release, pointer)
        except RepointError as error:
            of_release.append(
                Finding(
                    check="open", status=Status.FAILED, summary=error.message, remedy=error.hint
                )
            )
        findings.extend(_of(role, finding) for finding in of_release)
    return [
        *findings,
        *(privileges.findings(session, list(releases.values())) if releases else []),
        *privileges.unasked(session, list(releases.values())),
        *renderings.findings(session, index),
        *_standbys(session, index, beside={one.name for one in releases.values()}),
    ]


def _standbys(session: Session, index: IndexName, *, beside: set[ReleaseName]) -> list[Finding]:
    """Return what is wrong with live releases that have no other role; they may get one."""
    with session.store.read() as view:
        others = [
            one
            for one in view.releases.all(index)
            if one.state is ReleaseState.LIVE and one.name not in beside
        ]
    findings: list[Finding] = []
    for release in others:
        try:
            session.spaces.backend(release).open(
                release.collection, fingerprint=release.fingerprint
            )
        except RepointError as error:
            findings.append(
                Finding(
                    check=f"standby:{release.name}:open",
                    status=Status.WARNING,
                    summary=error.message,
                    remedy=f"repoint diff {index} {release.name} --repair",
                )
            )
    return findings


def _of(role: str, finding: Finding) -> Finding:
    return Finding(
        check=f"{role}:{finding.check}",
        status=finding.status,
        summary=finding.summary,
        figures=finding.figures,
        remedy=finding.remedy,
    )
