"""``repoint init``, ``reconcile`` and ``version``."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Annotated

import typer

import repoint
from repoint.cli import failures
from repoint.cli.arguments import Reason
from repoint.cli.door import Door, command

app = typer.Typer(rich_markup_mode=None)


@command(
    app,
    "init",
    example="repoint init\nrepoint init /srv/search\n"
    "repoint init --store postgresql://repoint@db.example.com/search",
)
def init(
    door: Door,
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[FOLDER]", help="Where; else --home, REPOINT_HOME, .repoint."),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            "--store",
            metavar="URL",
            help="A PostgreSQL database for the control store, shared by a team. Its "
            "password is not written down: REPOINT_STORE_URL, PGPASSWORD or ~/.pgpass.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Make a workspace: control store, config, one folder."""
    from repoint.wiring.workspace import find_home, make_workspace  # noqa: PLC0415

    home = find_home(folder or door.settings.home)
    make_workspace(home, store_url=store)
    door.out.json({"home": str(home.resolve())})
    # What --home names is put into every hint anyway.
    place = "" if folder is None else f" --home {home}"
    door.out.say(f"made a workspace in {home}", f"  -> next: repoint index create docs{place}")


@command(
    app,
    "reconcile",
    example="repoint reconcile\n"
    'repoint reconcile --repair-alias --reason "moved by hand during the incident"',
)
def reconcile(
    door: Door,
    *,
    repair_alias: Annotated[
        bool,
        typer.Option(
            "--repair-alias", help="Also point back an alias that was moved past repoint."
        ),
    ] = False,
    reason: Reason = "",
) -> None:
    """Finish what a crash left half done."""
    with door.workspace() as opened:
        mended, left = opened.reconcile(repair_alias=repair_alias, reason=reason)
    door.out.json(
        {
            "mended": [{"index": one.index, "what": one.what} for one in mended],
            "left": list(left),
        }
    )
    for one in mended:
        door.out.say(f"mended: {one.index}: {one.what}" if one.index else f"mended: {one.what}")
    for line in left:
        door.out.say(f"left as it is: {line}")
    if not mended and not left:
        door.out.say("nothing was half done")
    if left:
        raise typer.Exit(failures.NOT_CLEAN)


@command(app, "version", example="repoint version")
def version(door: Door) -> None:
    """Print the version."""
    python = platform.python_version()
    door.out.json({"version": repoint.__version__, "python": python})
    door.out.say(f"repoint {repoint.__version__} (Python {python})")
