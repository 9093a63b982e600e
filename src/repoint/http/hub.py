"""Where requests wait for a route to change: one watch for all, no thread for any of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from repoint.domain.errors import TooManyWaitingError, UnavailableError
from repoint.domain.ids import Epoch, IndexName
from repoint.domain.service_route import ServiceRoute
from repoint.operations.route_watch import RouteWatch
from repoint.operations.session import Session
from repoint.operations.watchers import Watcher, Watchers

#: How often a waiting request looks whether its client is still there.
_LOOK_S: Final = 1.0


class Hub:
    """The routes that a server knows, and those who wait for news. For one event loop."""

    def __init__(
        self, session: Session, *, lease: timedelta, most_waiting: int, program: str
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._lease = lease
        self._most = most_waiting
        self._waiting = 0
        self._news: dict[IndexName, asyncio.Event] = {}
        self._ending = False
        # Clients that are started anew under other names leave the leases of the old ones.
        self._watchers = Watchers(session, most=2 * most_waiting)
        self._watch = RouteWatch(
            session, program=program, lease=lease, on_change=self._told, acknowledges=True
        )

    async def join(self, index: IndexName) -> None:
        """Follow an index from now on; the first request for it pays for that.

        Raises:
            NotFoundError: no such index.
        """
        if not self._watch.follows(index):
            await asyncio.to_thread(self._watch.join, index)

    def epoch(self, index: IndexName) -> Epoch:
        """Return the newest epoch known."""
        return self._watch.epoch(index)

    def current(self, index: IndexName) -> ServiceRoute:
        """Return the route; raises as ``RouteWatch.current``."""
        return self._watch.current(index)

    def require_confirmed(self, index: IndexName) -> None:
        """Return if what is known of an index may be told.

        Raises:
            UnconfirmedRouteError: the control store has been out of reach for too long.
        """
        error = self._watch.unconfirmed(index)
        if error is not None:
            raise error

    async def confirm(self, watcher: Watcher, epoch: Epoch, *, wait: float) -> float:
        """Record that a watcher serves an epoch; return for how many seconds it may.

        They count from when it sent its request, and reach over this wait and the next: the
        answer to the next one prolongs them.
        """
        lease = self._lease + timedelta(seconds=2 * wait)
        await asyncio.wrap_future(self._watchers.confirm(watcher, epoch, lease=lease))
        return lease.total_seconds()

    async def leave(self, watcher: Watcher) -> None:
        """Record that a watcher has ended."""
        await asyncio.wrap_future(self._watchers.leave(watcher))

    async def wait(
        self,
        index: IndexName,
        *,
        after: Epoch,
        seconds: float,
        gone: Callable[[], Awaitable[bool]] | None = None,
    ) -> bool:
        """Return True once the epoch is above ``after``, False when the time is over.

        Also False when ``gone`` says that nobody waits any more.

        Raises:
            UnavailableError: the server ends; ask another one, or this one when it is back.
        """
        until = self._loop.time() + seconds
        while True:
            # Before the look: whoever tells of a move after it, wakes this one.
            news = self._news.setdefault(index, asyncio.Event())
            if self._watch.epoch(index) > after:
                return True
            if self._ending:
                raise UnavailableError("this server ends", hint="ask again")
            left = until - self._loop.time()
            if left <= 0 or (gone is not None and await gone()):
                return False
            try:
                await asyncio.wait_for(news.wait(), timeout=min(left, _LOOK_S))
            except TimeoutError:
                continue

    @contextmanager
    def place(self) -> Iterator[None]:
        """Take one of the places for those who wait.

        Raises:
            TooManyWaitingError: all are taken.
        """
        if self._waiting >= self._most:
            raise TooManyWaitingError(most=self._most)
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return self._waiting

    @property
    def ending(self) -> bool:
        """Whether nobody should wait any longer."""
        return self._ending

    def end(self) -> None:
        """Send everybody who waits away. For any thread."""
        self._loop.call_soon_threadsafe(self._send_away)

    def close(self) -> None:
        """Stop following; called when no request is left."""
        self._watch.close()
        self._watchers.close()

    def _send_away(self) -> None:
        self._ending = True
        for index in list(self._news):
            self._wake(index)

    def _told(self, index: IndexName) -> None:
        self._loop.call_soon_threadsafe(self._wake, index)

    def _wake(self, index: IndexName) -> None:
        news = self._news.pop(index, None)
        if news is not None:
            news.set()
