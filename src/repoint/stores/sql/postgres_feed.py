"""A feed of commits over LISTEN and NOTIFY, which misses none while it is disconnected."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Final

import psycopg

from repoint.stores.sql.postgres_clock import ServerClock
from repoint.stores.sql.postgres_errors import in_our_words
from repoint.stores.sql.postgres_url import Place

#: How often the server is asked whether anything was committed, notification or not. It is
#: also what finds out that a connection is dead.
POLL_SECONDS: Final = 1.0
#: Longest wait before a look whether another thread closed the feed.
_LOOK_SECONDS: Final = 0.1
_COMMITS: Final = "SELECT commits, clock_timestamp() FROM store_state"

Connection = psycopg.Connection[tuple[object, ...]]


class PostgresFeed:
    """``ports.store.ChangeFeed``: told at once, and sure after a second.

    Whoever commits a write notifies within its transaction. A notification that was sent
    while this connection was down is lost, so whenever it is made, the first look after
    LISTEN is reported as a change; and once a second the count of commits is compared with
    the one before, whatever became of notifications.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        *,
        channel: str,
        place: Place,
        clock: ServerClock,
    ) -> None:
        self._connect = connect
        self._channel = channel
        self._place = place
        self._clock = clock
        self._connection: Connection | None = None
        self._seen: object = None
        self._due = 0.0
        self._closed = threading.Event()
        # Another thread may close while the watcher waits.
        self._looking = threading.Lock()

    def changed(self, *, timeout: float) -> bool:
        """Return True soon after any commit, False when the seconds passed quietly.

        Returns False at once when another thread closes the feed.

        Raises:
            RuntimeError: it was closed before.
            StoreUnavailableError: the server did not answer; call again.
        """
        if self._closed.is_set():
            raise RuntimeError("the feed is closed")
        deadline = self._clock.monotonic() + timeout
        while True:
            left = deadline - self._clock.monotonic()
            with self._looking:
                if self._closed.is_set():
                    return False
                if self._look(max(0.0, min(left, _LOOK_SECONDS))):
                    return True
            if left <= 0:
                return False

    def _look(self, seconds: float) -> bool:
        """Wait for a notification; return whether anything may have changed."""
        try:
            with in_our_words(self._place):
                if self._connection is None:
                    self._connection = self._listen()
                    return True
                told = _notified(self._connection, seconds)
                if told or self._clock.monotonic() >= self._due:
                    return self._poll(self._connection)
                return False
        except BaseException:
            self._hang_up()
            raise

    def _listen(self) -> Connection:
        connection = self._connect()
        try:
            # First this, then whatever the watcher reads: nothing falls between the two.
            connection.execute(f'LISTEN "{self._channel}"', prepare=False)
            self._poll(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _poll(self, connection: Connection) -> bool:
        asked = self._clock.local.now()
        row = connection.execute(_COMMITS).fetchone()
        assert row is not None  # noqa: S101 - the table has always one row
        commits, server = row
        assert isinstance(server, datetime)  # noqa: S101 - the driver reads it so
        self._clock.saw(server, asked=asked, answered=self._clock.local.now())
        before, self._seen = self._seen, commits
        self._due = self._clock.monotonic() + POLL_SECONDS
        return before != commits

    def _hang_up(self) -> None:
        """Forget the connection; the next look makes another and reports a change."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        """Release its connection."""
        self._closed.set()
        with self._looking:
            self._hang_up()


def _notified(connection: Connection, seconds: float) -> bool:
    """Return whether a notification came in time, taking all that are there."""
    told = any(True for _ in connection.notifies(timeout=seconds, stop_after=1))
    if told:
        for _ in connection.notifies(timeout=0):
            pass
    return told
