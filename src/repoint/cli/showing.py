"""``repoint demo``: the whole story on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from repoint.cli.door import Door, command

app = typer.Typer(rich_markup_mode=None)


@command(
    app,
    "demo",
    example="repoint demo\nrepoint demo --folder /tmp/story --json",
    interrupted="the demo's folder may be deleted; nothing else was touched",
)
def demo(
    door: Door,
    *,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder", metavar="FOLDER", help="Where the report goes; else demo-report here."
        ),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the demo's workspace there, to look around.")
    ] = False,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="A small part of the corpus: same checks, less time."),
    ] = False,
) -> None:
    """See a bad update and its rollback on this machine.

    A good model answers, a bad one is promoted, relevance falls, documents change, the
    update is rolled back, and every claim is checked. The report has the picture.
    """
    from repoint.demo import run  # noqa: PLC0415 - not needed for help

    raise typer.Exit(run(folder, as_json=door.settings.as_json, keep=keep, quick=quick))
