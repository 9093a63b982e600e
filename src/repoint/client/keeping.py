"""Keeping every live release in step with what this process writes."""

from __future__ import annotations

import threading
from typing import Final, Literal

from repoint.domain.errors import RefusedError
from repoint.domain.ids import IndexName, Lsn, ReleaseName
from repoint.domain.release import ReleaseState
from repoint.operations.session import Session
from repoint.operations.sync import Follower

_POLL_S: Final = 0.01


class Keeper:
    """One index's worker thread in a writing process, started by its first write."""

    def __init__(self, session: Session, index: IndexName, *, enabled: bool) -> None:
        self._session = session
        self._index = index
        self._enabled = enabled
        self._lock = threading.Lock()
        self._follower: Follower | None = None

    def wake(self) -> None:
        """Say that something was written."""
        if not self._enabled:
            return
        with self._lock:
            if self._follower is None:
                self._follower = self._start()
        self._follower.wake()

    def require_waitable(self, releases: Literal["active", "all"]) -> None:
        """Return if waiting for those releases can end, before anything is written.

        Raises:
            RefusedError: a release among them is paused, or kept back by a freeze.
        """
        with self._session.store.read() as view:
            beyond = Lsn(view.log.head(self._index) + 1)
        self._behind(releases, beyond)

    def wait(self, releases: Literal["active", "all"]) -> None:
        """Return when those releases have everything that is in the log now.

        Raises:
            RefusedError: a release among them is paused, or kept back by a freeze, so waiting
                would never end.
            UnavailableError: a model or database does not answer; the log has the writes.
        """
        with self._session.store.read() as view:
            head = view.log.head(self._index)
        self._enable()
        while not self._has(releases, head):
            self._session.clock.sleep(_POLL_S)

    def has(self, releases: Literal["active", "all"], head: Lsn) -> bool:
        """Return whether those releases are at that position; work towards it from now on.

        Raises as ``wait``.
        """
        if self._follower is None:
            self._enable()
        return self._has(releases, head)

    def _has(self, releases: Literal["active", "all"], head: Lsn) -> bool:
        waiting = self._behind(releases, head)
        errors = {} if self._follower is None else self._follower.last_error
        for name in waiting:
            if name in errors:
                raise errors[name]
        return not waiting

    def settle(self, *, seconds: float) -> None:
        """Wait at most so long until every live release has what was written."""
        follower = self._follower
        if follower is None:
            return
        with self._session.store.read() as view:
            head = view.log.head(self._index)
        deadline = self._session.clock.monotonic() + seconds
        while self._session.clock.monotonic() < deadline and not follower.last_error:
            if not self._behind("all", head, paused_too=False):
                break
            self._session.clock.sleep(_POLL_S)

    def close(self, *, settle_seconds: float) -> None:
        """End the worker; give it up to that long to finish what was written."""
        if self._follower is not None:
            self.settle(seconds=settle_seconds)
            self._follower.close()

    def _enable(self) -> None:
        enabled, self._enabled = self._enabled, True
        self.wake()
        self._enabled = enabled

    def _start(self) -> Follower:
        follower = Follower(
            self._session.store,
            self._session.spaces,
            index=self._index,
            owner=self._session.process.id,
            clock=self._session.clock,
        )
        self._session.announce()
        follower.start()
        return follower

    def _behind(
        self, which: Literal["active", "all"], head: Lsn, *, paused_too: bool = True
    ) -> list[ReleaseName]:
        with self._session.store.read() as view:
            pointer = view.pointers.pointer(self._index)
            live = [r for r in view.releases.all(self._index) if r.state is ReleaseState.LIVE]
            if which == "active":
                live = [release for release in live if release.name == pointer.active]
            behind = [
                release
                for release in live
                if view.catchup.watermark(self._index, release.name) < head
            ]
            frozen = view.indexes.frozen(self._index) is not None
        answering = {pointer.active, pointer.fallback}
        paused = [release.name for release in behind if release.paused]
        kept_back = [r.name for r in behind if frozen and r.name not in answering]
        if paused_too and paused:
            raise RefusedError(
                f"release {paused[0]!r} is paused, so it never gets there",
                hint=f"repoint sync {self._index} {paused[0]} --resume",
            )
        if paused_too and kept_back:
            raise RefusedError(
                f"release {kept_back[0]!r} is kept back while {self._index!r} is frozen",
                hint=f"wait for the active release alone, or: repoint unfreeze {self._index}",
            )
        return [r.name for r in behind if r.name not in {*paused, *kept_back}]
