"""``repoint shadow``: live queries are also asked of another release."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from repoint.cli.arguments import IndexName, Reason
from repoint.cli.door import Door, command
from repoint.cli.failures import plain
from repoint.cli.shares import percent, share_of
from repoint.domain.errors import BadInputError

if TYPE_CHECKING:
    from repoint.cli.output import Output
    from repoint.domain.document import Json
    from repoint.domain.shadow import Shadow
    from repoint.domain.telemetry import Tally

app = typer.Typer(rich_markup_mode=None)


@command(
    app,
    "shadow",
    example="repoint shadow docs v2\nrepoint shadow docs v2 --share 10%\nrepoint shadow docs\n"
    "repoint shadow docs --stop",
)
def shadow(
    door: Door,
    *,
    index: IndexName,
    release: Annotated[
        str | None,
        typer.Argument(metavar="[RELEASE]", help="Who is asked as well; else show it."),
    ] = None,
    share: Annotated[
        str, typer.Option("--share", metavar="SHARE", help="Of live queries: 10%, 0.1.")
    ] = "100%",
    stop: Annotated[bool, typer.Option("--stop", help="End it.")] = False,
    reason: Reason = "",
) -> None:
    """Ask another release the live queries too, and compare; nobody gets its answers."""
    if stop and release is not None:
        raise BadInputError(
            "a shadow is ended without naming its release",
            hint=f"repoint shadow {index} --stop",
        )
    with door.workspace() as opened:
        handle = opened.index(index)
        if stop:
            _stopped(door.out, index, handle.traffic.stop_shadow(reason=reason))
            return
        if release is not None:
            made = handle.traffic.shadow(release, share=share_of(share), reason=reason)
            door.out.json(_shape(index, made, None))
            door.out.say(
                f"{percent(made.share)} of the live queries of {index} are also asked of "
                f"{release}",
                f"  -> what comes of it: repoint shadow {index}",
            )
            return
        standing = handle.traffic.shadowed()
        tally = None
        if standing is not None:
            from repoint.domain.telemetry import Arm  # noqa: PLC0415 - not needed for help

            window = handle.telemetry(since=standing.at)
            tally = window.of(standing.release, Arm.SHADOW)
    door.out.json(_shape(index, standing, tally))
    _tell(door.out, index, standing, tally)


def _stopped(out: Output, index: str, was: Shadow | None) -> None:
    out.json({"index": index, "shadow": None, "was": plain(was)})
    out.say(
        f"{index} had no shadow" if was is None else f"{was.release} is no longer asked as well"
    )


def _shape(index: str, standing: Shadow | None, tally: Tally | None) -> Json:
    from repoint.domain.telemetry import Count, Measure  # noqa: PLC0415 - not needed for help

    compared: Json = None
    if tally is not None:
        compared = {
            "queries": tally.count(Count.QUERIES),
            "failed": tally.count(Count.FAILED) + tally.count(Count.REFUSED),
            "dropped": tally.count(Count.DROPPED),
            "measures": {
                one.value: {
                    "count": found.count,
                    "mean": round(found.mean, 6),
                    "p05": round(found.quantile(0.05), 6),
                    "p50": round(found.quantile(0.5), 6),
                    "p95": round(found.quantile(0.95), 6),
                }
                for one in Measure
                if (found := tally.histogram(one)).count
            },
        }
    return {"index": index, "shadow": plain(standing), "compared": compared}


def _tell(out: Output, index: str, standing: Shadow | None, tally: Tally | None) -> None:
    from repoint.domain.telemetry import Count, Measure  # noqa: PLC0415 - not needed for help

    if standing is None or tally is None:
        out.say(f"{index} has no shadow", f"  -> repoint shadow {index} RELEASE")
        return
    out.say(
        f"{standing.release} is asked {percent(standing.share)} of the live queries since "
        f"{standing.at:%Y-%m-%d %H:%M:%S} UTC, by {standing.actor}",
        f"{tally.count(Count.QUERIES):,} asked, "
        f"{tally.count(Count.FAILED) + tally.count(Count.REFUSED):,} failed, "
        f"{tally.count(Count.DROPPED):,} dropped because this would have been in the way",
    )
    rows = [
        (
            one.value.replace("_", " ") + (" ms" if one is Measure.LATENCY_DIFFERENCE else ""),
            found.count,
            f"{found.mean:.4f}",
            *(f"{found.quantile(share):.4f}" for share in (0.05, 0.5, 0.95)),
        )
        for one in Measure
        if (found := tally.histogram(one)).count
    ]
    if rows:
        out.table(("against the served answer", "count", "mean", "p5", "p50", "p95"), rows)
    out.say(f"  -> to end it: repoint shadow {index} --stop")
