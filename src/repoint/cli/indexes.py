"""``repoint index``: make indexes and list them."""

from __future__ import annotations

import typer

from repoint.cli.arguments import IndexName
from repoint.cli.door import Door, command

app = typer.Typer(name="index", rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def index() -> None:
    """Make indexes and list them."""


@command(app, "create", example="repoint index create docs")
def create(door: Door, name: IndexName) -> None:
    """Make an empty index: a document log, and a pointer that points nowhere yet."""
    with door.workspace() as opened:
        made = opened.create_index(name)
    door.out.json({"index": made.name})
    door.out.say(
        f"made index {made.name}", f"  -> next: repoint ingest {made.name} corpus.jsonl"
    )


@command(app, "list", example="repoint index list")
def list_(door: Door) -> None:
    """List all indexes, who answers in each, and how long its log is."""
    with door.workspace() as opened:
        rows = []
        for name in opened.indexes():
            now = opened.index(name).status()
            rows.append((name, now.active, now.fallback, now.epoch, now.head))
    door.out.json(
        {
            "indexes": [
                {"index": name, "active": active, "fallback": fallback, "epoch": e, "head": h}
                for name, active, fallback, e, h in rows
            ]
        }
    )
    if not rows:
        door.out.say("there is no index yet", "  -> make one: repoint index create docs")
        return
    door.out.table(("index", "active", "fallback", "epoch", "head"), rows)
