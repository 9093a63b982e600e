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
        Path,
        typer.Option(
            "--folder", metavar="FOLDER", help="Where it works and writes its report."
        ),
    ] = Path("demo-report"),
) -> None:
    """See a bad update and its rollback on this machine.

    A good model answers, a bad one is promoted, relevance falls, documents change, the
    update is rolled back, and every claim is checked. The report has the picture.
    """
    from repoint import demo as story  # noqa: PLC0415 - loads models and draws pages

    raise typer.Exit(story.run(folder, as_json=door.settings.as_json))
