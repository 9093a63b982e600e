"""``repoint grants``: what a database must allow before a move."""

from __future__ import annotations

import typer

from repoint.cli import failures
from repoint.cli.arguments import IndexName, ReleaseName
from repoint.cli.door import Door, command
from repoint.cli.failures import plain

app = typer.Typer(name="grants", rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def grants() -> None:
    """Say which grants of the databases a move needs."""


@command(app, "check", example="repoint grants check docs v2")
def check(door: Door, index: IndexName, release: ReleaseName) -> None:
    """Check that applications and repoint may use both sides of a move.

    Both are what answers now and the release that is named. A promotion asks the same and is
    refused before it moves. The exit status is 3 while a grant is missing.
    """
    with door.workspace() as opened:
        report = opened.index(index).grants(release)
    missing = report.missing
    door.out.json(
        {
            "index": index,
            "releases": list(report.releases),
            "complete": not missing,
            "silent": list(report.silent),
            "unguarded": list(report.unguarded),
            "privileges": [plain(one) for one in report.privileges],
        }
    )
    if report.privileges:
        door.out.table(
            ("role", "needs", "on", "to", "held"),
            [
                (one.role, one.privilege, one.on, one.purpose, one.held)
                for one in report.privileges
            ],
        )
    for name in report.silent:
        door.out.say(f"{name} cannot say who may do what: nothing was checked there")
    for name in report.unguarded:
        door.out.say(f"{name} lets everybody who reaches it do everything: nothing to check")
    if missing:
        door.out.say(f"{len(missing)} of {len(report.privileges)} grants are missing; run:")
        ends = {one.remedy: ";" if one.remedy.startswith("GRANT ") else "" for one in missing}
        door.out.say(*(f"  {remedy}{end}" for remedy, end in ends.items()))
        raise typer.Exit(failures.NOT_CLEAN)
    if report.privileges:
        door.out.say(f"all {len(report.privileges)} grants are there")
