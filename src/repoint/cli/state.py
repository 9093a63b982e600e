"""``repoint status``, ``history`` and ``check``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from repoint.cli import failures, shapes
from repoint.cli.arguments import IndexName
from repoint.cli.door import Door, command
from repoint.cli.failures import plain
from repoint.cli.output import columns, shortened
from repoint.cli.shares import percent
from repoint.domain.errors import RepointError
from repoint.domain.readiness import failures as failed

if TYPE_CHECKING:
    from repoint.client import Index
    from repoint.domain.diagnosis import Diagnosis
    from repoint.operations.alias import AliasStanding
    from repoint.operations.status import IndexStatus

app = typer.Typer(rich_markup_mode=None)

#: Home, then clear: what a redraw sends to a terminal.
_CLEAR = "\x1b[H\x1b[2J"
_REPAIR_ALIAS = "to point it back: repoint reconcile --repair-alias"


@command(
    app,
    "status",
    example="repoint status docs\nrepoint status docs --watch\nrepoint status docs --json",
    interrupted="nothing was changed",
)
def status(
    door: Door,
    *,
    index: IndexName,
    watch: Annotated[
        bool, typer.Option("--watch", help="Draw it anew every second until Ctrl-C.")
    ] = False,
) -> None:
    """Show who answers and how far every live release is behind."""
    if watch and door.settings.as_json:
        raise typer.BadParameter("--watch is for people; ask for --json again instead")
    with door.workspace() as opened:
        handle = opened.index(index)
        if watch:
            _watch(door, lambda: _drawn(handle.status()), pause=opened.session.clock.sleep)
            return
        now = handle.status()
        alias, problem = _alias(handle)
    door.out.json({**shapes.status(now), "alias": shapes.alias(alias, problem)})
    door.out.say(*_drawn(now))
    if alias is not None and not alias.agrees and now.operation is None:
        door.out.say("", f"ALIAS: {alias.sentence()}", f"  -> {_REPAIR_ALIAS}")
    elif problem is not None:
        door.out.say("", f"the database's alias could not be asked for: {problem.message}")


@command(app, "history", example="repoint history docs --limit 5")
def history(
    door: Door,
    index: IndexName,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, help="At most so many moves.")
    ] = 20,
) -> None:
    """List the pointer's moves, newest first."""
    with door.workspace() as opened:
        moves = opened.index(index).history(limit=limit)
    door.out.json({"index": index, "moves": [shapes.move(one) for one in moves]})
    if not moves:
        door.out.say(f"the pointer of {index} never moved")
        return
    door.out.table(
        ("epoch", "at (UTC)", "move", "from", "to", "actor", "reason"),
        [
            (
                one.after.epoch,
                f"{one.at:%Y-%m-%d %H:%M:%S}",
                one.kind,
                one.before.active,
                one.after.active
                if one.after.canary is None
                else f"{one.after.active}, {one.after.canary.release} "
                f"{percent(one.after.canary.share)}",
                one.actor,
                shortened(one.reason, 60),
            )
            for one in moves
        ],
    )


@command(app, "check", example="repoint check docs")
def check(door: Door, index: IndexName) -> None:
    """Go through the rollback checklist.

    The exit status is 3 when an item failed.
    """
    with door.workspace() as opened:
        findings = opened.index(index).check()
    in_the_way = failed(findings)
    door.out.json(
        {
            "index": index,
            "ready": not in_the_way,
            "findings": [plain(finding) for finding in findings],
        }
    )
    door.out.findings(findings)
    if in_the_way:
        door.out.say(f"{index}: {len(in_the_way)} of {len(findings)} checks failed")
        raise typer.Exit(failures.NOT_CLEAN)
    door.out.say(f"{index}: none of {len(findings)} checks failed")


def _alias(handle: Index) -> tuple[AliasStanding | None, RepointError | None]:
    """Return how the alias stands; a database that does not answer hides nothing else."""
    try:
        return handle.routing.alias(), None
    except RepointError as error:
        return None, error


def _watch(
    door: Door, draw: Callable[[], list[str]], *, pause: Callable[[float], None]
) -> None:
    on_terminal = sys.stdout.isatty()
    try:
        while True:
            if on_terminal:
                typer.echo(_CLEAR, nl=False)
            door.out.say(*draw(), "" if on_terminal else "---")
            sys.stdout.flush()
            pause(1.0)
    except KeyboardInterrupt:
        return  # the way to end it, not a mishap


def _drawn(now: IndexStatus) -> list[str]:
    lines = [_who(now)]
    if now.freeze is not None:
        lines.append(
            f"FROZEN by {now.freeze.actor} since {now.freeze.at:%Y-%m-%d %H:%M:%S} UTC"
            + (f": {now.freeze.reason}" if now.freeze.reason else "")
        )
    if now.rollout is not None:
        lines.append(
            f"rollout of {now.rollout.release}: {now.rollout.phase}, judged by "
            + (f"policy {now.rollout.policy}" if now.rollout.policy else "the built-in policy")
        )
    if now.operation is not None:
        lines.append(
            f"under way: {now.operation.kind} of {now.operation.release} by "
            f"{now.operation.actor}, {now.operation.step} "
            "(if its process died: repoint reconcile)"
        )
    lines += [
        f"held: {hold.release} by {hold.actor}: {shortened(hold.reason, 60)}"
        for hold in now.holds
    ]
    if now.failed is not None:
        lines.append(_why(now.index, now.failed, now.diagnosis))
    lines += [
        f"ALARM {one.release} {one.check} on {one.host} since "
        f"{one.since:%Y-%m-%d %H:%M:%S} UTC: {one.summary}"
        for one in now.alarms
    ]
    lines += ["", *_releases(now)] if now.releases else ["no release is live yet"]
    if now.processes:
        served = ", ".join(
            f"{one.program} {one.host}:{one.pid} (epoch {one.serves[now.index]})"
            for one in now.processes
        )
        lines += ["", f"served by {served}"]
    return lines


def _who(now: IndexStatus) -> str:
    if now.active is None:
        return (
            f"{now.index}: nothing was promoted, so nobody answers; the log is at {now.head:,}"
        )
    behind = f", {now.fallback} is its fallback" if now.fallback else ", without a fallback"
    if now.canary is not None:
        behind += f", {now.canary.release} is its canary at {percent(now.canary.share)}"
    return (
        f"{now.index}: {now.active} answers (epoch {now.epoch}){behind}; "
        f"the log is at {now.head:,}"
    )


def _why(index: str, failed: str, diagnosis: Diagnosis | None) -> str:
    if diagnosis is None:
        return f"{failed} was rolled back from\n  -> {shapes.seeded(index, failed)}"
    top = "no cause was found" if diagnosis.top is None else diagnosis.top.fault.value
    return (
        f"{failed} was rolled back from: {top}\n"
        f"  -> the whole diagnosis: repoint diagnose {index} {failed} --last"
    )


def _releases(now: IndexStatus) -> list[str]:
    return columns(
        ("release", "role", "watermark", "lag", "rows", "deletes", "paused", "dead letters"),
        [
            (
                one.name,
                one.role,
                one.watermark,
                one.lag,
                one.backlog.rows,
                one.backlog.tombstones,
                one.paused,
                one.dead_letters,
            )
            for one in now.releases
        ],
    )
