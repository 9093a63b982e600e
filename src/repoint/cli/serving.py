"""``repoint serve``: the route over HTTP, and pushes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final

import typer

from repoint.cli.door import Door, command
from repoint.cli.stopping import on_signals
from repoint.domain.errors import InvalidNameError, MissingExtraError, UnavailableError

if TYPE_CHECKING:
    from repoint.http.server import RouteServer
    from repoint.wiring.workspace import Workspace

app = typer.Typer(rich_markup_mode=None)

#: As the table ``http_keys`` takes it.
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.@-]{0,62}")


@command(
    app,
    "serve",
    example="repoint serve\nrepoint serve --port 9000\nrepoint serve --new-key shop",
)
def serve(
    door: Door,
    *,
    host: Annotated[
        str | None,
        typer.Option(
            "--host", metavar="ADDRESS", help="Where to listen; else http.host, 127.0.0.1."
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port", metavar="N", min=0, max=65535, help="Else http.port, 8765; 0: any free."
        ),
    ] = None,
    new_key: Annotated[
        str | None,
        typer.Option(
            "--new-key",
            metavar="NAME",
            help="Only make a key for NAME: print it once, and the line for repoint.toml.",
        ),
    ] = None,
) -> None:
    """Give routes over HTTP, and take pushes, until told to stop.

    Beyond this machine every request needs a key (table http_keys in repoint.toml).
    """
    if new_key is not None:
        _new_key(door, new_key)
        return
    with (
        door.workspace() as opened,
        on_signals("sending waiting clients away; requests in hand are finished") as request,
    ):
        workspace = opened.workspace
        server = _server(
            workspace,
            host=workspace.config.http.host if host is None else host,
            port=workspace.config.http.port if port is None else port,
        )
        try:
            server.start()
            door.out.json({"url": server.url})
            door.out.say(f"serving routes at {server.url}/v1/indexes/INDEX/route")
            while not request.wait(0.5):
                if not server.running:
                    raise UnavailableError("the HTTP server ended by itself")
        finally:
            server.stop()


def _server(workspace: Workspace, *, host: str, port: int) -> RouteServer:
    try:
        from repoint.http.server import RouteServer  # noqa: PLC0415 - an extra
    except ImportError as missing:
        raise MissingExtraError(driver="repoint serve", extra="http") from missing
    return RouteServer(workspace, host=host, port=port, program="repoint serve")


def _new_key(door: Door, name: str) -> None:
    from repoint.wiring.api_keys import digest, new_key  # noqa: PLC0415 - only here

    if _NAME.fullmatch(name) is None:
        raise InvalidNameError(what="key", name=name)
    key = new_key()
    line = f'"{name}" = "{digest(key)}"'
    door.out.json({"name": name, "key": key, "sha256": digest(key)})
    door.out.say(
        f"the key of {name}, shown this once:",
        f"  {key}",
        "in repoint.toml:",
        "  [http_keys]",
        f"  {line}",
        f"  -> where roles are granted, also: repoint roles grant {name} viewer",
    )
