"""A route from a repoint server, for processes that cannot reach the control store.

One thread waits at the server for changes. Each of its requests also says which epoch this
process serves, so a move waits for it. What could not be confirmed within the lease is not
given any more.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Final, Self, cast

import httpx2

from repoint.domain.document import Json
from repoint.domain.errors import (
    NotFoundError,
    RefusedError,
    UnavailableError,
    UnconfirmedRouteError,
)
from repoint.domain.ids import IndexName, index_name
from repoint.ports.clock import Clock
from repoint.wiring.clock import RandomIds, SystemClock

#: How much longer than it asked the server to wait this waits for an answer.
_SLACK_S: Final = 5.0
_AGAIN_S: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteAnswer:
    """Who answers, as the server said it."""

    index: IndexName
    release: str
    epoch: int
    collection: str
    vector_field: str | None
    content: Mapping[str, Json]

    def tree(self) -> dict[str, Json]:
        """Return the whole object: collection, query model, settings, epoch."""
        return dict(self.content)


class RemoteRoute:
    """One index's route, followed at a server. Close it, or use it in a ``with``."""

    def __init__(  # noqa: PLR0913 - each is a setting that people give
        self,
        url: str,
        index: str,
        *,
        watcher: str = "",
        key: str = "",
        wait_seconds: float = 10.0,
        on_change: Callable[[], None] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Ask once, then follow.

        ``watcher`` names this process, and no other; left out, a random name is taken.
        ``on_change`` is called after a route has changed and before that is acknowledged.

        Raises:
            RefusedError: the server refuses: no such index, no right, nothing promoted.
            UnavailableError: it does not answer.
        """
        self._index = index_name(index)
        self._watcher = watcher or RandomIds().new()
        self._wait = wait_seconds
        self._on_change = on_change
        self._clock = clock or SystemClock()
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = self._connected(wait_seconds + _SLACK_S)
        self._path = f"/v1/indexes/{self._index}/route"
        self._answer: RemoteAnswer | None = None
        self._valid_until = 0.0
        self._stop = threading.Event()
        try:
            self._ask()
        except BaseException:
            self._client.close()
            raise
        self._thread = threading.Thread(target=self._run, name="repoint-remote", daemon=True)
        self._thread.start()

    def current(self) -> RemoteAnswer:
        """Return the route. Ask for every query: it costs microseconds.

        Raises:
            UnconfirmedRouteError: the server has been out of reach for longer than the lease.
        """
        now, answer = self._clock.monotonic(), self._answer
        # A last answer may come in while this is being closed, and make it valid again.
        if answer is None or now >= self._valid_until or self._stop.is_set():
            raise UnconfirmedRouteError(index=self._index, seconds=now - self._valid_until)
        return answer

    def close(self) -> None:
        """Stop serving, and tell the server so; the waiting request is left to its end."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._valid_until = 0.0
        self._leave()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                changed = self._ask()
            except (UnavailableError, RefusedError):
                # Nothing to tell anyone yet: once the lease runs out, ``current`` says it.
                self._stop.wait(_AGAIN_S)
                continue
            if changed and self._on_change is not None:
                self._on_change()
        self._client.close()
        self._leave()  # again: the last request may have arrived after the first word of it

    def _leave(self) -> None:
        with contextlib.suppress(httpx2.HTTPError), self._connected(_SLACK_S) as last:
            last.delete(f"{self._path}/watchers/{self._watcher}")

    def _connected(self, seconds: float) -> httpx2.Client:
        return httpx2.Client(base_url=self._url, headers=self._headers, timeout=seconds)

    def _ask(self) -> bool:
        """Confirm what is served, wait for news; return whether the route changed."""
        params: dict[str, str | float] = {"watcher": self._watcher, "wait": self._wait}
        if self._answer is not None:
            params["after_epoch"] = self._answer.epoch
        sent = self._clock.monotonic()
        try:
            response = self._client.get(self._path, params=params)
        except httpx2.HTTPError as error:
            raise UnavailableError(
                f"the server could not be asked: {type(error).__name__}",
                hint="check its URL, and that it is up",
            ) from error
        if not response.is_success:
            raise _refused(response, self._index)
        changed = response.status_code == HTTPStatus.OK
        if changed:
            tree = cast("dict[str, Json]", response.json())
            self._answer = RemoteAnswer(
                index=self._index,
                release=str(tree["release"]),
                epoch=int(cast("int", tree["epoch"])),
                collection=str(tree["collection"]),
                vector_field=cast("str | None", tree.get("vector_field")),
                content=tree,
            )
        lease = float(response.headers.get("Repoint-Lease-Seconds", "0"))
        if not self._stop.is_set():
            self._valid_until = sent + lease
        return changed


def _refused(response: httpx2.Response, index: IndexName) -> UnavailableError | RefusedError:
    try:
        told = response.json()
        code, what, hint = str(told["code"]), str(told["detail"]), str(told["hint"])
    except (ValueError, KeyError, TypeError):
        code, what, hint = "", f"the server answers {response.status_code}", ""
    if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return UnavailableError(what, hint=hint)
    if code == NotFoundError.code:
        return NotFoundError(what="index", name=index, hint=hint)
    return RefusedError(what, hint=hint)
