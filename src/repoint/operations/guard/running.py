"""A guard that goes on looking, in a thread of its own.

What fails at a look is kept in ``last_error`` and looked at again: a guard never just dies.
Another process that guards the index makes this one wait; it takes over when that one ends.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from repoint.domain.errors import RepointError
from repoint.domain.ids import IndexName
from repoint.operations.guard.looking import Seen, leave, look_once
from repoint.operations.session import Session
from repoint.operations.sync.follow import patience
from repoint.ports.metrics import Metrics

#: How often a guard that stands by asks whether the other one is still there.
_STAND_BY: Final = timedelta(seconds=10)


class Guard:
    """Guards one index until it is closed."""

    def __init__(
        self,
        session: Session,
        index: IndexName,
        *,
        metrics: Metrics,
        dry_run: bool = False,
        every: timedelta | None = None,
        tell: Callable[[Seen], None] | None = None,
    ) -> None:
        self._session = session
        self._index = index
        self._metrics = metrics
        self._dry_run = dry_run
        self._every = every
        self._tell = tell
        self._closed = threading.Event()
        self._woken = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name=f"repoint-guard-{index}", daemon=True
        )
        self.last_seen: Seen | None = None
        self.last_error: Exception | None = None

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def wake(self) -> None:
        """Look at once."""
        self._woken.set()

    def close(self) -> None:
        """End after the look in hand, and let another guard take over. Twice is no error."""
        self._closed.set()
        self._woken.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        failures = 0
        while not self._closed.is_set():
            self._woken.clear()
            try:
                seen = look_once(
                    self._session, self._index, metrics=self._metrics, dry_run=self._dry_run
                )
                self.last_seen, self.last_error, failures = seen, None, 0
                if self._tell is not None:
                    self._tell(seen)
                wait = (
                    _STAND_BY.total_seconds()
                    if seen.look is None
                    else (self._every or seen.every).total_seconds()
                )
            except Exception as error:  # noqa: BLE001 - kept and shown; a guard never just dies
                self.last_error = error
                failures += 1
                wait = patience(error, failures)
            self._woken.wait(wait)
        self._leave()

    def _leave(self) -> None:
        try:
            leave(self._session, self._index)
        except RepointError as error:
            self.last_error = error  # its lease runs out by itself
