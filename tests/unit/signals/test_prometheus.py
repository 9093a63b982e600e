"""PromQL over HTTP, against a server of the test's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from urllib.parse import parse_qs, urlsplit

import pytest

from repoint.domain.errors import (
    BadInputError,
    ProviderAnswerError,
    RefusedError,
    UnavailableError,
)
from repoint.signals.prometheus import Prometheus

ENOUGH: timedelta = timedelta(seconds=60)


class _Threads(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Let a client that had no more patience be."""


class Server:
    """Answers every query with what the test wrote, and keeps what was asked."""

    def __init__(self) -> None:
        self.status = 200
        self.body = b""
        self.headers: dict[str, str] = {}
        self.asked: list[tuple[str, str, str]] = []
        self.stalled = Event()
        self.stalled.set()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = parse_qs(parts.query).get("query", [""])[0]
                server.asked.append((parts.path, query, self.headers.get("Authorization", "")))
                server.stalled.wait()
                self.send_response(server.status)
                for name, value in server.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(server.body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited
                """Say nothing."""

        self._server = _Threads(("127.0.0.1", 0), Handler)
        self._thread = Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def says(self, kind: str, result: object) -> None:
        data = {"resultType": kind, "result": result}
        self.body = json.dumps({"status": "success", "data": data}).encode()

    def ask(self, query: str = "up", *, token_env: str = "") -> float | None:
        return Prometheus().value(self.url, query, token_env=token_env, timeout=ENOUGH)

    def close(self) -> None:
        self.stalled.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def test_one_sample_or_a_scalar_is_the_value(server: Server) -> None:
    server.says("vector", [{"metric": {"job": "a"}, "value": [1435781451.781, "0.25"]}])
    query = 'histogram_quantile(0.95, sum by (le) (rate(x{a="b"}[5m])))'
    assert server.ask(query) == 0.25
    assert server.asked == [("/api/v1/query", query, "")]
    server.says("scalar", [1435781451.781, "+Inf"])
    assert server.ask() == float("inf")


def test_nothing_and_no_number_are_no_value(server: Server) -> None:
    server.says("vector", [])
    assert server.ask() is None
    server.says("scalar", [1, "NaN"])
    assert server.ask() is None


def test_more_than_one_series_is_refused_with_what_to_do(server: Server) -> None:
    server.says("vector", [{"value": [1, "1"]}, {"value": [1, "2"]}])
    with pytest.raises(BadInputError, match="2 series") as caught:
        server.ask()
    assert "sum(" in caught.value.hint
    server.says("matrix", [{"values": [[1, "1"]]}])
    with pytest.raises(BadInputError, match="series"):
        server.ask()


def test_an_expression_that_the_server_refuses_is_the_policys_mistake(server: Server) -> None:
    server.status = 400
    server.body = json.dumps(
        {"status": "error", "errorType": "bad_data", "error": "1:3: parse error"}
    ).encode()
    with pytest.raises(BadInputError, match="parse error"):
        server.ask("up{")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>"),
        (200, b"[]"),
        (200, b'{"status": "error"}'),
        (200, b'{"status": "success", "data": []}'),
        (200, b'{"status": "success", "data": {"resultType": "vector", "result": 3}}'),
        (200, b'{"status": "success", "data": {"resultType": "scalar", "result": [1, "x"]}}'),
        (200, b'{"status": "success", "data": {"resultType": "vector", "result": [[]]}}'),
        (200, b" " * 1_000_001),
        (200, b"[" * 100_000),
    ],
)
def test_what_is_no_answer_is_unavailable(server: Server, status: int, body: bytes) -> None:
    server.status, server.body = status, body
    with pytest.raises(ProviderAnswerError):
        server.ask()


def test_a_server_that_is_down_busy_or_silent_is_unavailable(server: Server) -> None:
    server.status = 503
    with pytest.raises(UnavailableError, match="503"):
        server.ask()
    server.status, server.headers = 302, {"Location": "http://127.0.0.1:1/elsewhere"}
    with pytest.raises(UnavailableError, match="302"):  # the token is carried nowhere
        server.ask()
    server.stalled.clear()
    with pytest.raises(UnavailableError, match="did not answer within"):
        Prometheus().value(server.url, "up", token_env="", timeout=timedelta(milliseconds=50))
    with pytest.raises(UnavailableError, match="could not be asked"):
        Prometheus().value("http://127.0.0.1:1", "up", token_env="", timeout=ENOUGH)
    with pytest.raises(BadInputError, match="no address"):
        Prometheus().value("http://host:abc", "up", token_env="", timeout=ENOUGH)


def test_a_server_that_trickles_is_waited_for_no_longer_than_one_that_is_silent() -> None:
    ended = Event()

    class Trickle(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(OSError):
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                while not ended.wait(0.01):  # a piece always comes before a wait is over
                    self.wfile.write(b"X: y\r\n")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Trickle) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            with pytest.raises(UnavailableError, match="did not answer within"):
                Prometheus().value(url, "up", token_env="", timeout=timedelta(seconds=0.2))
        finally:
            ended.set()
            server.shutdown()


def test_the_servers_words_are_one_printable_line(server: Server) -> None:
    server.status = 400
    server.body = json.dumps({"status": "error", "error": "\x1b[31mred\n\ud800"}).encode()
    with pytest.raises(BadInputError) as caught:
        server.ask("up{")
    assert caught.value.message.isprintable()


def test_the_token_comes_from_the_environment_and_nowhere_else(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.says("scalar", [1, "1"])
    with pytest.raises(RefusedError, match="METRICS_TOKEN"):
        server.ask(token_env="METRICS_TOKEN")  # noqa: S106 - a variable's name
    for given in ("two\nlines", "clé"):
        monkeypatch.setenv("METRICS_TOKEN", given)
        with pytest.raises(RefusedError, match="METRICS_TOKEN"):
            server.ask(token_env="METRICS_TOKEN")  # noqa: S106 - as above
    monkeypatch.setenv("METRICS_TOKEN", "s3cret")
    assert server.ask(token_env="METRICS_TOKEN") == 1.0  # noqa: S106 - as above
    assert server.asked[-1][2] == "Bearer s3cret"
