"""``repoint hold``: what forbids dropping a release."""

from __future__ import annotations

import typer

from repoint.cli.arguments import IndexName, Reason, ReleaseName
from repoint.cli.door import Door, command
from repoint.cli.failures import plain

app = typer.Typer(name="hold", rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def hold() -> None:
    """Show and lift what forbids dropping a release."""


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


@command(app, "lift", example='repoint hold lift docs v2 --reason "diagnosed"')
def lift(door: Door, index: IndexName, release: ReleaseName, reason: Reason = "") -> None:
    """Let a held release be dropped."""
    with door.workspace() as opened:
        count = opened.index(index).lift_holds(release, reason=reason)
    door.out.json({"index": index, "release": release, "lifted": count})
    door.out.say(
        f"holds lifted from {release}: {count}" if count else f"{release} was not held"
    )
