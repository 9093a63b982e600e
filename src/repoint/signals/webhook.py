"""An HTTP endpoint that takes alerts: ``POST /alerts`` with a bearer token.

It is the standard library's server, small on purpose: a handful of requests a minute from a
known sender, short bodies, short timeouts, no TLS of its own. It listens where it is told to.
"""

from __future__ import annotations

import hmac
import json
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from repoint.domain.document import Json
from repoint.domain.errors import BadInputError, RefusedError, RepointError, UnavailableError
from repoint.domain.guarding import Alert
from repoint.ports.clock import Clock
from repoint.signals.alerts import read_alerts

PATH: Final = "/alerts"
#: The least characters of a token: what can be guessed is no token.
SHORTEST_TOKEN: Final = 16
_LONGEST_BODY: Final = 1_000_000
_PATIENCE_S: Final = 10.0
#: Connections served at once; more are turned away until one ends.
_AT_ONCE: Final = 16
_STRANGER: Final = "the token is not this webhook's"


class Webhook:
    """Takes alerts while it is open, each request in a thread of its own."""

    def __init__(
        self,
        address: str,
        *,
        token: str,
        clock: Clock,
        take: Callable[[Sequence[Alert]], None],
    ) -> None:
        """Listen at ``HOST:PORT``; port 0 takes a free one.

        Raises:
            BadInputError: the address or the token is none.
            RefusedError: the address cannot be listened at.
        """
        if len(token) < SHORTEST_TOKEN:
            raise BadInputError(
                f"the webhook's token has fewer than {SHORTEST_TOKEN} characters",
                hint="export REPOINT_GUARD_TOKEN=$(openssl rand -hex 32)",
            )
        self._token = token.encode()
        self._clock = clock
        self._take = take
        self._free = threading.BoundedSemaphore(_AT_ONCE)
        try:
            self._server = _Server(_place(address), self)
        except OSError as error:
            raise RefusedError(
                f"nothing can listen at {address}: {error.strerror or error}",
                hint="choose another port",
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},
            name="repoint-webhook",
            daemon=True,
        )

    @property
    def url(self) -> str:
        """Where alerts are to be sent."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}{PATH}"

    def start(self) -> None:
        """Begin to take alerts."""
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def answer(self, path: str, authorization: str, body: bytes) -> tuple[int, Json]:
        """Return the status and what is said to a request that was read."""
        if not self.knows(authorization):
            return HTTPStatus.UNAUTHORIZED, {"error": _STRANGER}
        if path != PATH:
            return HTTPStatus.NOT_FOUND, {"error": f"alerts are taken at {PATH}"}
        try:
            alerts = read_alerts(body, now=self._clock.now())
            self._take(alerts)
        except BadInputError as error:
            return HTTPStatus.BAD_REQUEST, {"error": error.message, "hint": error.hint}
        except UnavailableError as error:  # the sender tries again
            return HTTPStatus.SERVICE_UNAVAILABLE, {"error": error.message}
        except RepointError as error:
            return error.http_status, {"error": error.message, "hint": error.hint}
        return HTTPStatus.OK, {"taken": len(alerts)}

    def knows(self, authorization: str) -> bool:
        """Return whether a sender has the token."""
        given = authorization.removeprefix("Bearer ").encode("utf-8", "surrogateescape")
        return hmac.compare_digest(given, self._token)

    def enter(self) -> bool:
        """Return whether there is room for one more request."""
        return self._free.acquire(blocking=False)

    def exit(self) -> None:
        """Make room again."""
        self._free.release()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, place: tuple[str, int], webhook: Webhook) -> None:
        super().__init__(place, _Handler)
        self.webhook = webhook

    def handle_error(self, request: object, client_address: object) -> None:
        """Let a sender that hangs up be: it sends again."""


class _Handler(BaseHTTPRequestHandler):
    timeout = _PATIENCE_S
    server: _Server

    def do_POST(self) -> None:
        webhook = self.server.webhook
        # Asked before anything is waited for: who has no token takes nobody's place.
        if not webhook.knows(self.headers.get("Authorization", "")):
            self._say(HTTPStatus.UNAUTHORIZED, {"error": _STRANGER})
            self._hear_out()
            return
        if not webhook.enter():
            self._say(HTTPStatus.SERVICE_UNAVAILABLE, {"error": "busy"})
            return
        try:
            self._answer(webhook)
        finally:
            webhook.exit()

    def version_string(self) -> str:
        """Say which program this is, and nothing of its version."""
        return "repoint"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited
        """Say nothing on the terminal."""

    def _answer(self, webhook: Webhook) -> None:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()) or int(length) > _LONGEST_BODY:
            said = f"a body of at most {_LONGEST_BODY} bytes, with its length"
            self._say(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": said})
            return
        body = self.rfile.read(int(length))
        token = self.headers.get("Authorization", "")
        self._say(*webhook.answer(self.path, token, body))

    def _hear_out(self) -> None:
        """Read a little of what is still sent: closing on it would take the answer back."""
        self.connection.settimeout(1.0)
        with suppress(OSError):
            self.rfile.read1(_LONGEST_BODY)

    def _say(self, status: int, said: Json) -> None:
        body = json.dumps(said, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


def _place(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:  # noqa: PLR2004 - ports end there
        raise BadInputError(
            f"{address!r} is no address to listen at", hint="HOST:PORT, as 127.0.0.1:9099"
        )
    return host, int(port)
