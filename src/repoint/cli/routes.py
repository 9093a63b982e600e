"""``repoint route``: who answers, for programs that search with their own client."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from repoint.cli.arguments import IndexName
from repoint.cli.door import Door, command
from repoint.cli.stopping import on_signals

if TYPE_CHECKING:
    from repoint.client.routing import Following
    from repoint.domain.document import Json
    from repoint.domain.errors import UnconfirmedRouteError
    from repoint.domain.service_route import ServiceRoute

app = typer.Typer(rich_markup_mode=None)

#: Longest wait before a look at whether to stop, and whether the route is still confirmed.
_LOOK_S = 0.2


@command(
    app,
    "route",
    example="repoint route docs\nrepoint route docs --json\n"
    "repoint route docs --watch --json | ./my-search-service",
    interrupted="nothing was changed",
)
def route(
    door: Door,
    *,
    index: IndexName,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch",
            help="Print it anew after every move, one JSON object a line with --json. A move "
            "waits for the line to be taken.",
        ),
    ] = False,
) -> None:
    """Print who answers now: collection, query model and epoch as one object."""
    with door.workspace() as opened:
        routing = opened.index(index).routing
        if not watch:
            found = routing.service_route()
            door.out.json(found.tree())
            door.out.say(*described(found))
            return
        with (
            on_signals("no longer watching") as request,
            routing.follow(program="repoint route --watch", acknowledges=False) as following,
        ):
            _watch(door, index, following, stop=request.wait)


def described(found: ServiceRoute) -> list[str]:
    """Return a route as lines for people."""
    model = found.spec.model
    named = f"{model.provider}, {model.name}" if model.name else model.provider
    revision = f", revision {model.revision}" if model.revision else ""
    shape = f"{model.dimensions} dimensions, {found.spec.distance}"
    return [
        f"index       {found.index}",
        f"release     {found.release}",
        f"epoch       {found.epoch}",
        f"collection  {found.collection}",
        *([f"vector      {found.vector_field}"] if found.vector_field else []),
        f"backend     {found.spec.backend}, {shape}",
        f"query model {named}{revision}",
        f"fingerprint {found.fingerprint}",
    ]


def _watch(
    door: Door, index: str, following: Following, *, stop: Callable[[float], bool]
) -> None:
    """Print every route; acknowledge it once whoever reads has it in the pipe."""
    if following.epoch == 0:
        door.out.aside(f"nothing was promoted in {index} yet; waiting")
    seen, lost = 0, False
    while not stop(0):
        found = following.wait(after=seen, seconds=_LOOK_S)
        problem = following.unconfirmed()
        if problem is not None and not lost:
            _say_lost(door, index, problem)
        elif problem is None and lost and found is None and seen:
            found = following.current()
        lost = problem is not None
        if found is not None:
            _say(door, found)
            seen = found.epoch
            following.acknowledge(seen)


def _say(door: Door, found: ServiceRoute) -> None:
    if door.settings.as_json:
        typer.echo(found.line())
    else:
        door.out.say(*described(found), "---")
    sys.stdout.flush()


def _say_lost(door: Door, index: str, problem: UnconfirmedRouteError) -> None:
    """Tell whoever reads that the route must not be used until there is one again."""
    if door.settings.as_json:
        told: Json = {
            "code": problem.code,
            "message": problem.message,
            "hint": problem.hint,
        }
        typer.echo(json.dumps({"index": index, "error": told}, ensure_ascii=False))
    else:
        door.out.say(f"UNCONFIRMED: {problem.message}", "---")
    sys.stdout.flush()
