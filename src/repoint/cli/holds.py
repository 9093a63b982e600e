"""``repoint hold``: what forbids dropping a release."""

from __future__ import annotations

from typing import Annotated

import typer

from repoint.cli.arguments import IndexName, Reason, ReleaseName
from repoint.cli.door import Door, command
from repoint.cli.failures import plain

app = typer.Typer(name="hold", rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def hold() -> None:
    """Show, place and lift what forbids dropping a release."""


@command(app, "list", example="repoint hold list docs")
def list_(door: Door, index: IndexName) -> None:
    """List the holds of an index: a rollback places one on the release that failed."""
    with door.workspace() as opened:
        holds = opened.index(index).status().holds
    door.out.json({"index": index, "holds": [plain(one) for one in holds]})
    if not holds:
        door.out.say(f"nothing is held in {index}")
        return
    door.out.table(
        ("release", "since", "by", "reason"),
        [(one.release, f"{one.at:%Y-%m-%d %H:%M}", one.actor, one.reason) for one in holds],
    )


@command(app, "place", example='repoint hold place docs v1 --reason "audit until March"')
def place(
    door: Door,
    *,
    index: IndexName,
    release: ReleaseName,
    reason: Annotated[
        str, typer.Option("--reason", metavar="WHY", help="Why; drop says it when it refuses.")
    ],
) -> None:
    """Forbid dropping a release until somebody lifts it."""
    with door.workspace() as opened:
        made = opened.index(index).place_hold(release, reason=reason)
    door.out.json({"index": index, "held": plain(made)})
    door.out.say(
        f"{release} is held: {reason}",
        f"  -> to lift it: repoint hold lift {index} {release}",
    )


@command(app, "lift", example='repoint hold lift docs v2 --reason "diagnosed"')
def lift(door: Door, index: IndexName, release: ReleaseName, reason: Reason = "") -> None:
    """Let a held release be dropped."""
    with door.workspace() as opened:
        count = opened.index(index).lift_holds(release, reason=reason)
    door.out.json({"index": index, "release": release, "lifted": count})
    door.out.say(
        f"holds lifted from {release}: {count}" if count else f"{release} was not held"
    )
