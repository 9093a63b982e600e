"""A server on a thread of its own, so that whoever starts it can end it."""

from __future__ import annotations

import socket
import threading
from contextlib import closing
from typing import Final

import uvicorn

from repoint.domain.errors import BadInputError, BadSpecError, UnavailableError
from repoint.http.access import LOCAL_NAMES
from repoint.http.app import make_app
from repoint.http.hub import Hub
from repoint.wiring.config import CONFIG_FILE
from repoint.wiring.workspace import Workspace

#: Requests besides those that wait.
_OTHERS: Final = 200
#: How long requests in hand are given when the server ends.
_GRACE_S: Final = 5


class RouteServer:
    """The HTTP API of one workspace, listening."""

    def __init__(self, workspace: Workspace, *, host: str, port: int, program: str) -> None:
        """Listen, or refuse to.

        Raises:
            BadSpecError: it would be reached from elsewhere, and nobody needs a key.
            BadInputError: there is no such address here, or its port is taken.
        """
        config = workspace.config
        if not config.http_keys and host not in LOCAL_NAMES:
            raise BadSpecError(
                source=str(workspace.home / CONFIG_FILE),
                field="http_keys",
                why=f"{host} is reached from other machines, and nobody would need a key",
                hint="make one: repoint serve --new-key NAME",
            )
        self._socket = _listen(host, port)
        bound = self._socket.getsockname()
        shown = f"[{bound[0]}]" if self._socket.family is socket.AF_INET6 else bound[0]
        #: Where it is reached.
        self.url = f"http://{shown}:{bound[1]}"
        self._hub: Hub | None = None
        self._started = threading.Event()
        app = make_app(workspace, program=program, started=self._note)
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                http="h11",
                ws="none",
                loop="asyncio",
                log_level="warning",
                access_log=False,
                server_header=False,
                limit_concurrency=config.http.most_waiting + _OTHERS,
                timeout_graceful_shutdown=_GRACE_S,
            )
        )
        self._thread = threading.Thread(target=self._run, name="repoint-http", daemon=True)

    def start(self) -> None:
        """Answer from now on.

        Raises:
            UnavailableError: it could not start.
        """
        self._thread.start()
        while not self._started.wait(0.05):
            if not self._thread.is_alive():
                raise UnavailableError("the HTTP server could not start")

    @property
    def waiting(self) -> int:
        """How many clients wait for a change."""
        return 0 if self._hub is None else self._hub.waiting

    @property
    def running(self) -> bool:
        """Whether it still answers."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Send those who wait away, finish the requests in hand, and end."""
        if self._hub is not None and self._thread.is_alive():
            self._hub.end()
        self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join()
        self._socket.close()

    def _note(self, hub: Hub) -> None:
        self._hub = hub
        self._started.set()

    def _run(self) -> None:
        with closing(self._socket):
            self._server.run(sockets=[self._socket])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host.strip("[]"), port))
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise BadInputError(
            f"cannot listen on {host}, port {port}: {error.strerror or error}",
            hint="choose another: --port N, or http.port in repoint.toml",
        ) from error
    return listening
