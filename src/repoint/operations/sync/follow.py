"""Keep every live release of an index in step with its log, for as long as the process runs.

Each live release has a lane, a thread of its own, so that a candidate's long backfill never
delays what answers. Lanes are woken by the writes of this process (``wake``) and by the
store's feed of changes, which tells of everybody's. Leases make any number of followers in
any number of processes safe. What fails is kept in ``last_error``, tried again after a
bounded wait, and gone from there once it succeeded.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from repoint.domain.errors import FrozenError, RepointError, UnavailableError
from repoint.domain.ids import IndexName, ProcessId, ReleaseName
from repoint.domain.release import Release, ReleaseState
from repoint.operations.spaces import Spaces
from repoint.operations.sync.at_once import apply_deletes_first
from repoint.operations.sync.engine import sync
from repoint.operations.sync.upkeep import Upkeep
from repoint.operations.sync.values import Limits, Stopped
from repoint.ports.clock import Clock
from repoint.ports.store import Store

#: Seconds that one look at the feed waits at most: whoever closes waits for it to end. Looks
#: that follow each other miss nothing.
_LOOK: Final = 0.02
#: Seconds before the second attempt; doubled for each that follows, up to the longest.
_FIRST_WAIT: Final = 0.5
_LONGEST_WAIT: Final = 60.0
#: A provider that asks for more than this is asked again all the same.
_LONGEST_ASKED: Final = 900.0
#: A refusal or a broken invariant does not go away by itself.
_LASTING_WAIT: Final = 10.0


class Follower:
    """A worker that keeps the live releases of one index in step."""

    def __init__(
        self,
        store: Store,
        spaces: Spaces,
        *,
        index: IndexName,
        owner: ProcessId,
        clock: Clock,
        limits: Limits | None = None,
    ) -> None:
        self._store = store
        self._spaces = spaces
        self._index = index
        self._owner = owner
        self._clock = clock
        self._limits = limits or Limits()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._lanes: dict[ReleaseName, _Lane] = {}
        #: Of releases that are live no more; each ends after the batches in hand.
        self._ending: list[_Lane] = []
        self._errors: dict[ReleaseName, Exception] = {}
        self._store_error: Exception | None = None
        self._watcher = threading.Thread(
            target=self._watch, name=f"repoint-follow-{index}", daemon=True
        )

    def start(self) -> None:
        """Begin to work, in threads of its own."""
        self._watcher.start()

    def wake(self) -> None:
        """Say that something was written: the lanes look at once."""
        with self._lock:
            lanes = list(self._lanes.values())
        for lane in lanes:
            lane.wake()

    @property
    def last_error(self) -> Mapping[ReleaseName, Exception]:
        """What failed last of each release that is failing now."""
        with self._lock:
            return MappingProxyType(dict(self._errors))

    @property
    def store_error(self) -> Exception | None:
        """Why the store cannot be watched now, None while it can."""
        return self._store_error

    def close(self) -> None:
        """End after the batches in hand; what was begun is given back. Twice is no error."""
        self._closed.set()
        with self._lock:
            lanes = [*self._lanes.values(), *self._ending]
        for lane in lanes:
            lane.end()
        if self._watcher.is_alive() and self._watcher is not threading.current_thread():
            self._watcher.join()
        for lane in lanes:
            lane.join()

    def _watch(self) -> None:
        """Wake lanes at every change, and have a lane for every live release."""
        failures = 0
        while not self._closed.is_set():
            try:
                feed = self._store.watch()
                try:
                    while not self._closed.is_set():
                        if feed.changed(timeout=_LOOK):
                            self._tend()
                        self._store_error, failures = None, 0
                finally:
                    feed.close()
            except Exception as error:  # noqa: BLE001 - kept and shown; a watcher never just dies
                self._store_error = error
                failures += 1
                self._closed.wait(patience(error, failures))

    def _tend(self) -> None:
        with self._store.read() as view:
            live = {
                release.name: release
                for release in view.releases.all(self._index)
                if release.state is ReleaseState.LIVE
            }
        with self._lock:
            if self._closed.is_set():
                return
            gone = [lane for name, lane in self._lanes.items() if name not in live]
            for lane in gone:
                lane.end()
                self._ending = [one for one in self._ending if one.runs] + [lane]
                del self._lanes[lane.release.name]
                self._errors.pop(lane.release.name, None)
            for name, release in live.items():
                if name not in self._lanes:
                    self._lanes[name] = self._lane(release)
        self.wake()

    def _deletes_at_least(self, name: ReleaseName) -> None:
        """Empty what was deleted in a release that answers without a model of its own (INV-6).

        Its writes wait for the model, and may wait for ever; deletes need none.
        """
        with self._store.read() as view:
            release = view.releases.get(self._index, name)
        if release.bridge is not None:
            apply_deletes_first(self._store, self._spaces.open(release))

    def _is_live(self, release: Release) -> bool:
        """Return whether a release is to be kept in step; True when the store cannot say."""
        try:
            with self._store.read() as view:
                found = view.releases.get(self._index, release.name)
        except RepointError:
            return True
        return found.state is ReleaseState.LIVE

    def _bring(self, release: Release, upkeep: Upkeep, stop: Callable[[], bool]) -> None:
        """Bring a release into step, while nobody does so by hand."""
        by_hand, named = self._spaces.by_hand, (release.index, release.name)
        while not stop():
            by_hand.wait(*named, unless=stop)
            report = sync(
                self._store,
                self._spaces.own(release),
                owner=self._owner,
                clock=self._clock,
                limits=self._limits,
                stop=lambda: stop() or by_hand.at(*named),
                upkeep=upkeep,
            )
            if report.stopped is not Stopped.ASKED:
                return

    def _lane(self, release: Release) -> _Lane:
        upkeep = Upkeep()

        def bring(stop: Callable[[], bool]) -> None:
            try:
                self._bring(release, upkeep, stop)
            except RepointError:
                self._deletes_at_least(release.name)
                raise

        def tell(error: Exception | None) -> None:
            if error is not None and not self._is_live(release):
                return  # it was retired under way: nothing is wrong, and this lane ends soon
            with self._lock:
                if error is None:
                    self._errors.pop(release.name, None)
                else:
                    self._errors[release.name] = error

        lane = _Lane(release, bring, tell)
        lane.start()
        return lane


class _Lane:
    """One release's thread: brings it into step whenever it is woken."""

    def __init__(
        self,
        release: Release,
        bring: Callable[[Callable[[], bool]], None],
        tell: Callable[[Exception | None], None],
    ) -> None:
        self.release = release
        self._bring = bring
        self._tell = tell
        self._woken = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name=f"repoint-lane-{release.name}", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    @property
    def runs(self) -> bool:
        return self._thread.is_alive()

    def wake(self) -> None:
        self._woken.set()

    def end(self) -> None:
        self._ended.set()
        self._woken.set()

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        failures = 0
        while not self._ended.is_set():
            # Before looking: what is written from here on wakes it again.
            self._woken.clear()
            try:
                self._bring(self._ended.is_set)
            except FrozenError:
                self._tell(None)  # nothing is wrong; unfreezing is a change, which wakes it
            except Exception as error:  # noqa: BLE001 - kept and shown; a lane never just dies
                failures += 1
                self._tell(error)
                self._ended.wait(patience(error, failures))
                continue
            else:
                self._tell(None)
            failures = 0
            if not self._ended.is_set():
                self._woken.wait()


def patience(error: Exception, failures: int) -> float:
    """Return how many seconds to wait after so many failures in a row, this one the last."""
    seconds: float = min(_FIRST_WAIT * 2.0 ** min(failures - 1, 16), _LONGEST_WAIT)
    if isinstance(error, UnavailableError):
        asked = error.retry_after.total_seconds() if error.retry_after else 0.0
        return max(seconds, min(asked, _LONGEST_ASKED))
    if isinstance(error, RepointError):
        return max(seconds, _LASTING_WAIT)
    return seconds
