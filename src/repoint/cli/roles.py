"""``repoint roles``: who may do what."""

from __future__ import annotations

from typing import Annotated

import typer

from repoint.cli.door import Door, command
from repoint.domain.access import Action, Role

app = typer.Typer(name="roles", rich_markup_mode=None, no_args_is_help=True)

Who = Annotated[str, typer.Argument(metavar="WHO", help="A person or a service.")]
What = Annotated[Role, typer.Argument(help="Each role holds all that stand before it.")]
Where = Annotated[
    str | None, typer.Argument(metavar="[INDEX]", help="On one index; left out: on all.")
]


@app.callback()
def roles() -> None:
    """Say who may do what."""


@command(app, "grant", example="repoint roles grant ana operator docs")
def grant(door: Door, who: Who, role: What, index: Where = None) -> None:
    """Give a role; the first grant ends the owner's freedom to do everything."""
    with door.workspace() as opened:
        opened.grant(who, role, index)
    door.out.json({"actor": who, "role": role.value, "index": index, "held": True})
    door.out.say(f"{who} is {role} of {index or 'all indexes'}")


@command(app, "revoke", example="repoint roles revoke ana operator docs")
def revoke(door: Door, who: Who, role: What, index: Where = None) -> None:
    """Take a role back."""
    with door.workspace() as opened:
        was = opened.revoke(who, role, index)
    door.out.json(
        {"actor": who, "role": role.value, "index": index, "held": False, "was_held": was}
    )
    where = index or "all indexes"
    door.out.say(f"{who} is no longer {role} of {where}" if was else f"{who} did not hold it")


@command(app, "list", example="repoint roles list")
def list_(door: Door) -> None:
    """List every grant."""
    from repoint.operations.session import authorise  # noqa: PLC0415 - not needed for help

    with door.workspace() as opened:
        authorise(opened.session, Action.READ, None)
        with opened.session.store.read() as view:
            grants = view.access.grants()
    door.out.json(
        {
            "grants": [
                {"actor": who, "role": role.value, "index": where}
                for who, role, where in grants
            ]
        }
    )
    if not grants:
        door.out.say("nobody was granted a role: the folder's owner may do all, others nothing")
        return
    door.out.table(
        ("actor", "role", "index"),
        [(who, role, where or "(all)") for who, role, where in grants],
    )
