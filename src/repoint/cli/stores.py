"""``repoint store``: where the control store is, and moving it."""

from __future__ import annotations

from typing import Annotated

import typer

from repoint.cli.door import Door, command

app = typer.Typer(name="store", rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def store() -> None:
    """Show where the control store is, and move it to PostgreSQL."""


@command(app, "show", example="repoint store show")
def show(door: Door) -> None:
    """Show where the control store is, its schema, and how far clocks are apart."""
    with door.workspace() as opened:
        facts = opened.store()
    door.out.json(
        {
            "kind": facts.kind,
            "place": facts.place,
            "schema_name": facts.schema_name,
            "owner": facts.is_owner,
            "clock_offset_ms": round(facts.clock_offset.total_seconds() * 1000, 3),
            "clock_bound_ms": round(facts.clock_bound.total_seconds() * 1000, 3),
        }
    )
    door.out.say(f"{facts.kind}: {facts.place}")
    if facts.kind == "postgres":
        offset, bound = (
            each.total_seconds() * 1000 for each in (facts.clock_offset, facts.clock_bound)
        )
        door.out.say(
            f"schema {facts.schema_name}; this machine's clock is {offset:+.1f} ms from the "
            f"server's, whose time is used, known to {bound:.1f} ms"
        )


@command(
    app,
    "migrate",
    example="repoint store migrate --to postgresql://repoint@db.example.com/search",
    interrupted="nothing is lost: run the same command again",
)
def migrate(
    door: Door,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="URL",
            help="The PostgreSQL database. Its password is not written down: "
            "REPOINT_STORE_URL, PGPASSWORD or ~/.pgpass.",
        ),
    ],
    schema: Annotated[
        str, typer.Option("--schema", metavar="NAME", help="The schema for its tables.")
    ] = "repoint",
) -> None:
    """Copy the control store into PostgreSQL, verify it, and use it from then on."""
    from repoint.wiring.migration import migrate_store  # noqa: PLC0415 - not needed for help
    from repoint.wiring.workspace import find_home  # noqa: PLC0415

    moved = migrate_store(
        find_home(door.settings.home), url=to, schema_name=schema, actor=door.settings.actor
    )
    copied = moved.copied
    door.out.json(
        {
            "place": moved.place,
            "schema_name": moved.schema,
            "rows": dict(copied.rows) if copied else {},
            "audit_records": copied.audit_records if copied else 0,
            "resumed": copied is None,
        }
    )
    if copied is None:
        door.out.say("an earlier run had copied everything; its copy is in use now")
    else:
        door.out.say(
            f"copied {sum(copied.rows.values()):,} rows of {len(copied.rows)} tables, equal "
            f"row by row; {copied.audit_records:,} audit records, all verified"
        )
    door.out.say(
        f"the control store is {moved.place}",
        "  -> the file is left as it was; when you trust the new one: delete it",
    )
