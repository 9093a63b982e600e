"""``repoint render``: the route in a file, and a command that is told of each move."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repoint.cli import failures
from repoint.cli.arguments import IndexName
from repoint.cli.door import Door, command
from repoint.cli.stopping import Request, on_signals
from repoint.domain.errors import RepointError

if TYPE_CHECKING:
    from repoint.client.rendering import Rendered, Renderer
    from repoint.client.routing import Following, Routing
    from repoint.domain.document import Json
    from repoint.domain.service_route import ServiceRoute

app = typer.Typer(rich_markup_mode=None)

_LOOK_S = 0.2
#: Seconds until a command that failed is run again: so many, then twice as many, at most.
_FIRST_S, _LAST_S = 1.0, 60.0


class Format(StrEnum):
    """How the route is written."""

    json = "json"
    yaml = "yaml"
    env = "env"


@command(
    app,
    "render",
    example="repoint render docs --format env --out /srv/shop/route.env\n"
    'repoint render docs --out route.json --on-move "systemctl reload shop"\n'
    'repoint render docs --out route.json --watch --on-move "./deploy.sh shop"',
    interrupted="a file that was being written is as it was before",
)
def render(  # noqa: PLR0913 - each is an option that people type
    door: Door,
    *,
    index: IndexName,
    format_: Annotated[
        Format, typer.Option("--format", metavar="FORMAT", help="json, yaml or env.")
    ] = Format.json,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Replaced as a whole; else it is printed.",
            show_default=False,
        ),
    ] = None,
    on_move: Annotated[
        str,
        typer.Option(
            "--on-move",
            metavar="CMD",
            help="Run after a change, without a shell; REPOINT_ROUTE_… hold the route.",
        ),
    ] = "",
    watch: Annotated[
        bool,
        typer.Option(
            "--watch", help="Go on after every move, which waits until CMD has succeeded."
        ),
    ] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="Let repoint check look at FILE no longer.")
    ] = False,
) -> None:
    """Write the route into a file, for what is deployed anew.

    The exit status is 3 when CMD failed; then it is run again the next time.
    """
    if (watch or forget) and out is None:
        raise typer.BadParameter("--watch and --forget need --out FILE")
    with door.workspace() as opened:
        routing = opened.index(index).routing
        if forget and out is not None:
            known = routing.forget(out)
            door.out.json({"index": index, "file": str(out.absolute()), "forgotten": known})
            door.out.say(f"{out} is {'looked at no longer' if known else 'not known'}")
            return
        renderer = routing.renderer(format=format_.value, file=out, command=on_move)
        if watch:
            _watch(door, routing, renderer)
            return
        done = renderer.render(routing.service_route())
    _tell_once(door, done)
    if not done.taken_over:
        raise typer.Exit(failures.NOT_CLEAN)


def _watch(door: Door, routing: Routing, renderer: Renderer) -> None:
    last = renderer.last()
    with (
        on_signals("a command in hand is finished first") as request,
        routing.follow(
            program="repoint render --watch",
            acknowledges=False,
            served=None if last is None else last.epoch,
        ) as following,
    ):
        _follow(door, renderer, following, request)


def _follow(door: Door, renderer: Renderer, following: Following, request: Request) -> None:
    """Render the newest route until it is taken over, then wait for the next."""
    seen, pause = 0, _FIRST_S
    if following.epoch == 0:
        door.out.aside("nothing was promoted yet; waiting")
    while not request.asked():
        route = following.wait(after=seen, seconds=_LOOK_S)
        if route is None:
            continue
        if _taken_over(door, renderer, route):
            seen, pause = route.epoch, _FIRST_S
            following.acknowledge(seen)
        else:
            door.out.aside(f"trying again in {pause:.0f} s")
            request.wait(pause)
            pause = min(2 * pause, _LAST_S)


def _taken_over(door: Door, renderer: Renderer, route: ServiceRoute) -> bool:
    try:
        done = renderer.render(route)
    except RepointError as error:
        door.out.aside(f"repoint: {error}")
        return False
    if door.settings.as_json:
        typer.echo(json.dumps(_shape(done), ensure_ascii=False))
    else:
        door.out.say(_sentence(done))
    sys.stdout.flush()
    return done.taken_over


def _tell_once(door: Door, done: Rendered) -> None:
    if done.file is None:
        door.out.json({**_shape(done), "content": done.text})
        if not door.settings.as_json:
            typer.echo(done.text, nl=False)
        return
    door.out.json(_shape(done))
    door.out.say(_sentence(done))


def _sentence(done: Rendered) -> str:
    route = done.route
    what = f"{route.index}: {route.release} (epoch {route.epoch})"
    if not done.changed:
        return f"{what} is in {done.file} already"
    said = f"{what} is in {done.file}"
    if done.status is None:
        return said
    if done.status == 0:
        return f"{said}; the command succeeded"
    return f"{said}; the command FAILED with {done.status}, and will be run again"


def _shape(done: Rendered) -> dict[str, Json]:
    return {
        "index": done.route.index,
        "release": done.route.release,
        "epoch": done.route.epoch,
        "format": done.format.value,
        "file": done.file,
        "changed": done.changed,
        "command_status": done.status,
    }
