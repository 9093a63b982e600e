"""Asking the shadow of a live query, without getting in its way.

A served answer leaves its question in a bounded queue; threads of their own take it from
there, while nobody is being served in this process, and open the collection in such a moment,
too. What finds no place in the queue, or no quiet moment in time, is dropped and counted.
Whatever the shadow does, hangs or raises, the served answer has been given before.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from dataclasses import dataclass
from typing import Final

from repoint.domain.agreement import overlap, rank_biased_overlap
from repoint.domain.filters import Filter
from repoint.domain.ids import DocumentId
from repoint.domain.shadow import Shadow
from repoint.domain.telemetry import Arm, Count, Measure
from repoint.operations import query
from repoint.operations.query import Answer
from repoint.operations.spaces import Space, Spaces
from repoint.operations.telemetry import Meter
from repoint.ports.clock import Clock
from repoint.ports.store import Store

#: Questions that may wait.
WAITING: Final = 256
#: Threads at most; a model that uses every core by itself is asked by one at a time.
_THREADS: Final = 4
#: How long nobody must have been served before a shadow query begins.
_QUIET_S: Final = 0.001
#: How often a thread looks whether it is quiet, and how long it waits for that.
_LOOK_S: Final = 0.02
PATIENCE_S: Final = 2.0
#: Successive multiples of it fall evenly into 0 to 1, whatever the share.
_GOLDEN: Final = 0.618_033_988_749_894_9


@dataclass(frozen=True, slots=True, kw_only=True)
class _Served:
    """What was asked and answered, as far as a comparison needs it."""

    shadow: Shadow
    text: str
    limit: int
    where: Filter | None
    found: tuple[DocumentId, ...]
    top_score: float | None
    took_ms: float


class Shadower:
    """Asks shadows for one process. Safe to use from many threads."""

    def __init__(self, store: Store, spaces: Spaces, *, clock: Clock, meter: Meter) -> None:
        self._store, self._spaces, self._clock, self._meter = store, spaces, clock, meter
        self._queue: queue.Queue[_Served | None] = queue.Queue(maxsize=WAITING)
        self._starting = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._stop = threading.Event()
        self._looking = threading.Lock()
        self._opening = threading.Lock()
        self._open: dict[Shadow, tuple[Space, threading.BoundedSemaphore]] = {}
        self._asked = 0
        #: When serving last began and ended in this process, by the monotonic clock.
        self.began = 0.0
        self.ended = 0.0

    def offer(
        self, shadow: Shadow, answer: Answer, *, text: str, limit: int, where: Filter | None
    ) -> None:
        """Leave a served question for the shadow, if it is among the share."""
        if shadow.release == answer.release:
            return  # it was promoted meanwhile
        self._asked += 1
        if (self._asked * _GOLDEN) % 1.0 >= shadow.share:
            return
        timings = answer.timings
        served = _Served(
            shadow=shadow,
            text=text,
            limit=limit,
            where=where,
            found=tuple(hit.document for hit in answer.hits),
            top_score=answer.hits[0].score if answer.hits else None,
            took_ms=timings.embed_ms + timings.search_ms + timings.rerank_ms,
        )
        try:
            self._queue.put_nowait(served)
        except queue.Full:
            self._drop(served)
        if not self._threads:
            self._start()

    def close(self) -> None:
        """End the threads, waiting for what they are at; what is in the queue is dropped."""
        self._stop.set()
        with self._starting:
            threads = list(self._threads)
        with contextlib.suppress(queue.Empty):
            while True:
                waiting = self._queue.get_nowait()
                if waiting is not None:
                    self._drop(waiting)
        for _ in threads:
            self._queue.put(None)
        for thread in threads:
            thread.join(timeout=PATIENCE_S)

    def _start(self) -> None:
        with self._starting:
            if self._threads or self._stop.is_set():
                return
            for number in range(_THREADS):
                thread = threading.Thread(
                    target=self._run, name=f"repoint-shadow-{number}", daemon=True
                )
                self._threads.append(thread)
                thread.start()

    def _run(self) -> None:
        while (served := self._queue.get()) is not None:
            shadow = served.shadow
            try:
                with self._looking:  # one looks for all, so that looking costs little
                    quiet = self._is_quiet_in_time()
                if not quiet:
                    self._drop(served)
                    continue
                space, turns = self._opened(shadow)
                with turns:
                    if self._is_quiet_in_time():
                        self._ask(served, space)
                    else:
                        self._drop(served)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is the shadow's failure
                self._meter.failed(
                    error, index=shadow.index, release=shadow.release, arm=Arm.SHADOW
                )

    def _opened(self, shadow: Shadow) -> tuple[Space, threading.BoundedSemaphore]:
        with self._opening:
            if shadow not in self._open:
                with self._store.read() as view:
                    release = view.releases.get(shadow.index, shadow.release)
                space = self._spaces.open(release)
                together = space.embedding.embedder.traits.parallel
                turns = threading.BoundedSemaphore(max(1, together))
                # One index has one shadow: what was opened for earlier ones is let go.
                self._open = {
                    one: opened
                    for one, opened in self._open.items()
                    if one.index != shadow.index
                }
                self._open[shadow] = (space, turns)
            return self._open[shadow]

    def _is_quiet_in_time(self) -> bool:
        """Wait until nobody is being served here; return False when that takes too long."""
        give_up = self._clock.monotonic() + PATIENCE_S
        while True:
            now = self._clock.monotonic()
            if self.ended >= self.began and now - self.ended >= _QUIET_S:
                return True
            if now >= give_up or self._stop.wait(_LOOK_S):
                return False

    def _ask(self, served: _Served, space: Space) -> None:
        began = self._clock.monotonic()
        hits, timings = query.ask(
            space, served.text, limit=served.limit, where=served.where, clock=self._clock
        )
        ended = self._clock.monotonic()
        found = tuple(hit.document for hit in hits)
        took_ms = timings.embed_ms + timings.search_ms + timings.rerank_ms
        measures = {
            Measure.OVERLAP.value: overlap(served.found, found, k=served.limit),
            Measure.RBO.value: rank_biased_overlap(served.found, found),
            Measure.LATENCY_DIFFERENCE.value: took_ms - served.took_ms,
        }
        if hits and served.top_score is not None:
            measures[Measure.SCORE_DIFFERENCE.value] = hits[0].score - served.top_score
        answer = Answer(
            index=served.shadow.index,
            release=served.shadow.release,
            epoch=None,
            hits=hits,
            timings=timings,
            arm=Arm.SHADOW,
        )
        self._meter.answered(
            answer, space, text=served.text, began=began, ended=ended, measures=measures
        )

    def _drop(self, served: _Served) -> None:
        shadow = served.shadow
        self._meter.count(
            Count.DROPPED, index=shadow.index, release=shadow.release, arm=Arm.SHADOW
        )
