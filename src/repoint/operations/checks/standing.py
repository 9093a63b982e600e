"""Checks of what the control store knows: lag, dead letters, freeze, alias."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from repoint.domain.alarm import Alarm
from repoint.domain.ids import IndexName, Lsn, ReleaseName
from repoint.domain.readiness import Finding, Status
from repoint.domain.release import Release, ReleaseState
from repoint.operations import alias as alias_
from repoint.operations.in_force import policy_for
from repoint.operations.session import Session
from repoint.ports.store import Transaction

#: More dead letters than this share of a release's documents stand in its way.
TOLERATED_DEAD_SHARE = 0.001
#: What points an alias that was moved past repoint back.
REPAIR_ALIAS = "repoint reconcile --repair-alias"


def lag(
    view: Transaction,
    index: IndexName,
    release: ReleaseName,
    *,
    allowed: int = 0,
    upto: Lsn | None = None,
) -> Finding:
    """Check that a release is in step with the log, within a stated number of rows.

    ``upto`` leaves out what was written above it: where writers never pause, nobody is
    ever in step with this very moment.
    """
    watermark, head = view.catchup.watermark(index, release), view.log.head(index)
    if upto is not None:
        head = max(watermark, min(head, upto))
    backlog = view.log.backlog(index, above=watermark, upto=head)
    figures = {"watermark": watermark, "head": head, "rows": backlog.rows, "allowed": allowed}
    if backlog.rows <= allowed:
        return Finding(
            check="lag",
            status=Status.OK,
            summary=f"{release} is {backlog.rows} rows behind the log (allowed: {allowed})",
            figures=figures,
        )
    return Finding(
        check="lag",
        status=Status.FAILED,
        summary=f"{release} is {backlog.rows} rows behind the log, {backlog.tombstones} of "
        f"them deletes (allowed: {allowed})",
        figures=figures,
        remedy=f"repoint sync {index} {release}",
    )


def dead_letters(view: Transaction, index: IndexName, release: ReleaseName) -> Finding:
    """Check how many documents a release could not take."""
    letters = view.dead_letters.all(index, release)
    watermark = view.catchup.watermark(index, release)
    share = len(letters) / max(1, watermark)
    if not letters:
        status, summary = Status.OK, f"{release} took every document"
    else:
        status = Status.WARNING if share <= TOLERATED_DEAD_SHARE else Status.FAILED
        summary = (
            f"{release} could not take {len(letters)} documents, the first for "
            f"{letters[0].code}"
        )
    return Finding(
        check="dead-letters",
        status=status,
        summary=summary,
        figures={"documents": len(letters)},
        remedy=f"repoint dead-letters {index} {release}" if letters else "",
    )


def alarms(found: Iterable[Alarm]) -> list[Finding]:
    """Tell what was noticed of a release between two commands, and is not over."""
    return [
        Finding(
            check=f"alarm-{alarm.check}",
            status=Status.WARNING,
            summary=f"seen on {alarm.host} since {alarm.since:%Y-%m-%d %H:%M:%S} UTC: "
            + alarm.summary,
            figures={"host": alarm.host, **alarm.figures},
            remedy="find out what replaced the model on that machine",
        )
        for alarm in found
    ]


def frozen(view: Transaction, index: IndexName) -> Finding:
    """Tell whether things may move forward."""
    standing = view.indexes.frozen(index)
    if standing is None:
        return Finding(check="freeze", status=Status.OK, summary="the index is not frozen")
    return Finding(
        check="freeze",
        status=Status.WARNING,
        summary=f"frozen by {standing.actor} at {standing.at:%Y-%m-%d %H:%M:%S} UTC: "
        f"{standing.reason or 'no reason given'}",
        remedy=f"when it is safe: repoint unfreeze {index}",
    )


def alias(session: Session, release: Release) -> Finding:
    """Check that the database's own name points where the pointer does."""
    found = alias_.standing(session, release)
    if found is None:
        kind = session.spaces.backend(release).capabilities.name
        return Finding(
            check="alias",
            status=Status.SKIPPED,
            summary=f"{kind} has no aliases: direct clients ask for the route",
        )
    return Finding(
        check="alias",
        status=Status.OK if found.agrees else Status.FAILED,
        summary=found.sentence(),
        figures={
            "alias": found.alias,
            "target": found.target,
            "expected": found.expected,
            "release": found.found,
        },
        remedy="" if found.agrees else REPAIR_ALIAS,
    )


def guarded(
    view: Transaction, index: IndexName, active: ReleaseName, *, now: datetime
) -> Finding | None:
    """Check that somebody looks as the policy declares; None where it declares no trigger."""
    policy = policy_for(view, index, active).policy
    if not policy.triggers:
        return None
    look = view.guarding.last_look(index)
    if look is None or now - look.at > policy.guard.every * 3:
        since = "never" if look is None else f"last at {look.at:%Y-%m-%d %H:%M:%S} UTC"
        return Finding(
            check="guard",
            status=Status.WARNING,
            summary=f"the policy declares {len(policy.triggers)} triggers, and nobody looks: "
            f"{since}",
            remedy=f"repoint guard {index}",
        )
    firing = [one.trigger for one in look.firing]
    return Finding(
        check="guard",
        status=Status.WARNING if firing else Status.OK,
        summary=f"look {look.number} at epoch {look.epoch}: "
        + (f"{', '.join(firing)} fired" if firing else "no trigger fires"),
        figures={"look": look.number, "firing": len(firing)},
        remedy=f"repoint guard decisions {index}" if firing else "",
    )


def live(release: Release) -> Finding:
    """Check that a release is kept in step."""
    remedy = ""
    if release.state in {ReleaseState.RETIRED, ReleaseState.DROPPED}:
        remedy = f"make a new one of its spec: repoint release create {release.index} NAME"
    elif release.paused:
        remedy = f"repoint sync {release.index} {release.name} --resume"
    elif release.state is not ReleaseState.LIVE:
        remedy = f"repoint sync {release.index} {release.name}"
    return Finding(
        check="live",
        status=Status.FAILED if remedy else Status.OK,
        summary=f"{release.name} is {release.state}" + (", paused" if release.paused else ""),
        figures={"state": release.state, "paused": release.paused},
        remedy=remedy,
    )
