"""``repoint dead-letters``: documents that a release could not take."""

from __future__ import annotations

from typing import Annotated

import typer

from repoint.cli import failures
from repoint.cli.arguments import IndexName, ReleaseName
from repoint.cli.door import Door, command
from repoint.cli.failures import plain
from repoint.cli.output import shortened

app = typer.Typer(rich_markup_mode=None)


@command(
    app,
    "dead-letters",
    example="repoint dead-letters docs v2\nrepoint dead-letters docs v2 --retry",
    interrupted="what was applied is kept; the same command takes the rest",
)
def dead_letters(
    door: Door,
    *,
    index: IndexName,
    release: ReleaseName,
    retry: Annotated[bool, typer.Option("--retry", help="Try to take them again.")] = False,
) -> None:
    """List the documents that a release could not take."""
    with door.workspace() as opened:
        handle = opened.index(index)
        applied = handle.retry_dead_letters(release) if retry else None
        letters = handle.dead_letters(release)
    door.out.json(
        {
            "index": index,
            "release": release,
            "retried": None if applied is None else plain(applied),
            "dead_letters": [plain(one) for one in letters],
        }
    )
    if applied is not None:
        door.out.say(f"{applied.written:,} taken now, {applied.refused:,} refused again")
    if not letters:
        door.out.say(f"{release} took every document")
        return
    door.out.table(
        ("document", "lsn", "code", "attempts", "reason"),
        [
            (one.document, one.lsn, one.code, one.attempts, shortened(one.reason, 80))
            for one in letters
        ],
    )
    if applied is not None:
        raise typer.Exit(failures.NOT_CLEAN)
    door.out.say(f"  -> to try again: repoint dead-letters {index} {release} --retry")
