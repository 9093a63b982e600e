"""A feed of commits: SQLite counts, for each connection, what all others committed."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Final

from repoint.ports.clock import Clock
from repoint.stores.sql.sqlite_errors import in_our_words

#: A look costs three microseconds, so looking this often costs next to nothing.
POLL_SECONDS: Final = 0.01


class SqliteFeed:
    """``ports.store.ChangeFeed`` over ``PRAGMA data_version``.

    The number changes with every commit of another connection, and nothing is ever
    committed on this one, so no commit is missed, whichever thread or process made it.
    """

    def __init__(self, connection: sqlite3.Connection, *, path: Path, clock: Clock) -> None:
        self._connection = connection
        self._path = path
        self._clock = clock
        self._seen: int | None = None
        self._closed = threading.Event()
        # Another thread may close while the watcher looks.
        self._looking = threading.Lock()

    def changed(self, *, timeout: float) -> bool:
        """Return True soon after any commit, False when the seconds passed quietly.

        Returns False at once when another thread closes the feed.

        Raises:
            RuntimeError: it was closed before.
        """
        if self._closed.is_set():
            raise RuntimeError("the feed is closed")
        deadline = self._clock.monotonic() + timeout
        while not self._closed.is_set():
            if self._moved_on():
                return True
            left = deadline - self._clock.monotonic()
            if left <= 0:
                return False
            self._clock.sleep(min(POLL_SECONDS, left))
        return False

    def _moved_on(self) -> bool:
        with self._looking, in_our_words(self._path):
            if self._closed.is_set():
                return False
            row = self._connection.execute("PRAGMA data_version").fetchone()
        before, self._seen = self._seen, int(row[0])
        return before != self._seen

    def close(self) -> None:
        """Release its connection."""
        with self._looking:
            self._closed.set()
            self._connection.close()
