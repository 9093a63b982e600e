"""``repoint accept``, ``abort``, ``retire`` and ``drop``: how rollouts and releases end."""

from __future__ import annotations

from typing import Annotated

import typer

from repoint.cli.arguments import IndexName, Reason, ReleaseName
from repoint.cli.door import Door, command

app = typer.Typer(rich_markup_mode=None)


@command(app, "accept", example="repoint accept docs v2")
def accept(door: Door, index: IndexName, release: ReleaseName, reason: Reason = "") -> None:
    """End the soak: the release stays, its fallback is let go."""
    with door.workspace() as opened:
        handle = opened.index(index)
        before = handle.status().fallback
        pointer = handle.accept(release, reason=reason)
    door.out.json(
        {"index": index, "active": pointer.active, "epoch": pointer.epoch, "released": before}
    )
    door.out.say(
        f"{index} answers from {pointer.active} (epoch {pointer.epoch}); "
        f"{before} is no longer its fallback",
        f"  -> to delete the old one: repoint retire {index} {before} && "
        f"repoint drop {index} {before}",
    )


@command(app, "abort", example='repoint abort docs --reason "recall is too low"')
def abort(door: Door, index: IndexName, reason: Reason = "") -> None:
    """End the open rollout before any move."""
    with door.workspace() as opened:
        release = opened.index(index).abort(reason=reason)
    door.out.json({"index": index, "aborted": release})
    door.out.say(
        f"the rollout of {release} is over; {release} is still kept in step",
        f"  -> to end that too: repoint retire {index} {release}",
    )


@command(app, "retire", example="repoint retire docs v1")
def retire(door: Door, index: IndexName, release: ReleaseName, reason: Reason = "") -> None:
    """Stop keeping a release in step, so that it may be dropped."""
    with door.workspace() as opened:
        opened.index(index).retire(release, reason=reason)
    door.out.json({"index": index, "retired": release})
    door.out.say(
        f"{release} is retired: nothing more is written into it",
        f"  -> to delete its collection: repoint drop {index} {release}",
    )


@command(
    app,
    "drop",
    example="repoint drop docs v1\nrepoint drop docs v1 --keep-collection\n"
    "repoint drop docs v1 --delete-collection public.articles",
    interrupted="what was begun is finished by: repoint reconcile",
)
def drop(
    door: Door,
    *,
    index: IndexName,
    release: ReleaseName,
    reason: Reason = "",
    keep_collection: Annotated[
        bool,
        typer.Option(
            "--keep-collection", help="Leave an adopted collection; forget what was noted."
        ),
    ] = False,
    delete_collection: Annotated[
        str | None,
        typer.Option(
            "--delete-collection",
            metavar="NAME",
            help="Delete an adopted collection; its own name shows that it is meant.",
        ),
    ] = None,
) -> None:
    """Delete a retired release's collection.

    One that was adopted is not repoint's own: say whether it stays or goes.
    """
    from repoint.operations.ending import Fate  # noqa: PLC0415 - not needed for help

    fate = Fate(keep=keep_collection, delete=delete_collection)
    with door.workspace() as opened:
        opened.index(index).drop(release, reason=reason, fate=fate)
    door.out.json({"index": index, "dropped": release, "kept": keep_collection})
    door.out.say(
        f"the collection of {release} is yours again; its spec and records stay"
        if keep_collection
        else f"the collection of {release} is deleted; its spec and records stay"
    )
