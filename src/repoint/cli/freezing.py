"""``repoint freeze`` and ``unfreeze``."""

from __future__ import annotations

import typer

from repoint.cli.arguments import IndexName, Reason
from repoint.cli.door import Door, command
from repoint.cli.failures import plain

app = typer.Typer(rich_markup_mode=None)


@command(app, "freeze", example='repoint freeze docs --reason "provider incident"')
def freeze(door: Door, index: IndexName, reason: Reason = "") -> None:
    """Let nothing move forward; going back stays possible."""
    with door.workspace() as opened:
        standing = opened.index(index).freeze(reason=reason)
    door.out.json({"index": index, "frozen": True, "freeze": plain(standing)})
    door.out.say(
        f"{index} is frozen by {standing.actor} since {standing.at:%Y-%m-%d %H:%M:%S} UTC"
        + (f": {standing.reason}" if standing.reason else ""),
        f"  -> when it is safe: repoint unfreeze {index}",
    )


@command(app, "unfreeze", example='repoint unfreeze docs --reason "incident is over"')
def unfreeze(door: Door, index: IndexName, reason: Reason = "") -> None:
    """Let things move forward again."""
    with door.workspace() as opened:
        was = opened.index(index).unfreeze(reason=reason)
    door.out.json({"index": index, "frozen": False, "was_frozen": was})
    door.out.say(f"{index} is no longer frozen" if was else f"{index} was not frozen")
