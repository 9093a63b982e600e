"""Counting live queries without getting in their way.

A query leaves a note in a queue of its process: that is all it pays. A thread adds the
notes up into periods and stores them every few seconds, each process in rows of its own, so a
row that is stored twice is counted once. Whatever cannot be counted or stored is itself
counted as lost; telemetry never makes a query fail.
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter, deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from repoint.domain.errors import RateLimitedError, RefusedError, RepointError
from repoint.domain.ids import IndexName, ProcessId, ReleaseName
from repoint.domain.telemetry import UNKNOWN, Arm, Count, Period, Stage, Tally
from repoint.operations.telemetry.retention import FINEST, widen
from repoint.ports.clock import Clock
from repoint.ports.store import Store
from repoint.ports.store.traffic import Measured

if TYPE_CHECKING:
    from repoint.operations.query import Answer
    from repoint.operations.spaces import Space

#: How often a process stores what it counted.
FLUSH: Final = timedelta(seconds=5)
#: How often it looks whether old periods can be added up.
_WIDEN_EVERY_S: Final = 600.0
#: Notes that may wait to be added up; those beyond are lost, and counted as that.
MOST_NOTES: Final = 50_000
#: How long periods are kept for a store that is out of reach. Well within the time after
#: which a period is added up with others: none is stored a second time after that.
PATIENCE: Final = timedelta(minutes=15)


class _Note(NamedTuple):
    """What one query leaves behind."""

    asked: IndexName
    release: ReleaseName
    arm: Arm
    #: When it ended, by the monotonic clock.
    ended: float
    counts: tuple[Count, ...]
    #: Values in milliseconds by stage, and any other measures.
    measures: Mapping[str, float]
    #: The code of its error.
    error: str = ""
    #: The question, where the tokens that the model was given are to be counted.
    text: str = ""
    space: Space | None = None


class Meter:
    """Counts the live queries of one process. Safe to use from many threads."""

    def __init__(self, store: Store, *, clock: Clock, process: ProcessId) -> None:
        self._store, self._clock, self._process = store, clock, process
        self._notes: deque[_Note] = deque()
        self._lost: deque[IndexName] = deque()
        #: What was counted in periods that may still change, or are not stored yet.
        self._periods: dict[Period, Tally] = {}
        self._unstored: set[Period] = set()
        self._flushing = threading.Lock()
        self._starting = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._widen_at = 0.0

    def answered(
        self,
        answer: Answer,
        space: Space,
        *,
        text: str,
        began: float,
        ended: float,
        measures: Mapping[str, float] | None = None,
    ) -> None:
        """Count an answer that was given; both times are the monotonic clock's."""
        timings = answer.timings
        counts: tuple[Count, ...] = (Count.QUERIES,)
        if not answer.hits:
            counts += (Count.EMPTY,)
        values = {
            Stage.SEARCH.value: timings.search_ms,
            Stage.TOTAL.value: (ended - began) * 1000,
            **(measures or {}),
        }
        if space.reranker is not None:
            values[Stage.RERANK.value] = timings.rerank_ms
        priced = False
        if timings.embedded:
            counts += (Count.EMBEDDED,)
            values[Stage.EMBED.value] = timings.embed_ms
            priced = space.release.spec.model.price_per_million_tokens is not None
        self._leave(
            _Note(
                answer.index,
                answer.release,
                answer.arm,
                ended,
                counts,
                values,
                text=text if priced else "",
                space=space if priced else None,
            )
        )

    def failed(
        self,
        error: Exception,
        *,
        index: IndexName,
        release: ReleaseName = UNKNOWN,
        arm: Arm = Arm.ACTIVE,
    ) -> None:
        """Count a question that got no answer."""
        refused = isinstance(error, RefusedError)
        counts: tuple[Count, ...]
        counts = (Count.QUERIES, Count.REFUSED if refused else Count.FAILED)
        if isinstance(error, RateLimitedError):
            counts += (Count.RATE_LIMITED,)
        code = error.code if isinstance(error, RepointError) else type(error).__name__
        ended = self._clock.monotonic()
        self._leave(_Note(index, release, arm, ended, counts, {}, error=code))

    def count(self, what: Count, *, index: IndexName, release: ReleaseName, arm: Arm) -> None:
        """Count something that is no query of its own."""
        self._leave(_Note(index, release, arm, self._clock.monotonic(), (what,), {}))

    def flush(self) -> None:
        """Store what was counted so far; what cannot be stored now is tried again later."""
        with self._flushing:
            now = self._clock.now()
            self._add_up(now)
            with contextlib.suppress(RepointError):
                self._put(now)
            self._forget(now)

    def close(self) -> None:
        """End the thread and store what is left, if the store can be reached."""
        self._stop.set()
        with self._starting:
            thread = self._thread
        if thread is not None:
            thread.join()
            self.flush()

    def _leave(self, note: _Note) -> None:
        if len(self._notes) < MOST_NOTES:
            self._notes.append(note)
        else:
            self._lost.append(note.asked)
        if self._thread is None:
            self._start()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(
                    target=self._run, name="repoint-telemetry", daemon=True
                )
                self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(FLUSH.total_seconds()):
            self.flush()

    def _add_up(self, now: datetime) -> None:
        """Put every note into its period."""
        present = self._clock.monotonic()
        for _ in range(len(self._notes)):
            note = self._notes.popleft()
            at = now - timedelta(seconds=present - note.ended)
            tally = self._tally(note.asked, note.release, note.arm, at=at)
            tally.counts.update(note.counts)
            if note.error:
                tally.errors[note.error] += 1
            for name, value in note.measures.items():
                tally.measure(name, value)
            if note.space is not None:
                with contextlib.suppress(RepointError):
                    _price(tally, note.space, note.text)
        for index, count in Counter(self._all_lost()).items():
            tally = self._tally(index, UNKNOWN, Arm.ACTIVE, at=now)
            tally.counts[Count.LOST] += count

    def _all_lost(self) -> list[IndexName]:
        return [self._lost.popleft() for _ in range(len(self._lost))]

    def _tally(
        self, index: IndexName, release: ReleaseName, arm: Arm, *, at: datetime
    ) -> Tally:
        period = Period.around(index, release, arm, at=at, width=FINEST)
        self._unstored.add(period)
        return self._periods.setdefault(period, Tally())

    def _put(self, now: datetime) -> None:
        if self._unstored:
            measured = [
                Measured(period=period, process=self._process, tally=self._periods[period])
                for period in self._unstored
            ]
            with self._store.begin() as tx:
                tx.telemetry.put(measured)
            self._unstored.clear()
        if self._clock.monotonic() >= self._widen_at:
            with self._store.begin() as tx:
                widen(tx, now=now)
            self._widen_at = self._clock.monotonic() + _WIDEN_EVERY_S

    def _forget(self, now: datetime) -> None:
        """Let go of periods that are over and stored, or have waited for too long."""
        for period in list(self._periods):
            over = period.ends_at < now - FINEST
            if over and period not in self._unstored:
                del self._periods[period]
            elif period.ends_at < now - PATIENCE:
                tally = self._periods.pop(period)
                self._unstored.discard(period)
                self._lost.extend([period.index] * tally.count(Count.QUERIES))


def _price(tally: Tally, space: Space, text: str) -> None:
    """Count the tokens that the model was given, and what they cost."""
    price = space.release.spec.model.price_per_million_tokens or 0.0
    tokens = space.embedding.count_query_tokens([space.preparer.prepare_query(text)])
    tally.counts[Count.TOKENS] += tokens
    tally.cost += tokens * price / 1_000_000
