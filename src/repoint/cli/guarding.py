"""``repoint guard``: look on a schedule, go back by itself, and say why."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer
from typer.core import TyperGroup

from repoint.cli import failures
from repoint.cli.arguments import IndexName
from repoint.cli.door import Door, command
from repoint.cli.failures import plain
from repoint.cli.stopping import on_signals
from repoint.domain.errors import RefusedError

if TYPE_CHECKING:
    from repoint.client import Repoint
    from repoint.client.guarding import Guarding
    from repoint.domain.document import Json
    from repoint.domain.guarding import Decision, Look, TriggerResult
    from repoint.operations.guard.looking import Seen

#: The command that an index's name alone means: ``repoint guard docs``.
DEFAULT: Final = "run"
TOKEN_VARIABLE: Final = "REPOINT_GUARD_TOKEN"  # noqa: S105 - a variable's name

_COLOURS: Final = {
    "pass": typer.colors.GREEN,
    "fail": typer.colors.RED,
    "inconclusive": typer.colors.YELLOW,
    "error": typer.colors.MAGENTA,
}
#: Seconds between two looks at whether to stop.
_TICK_S: Final = 0.5


class _Group(TyperGroup):
    """A list of commands in which an index's name alone means to guard it."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]  # its type is private
        """Put the default command before what is no command's name."""
        if args and args[0] not in self.commands and args[0] not in {"-h", "--help"}:
            args.insert(0, DEFAULT)
        return super().parse_args(ctx, args)


app = typer.Typer(name="guard", cls=_Group, rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def guard() -> None:
    """Go back by itself when a declared trigger fires; show what was decided.

    `repoint guard INDEX` is `repoint guard run INDEX`.
    """


@command(
    app,
    DEFAULT,
    example="repoint guard run docs --once --dry-run\nrepoint guard docs\n"
    "repoint guard docs --listen 127.0.0.1:9099",
    interrupted="what was decided is on record; the next guard finishes it",
)
def run(
    door: Door,
    *,
    index: IndexName,
    once: Annotated[bool, typer.Option("--once", help="Look once, and end.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Decide and record, and do nothing.")
    ] = False,
    every: Annotated[
        float | None,
        typer.Option(
            "--every", metavar="SECONDS", min=0.1, help="How often; else as the policy says."
        ),
    ] = None,
    listen: Annotated[
        str,
        typer.Option(
            "--listen",
            metavar="HOST:PORT",
            help=f"Take alerts there; their bearer token is in {TOKEN_VARIABLE}.",
            show_default=False,
        ),
    ] = "",
) -> None:
    """Watch who answers, and go back or freeze as the policy declares.

    `repoint guard INDEX` is the same. It acts as `guard`, or as --actor says, and needs the
    role operator. Any number may run: one looks, the others stand by.
    With --once the exit status is 3 when a trigger fires.
    """
    if once:
        _once(door, index, dry_run=dry_run)
        return
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if listen and not token:
        raise RefusedError(
            f"--listen takes alerts from whoever knows a token: {TOKEN_VARIABLE} is not set",
            hint=f"export {TOKEN_VARIABLE}=$(openssl rand -hex 32)",
        )
    with (
        door.workspace() as opened,
        on_signals("finishing the look in hand") as request,
        _guarding(door, opened, index).run(
            dry_run=dry_run,
            every=None if every is None else timedelta(seconds=every),
            listen=listen,
            token=token,
            tell=_Teller(door),
        ) as running,
    ):
        door.out.aside(f"guarding {index}")
        if running.webhook_url is not None:
            door.out.aside(f"taking alerts at {running.webhook_url}")
        told = ""
        while not request.wait(_TICK_S):
            error = running.last_error
            if error is not None and str(error) != told:
                door.out.aside(f"{index}: {error}; looking again")
            told = "" if error is None else str(error)
    seen = running.last_seen
    number = seen.look.number if seen is not None and seen.look is not None else 0
    door.out.json({"index": index, "looks": number, "ended": "asked"})
    door.out.say("ended; nothing is half done")


@command(app, "show", example="repoint guard show docs\nrepoint guard show docs --json")
def show(door: Door, *, index: IndexName) -> None:
    """Show the newest look, what it saw, and the alerts that were sent."""
    with door.workspace() as opened:
        guarding = opened.index(index).guarding
        newest = next(iter(guarding.looks(limit=1)), None)
        alerts = guarding.alerts()
        now = opened.session.clock.now()
    door.out.json(
        {
            "index": index,
            "look": None if newest is None else _look(newest),
            "alerts": [plain(one) for one in alerts],
        }
    )
    if newest is None:
        door.out.say(f"no guard has looked at {index}", f"  -> repoint guard {index}")
        return
    ago = (now - newest.at).total_seconds()
    door.out.say(
        f"look {newest.number} at epoch {newest.epoch}, {ago:,.0f} s ago: {newest.active} "
        f"answers, policy {newest.policy}"
    )
    for result in newest.results:
        _tell_result(door, result)
    for one in alerts:
        state = "firing" if one.firing else "resolved"
        door.out.say(
            f"alert {one.name} is {state}, last heard of {one.received_at:%H:%M:%S} UTC"
        )


@command(
    app,
    "decisions",
    example="repoint guard decisions docs\nrepoint guard decisions docs --limit 5 --json",
)
def decisions(
    door: Door,
    *,
    index: IndexName,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Only the newest.")
    ] = None,
) -> None:
    """List what guards decided, newest first, with the figures that each rests on."""
    with door.workspace() as opened:
        found = opened.index(index).guarding.decisions(limit=limit)
    door.out.json({"index": index, "decisions": [_decision(one) for one in found]})
    if not found:
        door.out.say(f"no guard of {index} has decided anything")
        return
    for one in found:
        _tell_decision(door, one)


def _guarding(door: Door, opened: Repoint, index: str) -> Guarding:
    found = opened.index(index).guarding
    return found.acting_as(door.settings.actor) if door.settings.actor else found


def _once(door: Door, index: str, *, dry_run: bool) -> None:
    with door.workspace() as opened:
        seen = _guarding(door, opened, index).look(dry_run=dry_run)
    door.out.json(
        {
            "index": index,
            "look": None if seen.look is None else _look(seen.look),
            "decision": None if seen.decision is None else _decision(seen.decision),
            "finished": None if seen.finished is None else _decision(seen.finished),
        }
    )
    if seen.look is None:
        door.out.say(f"another process guards {index}")
        return
    if seen.finished is not None:
        left = "left as it is" if seen.finished.state == "decided" else "finished now"
        door.out.say(f"decision {seen.finished.number} was left behind, and is {left}")
        _tell_decision(door, seen.finished)
    for one in seen.look.results:
        _tell_result(door, one)
    firing = seen.look.firing
    if seen.decision is not None:
        _tell_decision(door, seen.decision)
    elif firing:
        door.out.say("as decided before: see `repoint guard decisions`")
    else:
        door.out.say(f"{index}: no trigger fires for {seen.look.active}")
    if firing:
        raise typer.Exit(failures.NOT_CLEAN)


class _Teller:
    """Says on standard error what changed since the last look."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._told: dict[str, str] = {}

    def __call__(self, seen: Seen) -> None:
        for decision in (seen.finished, seen.decision):
            if decision is not None:
                self._door.out.aside(_sentence(decision))
        if seen.look is None:
            self._news({"": "another process guards it; standing by"})
            return
        self._news({one.trigger: one.outcome.value for one in seen.look.results}, seen.look)

    def _news(self, now: dict[str, str], look: Look | None = None) -> None:
        summaries = {one.trigger: one.summary for one in look.results} if look else {}
        for trigger, outcome in now.items():
            if self._told.get(trigger) != outcome:
                said = summaries.get(trigger)
                self._door.out.aside(
                    outcome if said is None else f"{outcome:<12} {trigger}: {said}"
                )
        self._told = now


def _tell_result(door: Door, one: TriggerResult) -> None:
    streak = f" ({one.failed} in a row)" if one.failed > 1 else ""
    door.out.marked(
        f"{one.outcome.value:<12}",
        _COLOURS[one.outcome.value],
        f" {one.trigger}: {one.summary}{streak}",
    )


def _tell_decision(door: Door, one: Decision) -> None:
    door.out.say(_sentence(one))
    for result in one.results:
        if result.fires:
            _tell_result(door, result)


def _sentence(one: Decision) -> str:
    at = f"{one.at:%Y-%m-%d %H:%M:%S} UTC"
    what = f"decision {one.number}  {at}  {one.act.value} from epoch {one.epoch}"
    what = f"{what}: {one.state.value}"
    outcome = one.outcome
    if "held_back" in outcome:
        return f"{what} ({outcome['held_back']})"
    if "seconds" in outcome:
        proof = "verified" if outcome.get("verified") else "NOT VERIFIED"
        return (
            f"{what}, {outcome['active']} answers at epoch {outcome['epoch']}, {proof}, "
            f"{float(str(outcome['seconds'])):.2f} s"
        )
    return f"{what} ({outcome['message']})" if "message" in outcome else what


def _look(one: Look) -> Json:
    return {
        "number": one.number,
        "epoch": one.epoch,
        "at": plain(one.at),
        "active": one.active,
        "fallback": one.fallback,
        "policy": one.policy,
        "seconds": round(one.seconds, 4),
        "results": [_result(result) for result in one.results],
    }


def _decision(one: Decision) -> Json:
    return {
        "number": one.number,
        "epoch": one.epoch,
        "at": plain(one.at),
        "actor": one.actor,
        "act": one.act.value,
        "state": one.state.value,
        "why": one.why,
        "policy": one.policy,
        "look": one.look,
        "results": [_result(result) for result in one.results],
        "outcome": plain(one.outcome),
    }


def _result(one: TriggerResult) -> Json:
    return {
        "trigger": one.trigger,
        "outcome": one.outcome.value,
        "summary": one.summary,
        "then": one.then.value,
        "fires": one.fires,
        "failed": one.failed,
        "errors": one.errors,
        "figures": plain(one.figures),
    }
