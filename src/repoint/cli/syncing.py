"""``repoint sync``: backfill, catch-up, pause, resume, throttle, budget, estimate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from repoint.cli import failures
from repoint.cli.allocator import give_back_freed_memory
from repoint.cli.arguments import IndexName, ReleaseName
from repoint.cli.door import Door, command
from repoint.cli.failures import plain
from repoint.cli.output import Output
from repoint.cli.progress import Bar, duration
from repoint.cli.stopping import on_signals

if TYPE_CHECKING:
    from repoint.client import Index
    from repoint.operations.sync import Progress, SyncPlan, SyncReport

app = typer.Typer(rich_markup_mode=None)

_KEPT = "what was applied is kept; the same command goes on from there"


def _rows_a_second(text: str) -> float:
    """Read ``200/s`` or ``200``; 0 is no limit."""
    try:
        rate = float(text.removesuffix("/s"))
    except ValueError:
        rate = -1.0
    if not 0 <= rate < float("inf"):
        raise typer.BadParameter(
            f"{text!r} is no rate; write for instance 200/s, or 0 for none"
        )
    return rate


@command(
    app,
    "sync",
    example="repoint sync docs v1 --plan\nrepoint sync docs v1\n"
    "repoint sync docs v1 --throttle 200/s --budget-tokens 5000000\n"
    "repoint sync docs v1 --pause",
    interrupted=_KEPT,
)
def sync(  # noqa: PLR0913 - each is an option that people type
    door: Door,
    *,
    index: IndexName,
    release: ReleaseName,
    plan: Annotated[
        bool, typer.Option("--plan", help="Only say what it would take; a sample is embedded.")
    ] = False,
    pause: Annotated[
        bool, typer.Option("--pause", help="Hold the backfill, in whichever process it runs.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="End the pause, and go on.")] = False,
    throttle: Annotated[
        float | None,
        typer.Option(
            "--throttle",
            metavar="N/s",
            parser=_rows_a_second,
            help="At most so many rows a second from now on, in any process; 0 is no limit.",
        ),
    ] = None,
    budget_tokens: Annotated[
        int | None,
        typer.Option(
            "--budget-tokens", metavar="N", min=1, help="Stop before more are embedded."
        ),
    ] = None,
) -> None:
    """Bring a release into step with the log.

    The first time it is a backfill, later a catch-up. Whatever interrupts it, the same
    command goes on from there.
    """
    if pause + resume + plan > 1:
        raise typer.BadParameter("choose one of --plan, --pause and --resume")
    give_back_freed_memory()
    with door.workspace() as opened:
        handle = opened.index(index)
        if plan:
            _plan(door.out, handle.plan(release))
            return
        if pause or resume or throttle is not None:
            handle.set_pace(
                release, paused=True if pause else False if resume else None, throttle=throttle
            )
        if pause:
            door.out.json({"index": index, "release": release, "paused": True})
            door.out.say(
                f"{release} is paused; a running sync stops within about a second",
                f"  -> to go on: repoint sync {index} {release} --resume",
            )
            return
        _run(door, handle, release, budget_tokens=budget_tokens)


def _run(door: Door, handle: Index, release: str, *, budget_tokens: int | None) -> None:
    with (
        on_signals("finishing the batches in hand; Ctrl-C again stops at once") as request,
        Bar(f"sync {release}") as bar,
    ):

        def show(now: Progress) -> None:
            left = f", {duration(now.remaining.total_seconds())} left" if now.remaining else ""
            bar.show(now.done, total=now.total, note=f"{now.rows_per_second:,.0f} rows/s{left}")

        report = handle.sync(
            release, budget_tokens=budget_tokens, progress=show, stop=request.asked
        )
    _tell(door.out, report)
    if request.asked() and not report.complete:
        door.out.aside(f"repoint: interrupted; {_KEPT}")
        raise typer.Exit(request.status)
    if not report.complete:
        raise typer.Exit(failures.NOT_CLEAN)


def _plan(out: Output, found: SyncPlan) -> None:
    shape = plain(found)
    assert isinstance(shape, dict)  # noqa: S101 - a dataclass gives a mapping
    out.json(shape)
    upserts = found.rows - found.tombstones
    out.say(
        f"{found.release} is at {found.watermark:,} of {found.head:,}: {upserts:,} documents "
        f"to embed, {found.tombstones:,} to delete",
        f"about {found.chunks:,} chunks and {found.tokens:,} tokens, from a sample of "
        f"{found.sampled:,} documents ({found.embedded:,} chunks embedded for it)",
    )
    if found.duration is not None:
        out.say(
            f"about {duration(found.duration.total_seconds())} of embedding on this machine"
        )
    out.say(
        "the spec names no price per million tokens"
        if found.cost is None
        else f"about {found.cost:,.2f} in the spec's currency",
        f"  -> to do it: repoint sync {found.index} {found.release}",
    )


def _tell(out: Output, report: SyncReport) -> None:
    shape = plain(report)
    assert isinstance(shape, dict)  # noqa: S101 - a dataclass gives a mapping
    out.json({**shape, "complete": report.complete})
    rate = report.rows / report.seconds if report.seconds > 0 else 0.0
    out.say(
        f"{report.release}: {report.rows:,} rows in {duration(report.seconds)} "
        f"({rate:,.0f} rows/s); {report.embedded:,} chunks embedded, {report.reused:,} reused, "
        f"{report.tombstones:,} deletes"
    )
    if report.dead_letters:
        out.say(
            f"{report.dead_letters:,} documents could not be taken",
            f"  -> see: repoint dead-letters {report.index} {report.release}",
        )
    lag = report.head - report.watermark
    if report.complete:
        out.say(f"in step with the log at {report.watermark:,}")
    else:
        out.say(
            f"stopped ({report.stopped}) at {report.watermark:,} of {report.head:,}: "
            f"{lag:,} left"
        )
