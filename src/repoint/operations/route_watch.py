"""Following the pointer for clients that search by themselves, as a process that serves.

A ``RouteWatch`` is in the registry like a process that answers queries: it joins at the
epoch that it read, keeps a lease, and acknowledges an epoch once its user says that the new
route is in use. So a move waits for it, or names it as late. What it cannot confirm within
its lease it gives to nobody (DESIGN section 4).
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from repoint.domain.access import Action
from repoint.domain.errors import UnavailableError, UnconfirmedRouteError
from repoint.domain.ids import Epoch, IndexName, ProcessId
from repoint.domain.service_route import ServiceRoute, nobody_answers
from repoint.operations.session import Session, authorise
from repoint.ports.store import Transaction

#: Longest wait for a change before the thread looks whether it should end.
_LOOK_S: Final = 0.05
#: How soon a store that did not answer is asked again, at the latest.
_AGAIN_S: Final = 0.2


def service_route(session: Session, index: IndexName) -> ServiceRoute:
    """Return who answers now, from one view of the store.

    Raises:
        RefusedMoveError: nothing was promoted yet.
    """
    authorise(session, Action.READ, index)
    with session.store.read() as view:
        _, route = _look(view, index)
    if route is None:
        raise nobody_answers(index)
    return route


class RouteWatch:
    """Routes of some indexes, kept current. Safe to use from many threads."""

    def __init__(
        self,
        session: Session,
        *,
        program: str,
        lease: timedelta,
        on_change: Callable[[IndexName], None] | None = None,
        acknowledges: bool = False,
    ) -> None:
        """Watch nothing yet.

        ``on_change`` is called on the watch's own thread after a route has changed. With
        ``acknowledges`` that is also the acknowledgement; without, ``acknowledge`` is.
        """
        self._session = session
        self._process = replace(
            session.process, id=ProcessId(session.ids.new()), program=program
        )
        self._lease = lease
        self._on_change = on_change
        self._acknowledges = acknowledges
        self._changed = threading.Condition()
        self._routes: dict[IndexName, ServiceRoute | None] = {}
        self._epochs: dict[IndexName, Epoch] = {}
        self._acknowledged: dict[IndexName, Epoch] = {}
        #: Held while what is acknowledged is written, so that the newest is written last.
        self._confirming = threading.Lock()
        self._confirmed_until = 0.0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def join(self, index: IndexName, *, served: Epoch | None = None) -> None:
        """Follow an index; registered at the epoch just read before this returns.

        Where something older is still in use, ``served`` says which epoch: until a newer one
        is acknowledged, this process counts as late.

        Raises:
            NotFoundError: no such index.
            StoreUnavailableError: the store did not answer; it is not followed.
        """
        authorise(self._session, Action.READ, index)
        with self._confirming:
            if index in self._epochs:
                return
            while True:
                with self._session.store.read() as view:
                    epoch, route = _look(view, index)
                in_use = epoch if served is None else min(served, epoch)
                self._write({**self._acknowledged, index: in_use})
                with self._changed:
                    self._epochs[index], self._routes[index] = epoch, route
                    self._acknowledged[index] = in_use
                # The thread may have heard of a move before it knew this index.
                with self._session.store.read() as view:
                    if view.pointers.pointer(index).epoch == epoch:
                        break
        self._start()

    def current(self, index: IndexName) -> ServiceRoute:
        """Return the route of an index that was joined, confirmed within the lease.

        Raises:
            RefusedMoveError: nothing was promoted yet.
            UnconfirmedRouteError: the control store has been out of reach for too long.
        """
        problem = self.unconfirmed(index)
        if problem is not None:
            raise problem
        route = self._routes[index]
        if route is None:
            raise nobody_answers(index)
        return route

    def epoch(self, index: IndexName) -> Epoch:
        """Return the newest epoch known of an index that was joined."""
        return self._epochs[index]

    def follows(self, index: IndexName) -> bool:
        """Return whether the index was joined."""
        return index in self._epochs

    def wait(self, index: IndexName, *, after: Epoch, seconds: float) -> ServiceRoute | None:
        """Return the route once its epoch is above ``after``, None when the time is over."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._epochs[index] > after or self._stop.is_set(), timeout=seconds
            )
            return self._routes[index] if self._epochs[index] > after else None

    def acknowledge(self, index: IndexName, epoch: Epoch) -> None:
        """Say that this epoch's route is in use; told as soon as the store answers."""
        with self._changed:
            self._acknowledged[index] = max(epoch, self._acknowledged[index])
        with contextlib.suppress(UnavailableError):
            self._confirm()

    def unconfirmed(self, index: IndexName) -> UnconfirmedRouteError | None:
        """Return why the route must not be used now; None while it may."""
        now = self._session.clock.monotonic()
        if now < self._confirmed_until:
            return None
        seconds = now - self._confirmed_until + self._lease.total_seconds()
        return UnconfirmedRouteError(index=index, seconds=seconds)

    def close(self) -> None:
        """End the thread and leave the registry."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        # A store that is out of reach forgets this process when its lease runs out.
        with (
            self._confirming,
            contextlib.suppress(UnavailableError),
            self._session.store.begin() as tx,
        ):
            tx.processes.remove(self._process.id)
        self._confirmed_until = 0.0

    def _start(self) -> None:
        with self._changed:
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(
                    target=self._run, name="repoint-route-watch", daemon=True
                )
                self._thread.start()

    def _run(self) -> None:
        clock = self._session.clock
        beat = self._lease.total_seconds() / 4
        feed = self._session.store.watch()
        try:
            next_beat = clock.monotonic() + beat
            while not self._stop.is_set():
                try:
                    wait = min(_LOOK_S, max(0.0, next_beat - clock.monotonic()))
                    moved = feed.changed(timeout=wait) and self._follow()
                    if (moved and self._acknowledges) or clock.monotonic() >= next_beat:
                        self._confirm()
                        next_beat = clock.monotonic() + beat
                except UnavailableError:
                    # Nothing to tell yet: once the lease runs out, ``current`` says it.
                    self._stop.wait(min(_AGAIN_S, beat))
        finally:
            feed.close()

    def _follow(self) -> bool:
        """Take note of moves; return whether any index moved."""
        moved: list[IndexName] = []
        with self._session.store.read() as view:
            for index, known in list(self._epochs.items()):
                epoch, route = _look(view, index, known=known)
                if epoch == known:
                    continue
                moved.append(index)
                with self._changed:  # before the acknowledgement, never after
                    self._epochs[index], self._routes[index] = epoch, route
                    if self._acknowledges:
                        self._acknowledged[index] = epoch
                    self._changed.notify_all()
        if self._on_change is not None:
            for index in moved:
                self._on_change(index)
        return bool(moved)

    def _confirm(self) -> None:
        with self._confirming:
            with self._changed:
                serves = dict(self._acknowledged)
            self._write(serves)

    def _write(self, serves: Mapping[IndexName, Epoch]) -> None:
        clock, store = self._session.clock, self._session.store
        started, until = clock.monotonic(), clock.now() + self._lease
        with store.begin() as tx:
            tx.processes.register(replace(self._process, lease_until=until, serves=serves))
            # Only what is served at the pointer's own epoch is confirmed.
            current = all(tx.pointers.pointer(i).epoch == epoch for i, epoch in serves.items())
        if current:
            self._confirmed_until = started + self._lease.total_seconds()


def _look(
    view: Transaction, index: IndexName, *, known: Epoch | None = None
) -> tuple[Epoch, ServiceRoute | None]:
    pointer = view.pointers.pointer(index)
    if pointer.active is None or pointer.epoch == known:
        return pointer.epoch, None
    release = view.releases.get(index, pointer.active)
    adoption = view.adoptions.get(index, pointer.active)
    layout = None if adoption is None else adoption.layout
    return pointer.epoch, ServiceRoute.of(pointer, release, layout)
