"""``repoint backends``: the databases that specs may name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from repoint.cli.door import Door, command

if TYPE_CHECKING:
    from repoint.domain.document import Json
    from repoint.ports.backend import Capabilities
    from repoint.wiring.backends import KnownBackend

app = typer.Typer(rich_markup_mode=None)


@command(app, "backends", example="repoint backends", interrupted="nothing was changed")
def backends(door: Door) -> None:
    """List the databases that specs may name, and what each can do."""
    with door.workspace() as opened:
        known = opened.backends()
    usable = [one for one in known if one.capabilities is not None]
    unusable = [one for one in known if one.capabilities is None]
    door.out.json({"backends": [_shape(one) for one in (*usable, *unusable)]})
    door.out.table(
        ("name", "kind", "aliases", "words", "shared", "approximate", "late writes", "where"),
        [
            (
                one.name,
                one.kind,
                _said(one.capabilities.aliases),
                _said(one.capabilities.lexical),
                _said(one.capabilities.shared),
                _said(one.capabilities.approximate),
                "lose" if one.capabilities.conditional_writes else "win",
                one.url or ("(environment)" if one.configured else "(defaults)"),
            )
            for one in usable
            if one.capabilities is not None
        ],
    )
    for one in unusable:
        door.out.say(f"not usable here: {one.name} ({one.kind}): {one.problem}")


def _shape(one: KnownBackend) -> Json:
    return {
        "name": one.name,
        "kind": one.kind,
        "configured": one.configured,
        "url": one.url or None,
        "alias_prefix": one.alias_prefix,
        "capabilities": _capabilities(one.capabilities) if one.capabilities else None,
        "problem": None
        if one.problem is None
        else {"code": one.problem.code, "message": str(one.problem)},
    }


def _capabilities(all_of: Capabilities) -> Json:
    return {
        "aliases": all_of.aliases,
        "lexical": all_of.lexical,
        "conditional_writes": all_of.conditional_writes,
        "durable": all_of.durable,
        "shared": all_of.shared,
        "approximate": all_of.approximate,
        "ordered_text": all_of.ordered_text,
        "snapshots": all_of.snapshots,
        "vector_fields": all_of.vector_fields,
        "shares_objects": all_of.shares_objects,
        "own_objects": all_of.own_objects,
        "distances": [str(distance) for distance in sorted(all_of.distances)],
    }


def _said(value: bool) -> str:  # noqa: FBT001 - a word for it is all it makes
    return "yes" if value else "no"
