"""Whether sync may go on, and how fast: stop, pause, freeze, throttle and budget.

Read between batches and at most twice a second from the store, so that what another
process decides takes effect within about a second.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from repoint.domain.errors import FrozenError, NotFoundError
from repoint.domain.release import Release, ReleaseState
from repoint.operations.sync.values import Limits, Stopped
from repoint.ports.clock import Clock
from repoint.ports.store import Store, Transaction

#: Seconds between two looks at the store.
_LOOK: Final = 0.5
#: Longest nap while throttled, so that a stop is not waited for.
_NAP: Final = 0.25


class Control:
    """One sync's permission to go on. Safe to use from many threads."""

    def __init__(
        self,
        store: Store,
        release: Release,
        *,
        clock: Clock,
        limits: Limits,
        stop: Callable[[], bool],
    ) -> None:
        self._store = store
        self._release = release
        self._clock = clock
        self._limits = limits
        self._stop = stop
        self._lock = threading.Lock()
        self._reason: Stopped | None = None
        self._failed = threading.Event()
        self._looked: float | None = None
        self._throttle: float | None = None
        #: Moment at which the next row may be applied.
        self._due = 0.0
        self._spent = 0

    def start(self) -> None:
        """Look for the first time.

        Raises:
            FrozenError: the index is frozen and this release does not answer.
            NotFoundError: the release is retired or dropped.
        """
        release = self._release
        with self._store.read() as view:
            found = view.releases.get(release.index, release.name)
            if found.state in (ReleaseState.RETIRED, ReleaseState.DROPPED):
                raise NotFoundError(what="live release", name=release.name)
            frozen = view.indexes.frozen(release.index)
            if frozen and self._limits.heed_pace and not answers(view, release):
                raise FrozenError(
                    index=release.index,
                    action=f"backfill {release.name}",
                    since=frozen.at.isoformat(timespec="seconds"),
                    by=frozen.actor,
                    reason=frozen.reason,
                )
        self.reason()

    def halt(self) -> None:
        """Let every thread end after what it is doing, because one of them failed."""
        self._failed.set()

    def ended(self) -> bool:
        """Whether to stop now, for whatever reason."""
        return self._failed.is_set() or self.reason() is not None

    def reason(self) -> Stopped | None:
        """Return why to stop, None to go on; once there is a reason it stays."""
        with self._lock:
            if self._reason is None and self._stop():
                self._reason = Stopped.ASKED
            if self._reason is None and self._limits.heed_pace:
                now = self._clock.monotonic()
                if self._looked is None or now - self._looked >= _LOOK:
                    self._looked = now
                    self._reason = self._look()
            return self._reason

    def spend(self, tokens: int) -> bool:
        """Take tokens from the budget; False, taking none, when it does not have them."""
        with self._lock:
            budget = self._limits.budget_tokens
            if budget is not None and self._spent + tokens > budget:
                self._reason = self._reason or Stopped.BUDGET
                return False
            self._spent += tokens
            return True

    def slice(self) -> int | None:
        """How many rows make about a second of work under the throttle; None is any."""
        throttle = self._throttle
        return None if throttle is None else max(1, int(throttle))

    def wait_for(self, rows: int) -> None:
        """Return when the throttle allows these rows, or at once when it is time to stop."""
        with self._lock:
            throttle = self._throttle
            if throttle is None:
                return
            start = max(self._due, self._clock.monotonic())
            self._due = start + rows / throttle
        while (left := start - self._clock.monotonic()) > 0 and not self.ended():
            if self._throttle != throttle:
                # Somebody changed it: what was reserved under the old one counts no more.
                with self._lock:
                    self._due = self._clock.monotonic()
                return
            self._clock.sleep(min(left, _NAP))

    def _look(self) -> Stopped | None:
        release = self._release
        with self._store.read() as view:
            found = view.releases.get(release.index, release.name)
            self._throttle = found.throttle or None
            frozen = view.indexes.frozen(release.index) is not None
            if not (found.paused or frozen) or answers(view, release):
                return None
        return Stopped.FROZEN if frozen else Stopped.PAUSED


def answers(view: Transaction, release: Release) -> bool:
    """Return whether the release is active or fallback: those are always kept in step."""
    pointer = view.pointers.pointer(release.index)
    return release.name in (pointer.active, pointer.fallback)
