"""A model provider on this machine: a real HTTP server that can be told to misbehave.

It speaks ``/embeddings``, ``/rerank`` and ``/chat/completions`` as the big providers do, with
feature hashing and word support behind them, so that a driver's way with slow, broken and
impatient servers can be tested without leaving the machine.
"""

from __future__ import annotations

import base64
import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Self

import numpy as np

from repoint.domain.document import Json
from repoint.embedders.hashing import HashingEmbedder
from repoint.ports.embedder import Embedder, Purpose
from repoint.rerankers.lexical import LexicalReranker
from repoint.testing.talk import completion, reply_to


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the next request gets instead of a proper answer."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Says nothing until the provider is closed.
    stalled: bool = False
    #: Announces more bytes than it sends, then hangs up.
    cut_off: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request as it arrived."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Json]


class _Server(ThreadingHTTPServer):
    #: Many may connect while one thread has yet to run: none of them is turned away.
    request_queue_size = 128


class Provider:
    """A context: while it is entered, ``url`` answers."""

    def __init__(self, *, dimensions: int = 64, key: str = "", refuses: str = "") -> None:
        """Answer with hashed vectors.

        ``key`` is what the bearer must show; a text that contains ``refuses`` is answered
        with 400.
        """
        self.received: list[Received] = []
        self._key = key
        self._refuses = refuses
        self._replies: deque[Reply] = deque()
        self._lock = Lock()
        self._embedder: Embedder = HashingEmbedder(dimensions=dimensions)
        self._closing = Event()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                provider._answer(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited
                """Say nothing on the terminal."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def reply(self, *replies: Reply) -> None:
        """Give the next requests these replies, in order; then answer properly again."""
        with self._lock:
            self._replies.extend(replies)

    def serve(self, model: Embedder) -> None:
        """Answer with this model's vectors from now on, under whatever name is asked for."""
        self._embedder = model

    def change(self, *, seed: int) -> None:
        """Answer as another model of equal dimensions does, under the same name."""
        self._embedder = HashingEmbedder(dimensions=self._embedder.dimensions, seed=seed)

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length", 0))
        body: dict[str, Json] = json.loads(handler.rfile.read(length))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        with self._lock:
            self.received.append(Received(path=handler.path, headers=headers, body=body))
            reply = self._replies.popleft() if self._replies else None
        reply = reply or self._proper(handler.path, headers, body)
        if reply.stalled:
            self._closing.wait()
            handler.close_connection = True
            return
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(reply.body) + 100 * reply.cut_off))
        handler.end_headers()
        handler.wfile.write(reply.body)
        handler.close_connection = handler.close_connection or reply.cut_off

    def _proper(self, path: str, headers: Mapping[str, str], body: Mapping[str, Json]) -> Reply:
        if self._key and headers.get("authorization") != f"Bearer {self._key}":
            said = f"no such key: {headers.get('authorization', '')}"
            return _json({"error": {"message": said}}, status=401)
        if path.endswith("/embeddings"):
            return self._embeddings(body)
        if path.endswith("/rerank"):
            return _rerank(body)
        if path.endswith("/chat/completions"):
            return _json(completion(reply_to(body)))
        return _json({"error": {"message": f"no such path: {path}"}}, status=404)

    def _embeddings(self, body: Mapping[str, Json]) -> Reply:
        texts = _texts(body.get("input"))
        if self._refuses and any(self._refuses in text for text in texts):
            return _json({"error": {"message": "input is too long"}}, status=400)
        rows = self._embedder.embed(texts, purpose=Purpose.DOCUMENT)
        encode = _base64 if body.get("encoding_format") == "base64" else _floats
        data: list[Json] = [
            {"object": "embedding", "index": place, "embedding": encode(row)}
            for place, row in enumerate(rows)
        ]
        # Backwards, as a provider may: only the index says what belongs to what.
        return _json({"object": "list", "data": data[::-1], "model": body.get("model")})


def _rerank(body: Mapping[str, Json]) -> Reply:
    query, texts = str(body.get("query")), _texts(body.get("documents"))
    scores = LexicalReranker().score(query, texts)
    order = sorted(range(len(texts)), key=lambda place: -scores[place])
    results: list[Json] = [
        {"index": place, "relevance_score": scores[place]} for place in order
    ]
    return _json({"results": results})


def _texts(given: Json) -> list[str]:
    return [str(item) for item in given] if isinstance(given, list) else [str(given)]


def _json(answer: Json, *, status: int = 200) -> Reply:
    return Reply(
        status=status,
        body=json.dumps(answer).encode(),
        headers={"Content-Type": "application/json"},
    )


def _base64(row: Sequence[float]) -> str:
    return base64.b64encode(np.asarray(row, dtype="<f4").tobytes()).decode()


def _floats(row: Sequence[float]) -> list[Json]:
    return [float(value) for value in row]
