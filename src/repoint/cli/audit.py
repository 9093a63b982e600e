"""``repoint audit``: the record of all actions, each chained to the one before."""

from __future__ import annotations

from typing import Annotated

import typer

from repoint.cli.door import Door, command
from repoint.cli.failures import plain
from repoint.cli.output import shortened
from repoint.domain.access import Action
from repoint.domain.ids import index_name

app = typer.Typer(name="audit", rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def audit() -> None:
    """Read and verify the record of all actions."""


@command(app, "verify", example="repoint audit verify")
def verify(door: Door) -> None:
    """Verify that no record was changed, removed or put in, and that each move has one."""
    with door.workspace() as opened:
        count = opened.verify_audit()
    door.out.json({"verified": True, "records": count})
    door.out.say(f"{count:,} records, all verified")


@command(app, "list", example="repoint audit list\nrepoint audit list docs --limit 20")
def list_(
    door: Door,
    index: Annotated[
        str | None, typer.Argument(metavar="[INDEX]", help="Of one index; left out: of all.")
    ] = None,
    after: Annotated[
        int, typer.Option("--after", metavar="N", min=0, help="Only records after this one.")
    ] = 0,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, help="At most so many records.")
    ] = 100,
) -> None:
    """List records, oldest first: who tried what, why, and how it ended."""
    from repoint.operations.session import authorise  # noqa: PLC0415 - not needed for help

    with door.workspace() as opened:
        if index is not None:
            opened.index(index)  # refuses a name that nobody has
        authorise(opened.session, Action.READ, index_name(index) if index else None)
        with opened.session.store.read() as view:
            records = view.audit.records(after=after, limit=limit, index=index)
    door.out.json({"records": [plain(one) for one in records]})
    if not records:
        door.out.say("no record")
        return
    door.out.table(
        ("record", "at (UTC)", "actor", "action", "index", "outcome", "reason"),
        [
            (
                one.sequence,
                f"{one.at:%Y-%m-%d %H:%M:%S}",
                one.actor,
                one.action,
                one.index,
                one.outcome,
                shortened(one.reason, 60),
            )
            for one in records
        ],
    )
    if len(records) == limit:
        last = records[-1].sequence
        door.out.say(f"  -> more: repoint audit list --after {last}")
