"""Routes: the one fenced step of every read (DESIGN section 4).

A query resolves the pointer once into a ``Route`` and uses only that to its end. Routes are
cached in the process; a watcher thread replaces them when the pointer moves, acknowledges
the new epoch, and keeps the process's lease. A process that could not confirm its routes
within its lease answers no more, so nobody serves the old path unknowingly.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from repoint.domain.document import FieldType
from repoint.domain.errors import (
    RefusedMoveError,
    UnavailableError,
    UnconfirmedRouteError,
)
from repoint.domain.ids import Epoch, IndexName
from repoint.domain.operation import Process
from repoint.domain.pointer import Pointer
from repoint.domain.shadow import Shadow
from repoint.operations.model_watch import ModelWatch
from repoint.operations.route import Arms, Route
from repoint.operations.spaces import Spaces
from repoint.ports.clock import Clock
from repoint.ports.store import Store, Transaction

#: How long a process may answer without confirming its routes.
LEASE: Final = timedelta(seconds=10)
#: Longest wait for a change before the watcher looks whether it should end.
_LOOK_S: Final = 0.02
#: Longest wait for a route that is being opened when the process ends.
_PATIENCE_S: Final = 5.0


class Router:
    """Resolves routes for one process. Safe to use from many threads."""

    def __init__(
        self,
        store: Store,
        spaces: Spaces,
        *,
        clock: Clock,
        process: Process,
        lease: timedelta = LEASE,
        watch: ModelWatch | None = None,
    ) -> None:
        self._store, self._spaces, self._clock = store, spaces, clock
        self._process, self._lease = process, lease
        self._routes: dict[IndexName, Route] = {}
        #: What each served index points at; a missing route is opened on the next query.
        self._pointers: dict[IndexName, Pointer] = {}
        #: As far as the watcher knows; a shadow that comes or goes moves nothing.
        self._shadows: dict[IndexName, Shadow | None] = {}
        self._fields: dict[IndexName, dict[str, FieldType]] = {}
        self._opening = threading.Lock()
        #: Held while a pointer or a route is replaced, never while one is opened.
        self._publishing = threading.Lock()
        self._stop = threading.Event()
        self._watcher: threading.Thread | None = None
        #: What opens the routes of the newest move; started and replaced by the watcher.
        self._warmer: threading.Thread | None = None
        self._confirmed_until = 0.0
        self._models = watch
        if watch is not None:
            watch.withdrawing(self._withdraw)
        #: How many erasures this process has heard of.
        self._erased = 0

    def resolve(self, index: IndexName) -> Route:
        """Return the route of an index, confirmed within the lease.

        Raises:
            NotFoundError: no such index.
            RefusedMoveError: nothing was promoted yet.
            ModelChangedError: its model was found changed, and such do not answer here.
            UnconfirmedRouteError: the control store has been out of reach for too long.
        """
        route = self._routes.get(index)
        now = self._clock.monotonic()
        if route is not None and now < self._confirmed_until:
            return route
        if index in self._pointers and now >= self._confirmed_until:
            seconds = now - self._confirmed_until + self._lease.total_seconds()
            raise UnconfirmedRouteError(index=index, seconds=seconds)
        return self._open(index)

    def confirm(self, route: Route, *, since: float) -> None:
        """Return if an answer by this route may still be given.

        ``since`` is when the route was resolved. A process that was stopped in the middle
        of a question may come back after its lease: others hold it for gone by then.

        Raises:
            UnconfirmedRouteError: the lease ran out before the answer was there.
        """
        now = self._clock.monotonic()
        asleep = now - since >= self._lease.total_seconds()
        pointer = self._pointers.get(route.index)
        replaced = pointer is None or pointer.epoch != route.epoch
        if now >= self._confirmed_until or (asleep and replaced):
            raise UnconfirmedRouteError(index=route.index, seconds=now - since)

    def shadow(self, index: IndexName) -> Shadow | None:
        """Return which release gets the index's live queries as well."""
        return self._shadows.get(index)

    def fields(self, index: IndexName, *, fresh: bool = False) -> dict[str, FieldType]:
        """Return the metadata fields that filters may name; ``fresh`` asks the store again."""
        known = self._fields.get(index)
        if known is None or fresh:
            with self._store.read() as view:
                known = self._fields[index] = view.log.fields(index)
        return known

    def serves(self) -> dict[IndexName, Epoch]:
        """Return the epochs that this process answers at."""
        return {index: pointer.epoch for index, pointer in list(self._pointers.items())}

    def announce(self) -> None:
        """Be in the registry, with a lease that is kept, even while nothing is served."""
        with self._opening:
            if self._watcher is None:
                self._register({})

    def close(self) -> None:
        """Stop answering, end the watcher and leave the registry."""
        self._stop.set()
        if self._models is not None:
            self._models.close()
        if self._watcher is not None:
            self._watcher.join()
            if self._warmer is not None:
                self._warmer.join(timeout=_PATIENCE_S)
            # A store that is out of reach forgets this process when its lease runs out.
            with contextlib.suppress(UnavailableError), self._store.begin() as tx:
                tx.processes.remove(self._process.id)
        self._routes.clear()
        self._confirmed_until = 0.0

    def _open(self, index: IndexName) -> Route:
        with self._opening:
            if index not in self._pointers:
                self._join(index)
            while True:
                pointer = self._pointers[index]
                route = self._routes.get(index)
                if route is not None:
                    return route
                route = self._route(pointer)
                # Over a bridge no model answers the release's own probes.
                if self._models is not None and route.space.bridge is None:
                    self._models.serve(index, route.space)
                with self._publishing:
                    if self._pointers[index].epoch == pointer.epoch:
                        self._routes[index] = route
                        return route

    def _withdraw(self, index: IndexName) -> None:
        """Let the next query open the route anew, and be refused where it must not answer."""
        with self._publishing:
            self._routes.pop(index, None)

    def _route(self, pointer: Pointer) -> Route:
        if pointer.active is None:
            raise RefusedMoveError(
                index=pointer.index,
                why="nothing was promoted, so nobody answers",
                hint=f"bring a release into step and: repoint promote {pointer.index} RELEASE",
            )
        with self._store.read() as view:
            release = view.releases.get(pointer.index, pointer.active)
        route = Route(
            index=pointer.index,
            release=pointer.active,
            epoch=pointer.epoch,
            space=self._spaces.open(release),
        )
        if pointer.canary is None:
            return route
        arms = Arms(self._store, self._spaces, active=route, canary=pointer.canary)
        return replace(route, arms=arms)

    def _join(self, index: IndexName) -> None:
        """Start serving an index: registered and leased before the first answer."""
        while True:
            with self._store.read() as view:
                pointer = view.pointers.pointer(index)
                self._shadows[index] = view.shadows.get(index)
            # Registered at the epoch just read: if a move comes between, this process counts
            # as late for it until it has taken note of the move.
            self._register({**self.serves(), index: pointer.epoch})
            with self._publishing:
                self._pointers[index] = pointer
            # The watcher may have heard of a move before it knew that this index is served.
            with self._store.read() as view:
                if view.pointers.pointer(index).epoch == pointer.epoch:
                    return

    def _register(self, serves: Mapping[IndexName, Epoch]) -> None:
        started = self._clock.monotonic()
        until = self._clock.now() + self._lease
        with self._store.begin() as tx:
            tx.processes.register(replace(self._process, lease_until=until, serves=serves))
            current = _are_current(tx, serves)
        if current:
            self._confirmed_until = started + self._lease.total_seconds()
        if self._watcher is None:
            self._watcher = threading.Thread(
                target=self._watch, name="repoint-routes", daemon=True
            )
            self._watcher.start()

    def _watch(self) -> None:
        beat = self._lease.total_seconds() / 4
        feed = self._store.watch()
        try:
            next_beat = self._clock.monotonic() + beat
            while not self._stop.is_set():
                try:
                    wait = min(_LOOK_S, max(0.0, next_beat - self._clock.monotonic()))
                    moved = feed.changed(timeout=wait) and self._follow()
                    if moved or self._clock.monotonic() >= next_beat:
                        self._confirm()
                        next_beat = self._clock.monotonic() + beat
                except UnavailableError:
                    # Nothing to tell anyone yet: once the lease runs out, ``resolve`` says it.
                    self._stop.wait(min(0.2, beat))
        finally:
            feed.close()

    def _follow(self) -> bool:
        """Take note of moves; return whether any served index moved."""
        moved = False
        with self._store.read() as view:
            for index, known in list(self._pointers.items()):
                self._shadows[index] = view.shadows.get(index)
                pointer = view.pointers.pointer(index)
                if pointer.epoch == known.epoch:
                    continue
                with self._publishing:  # before the acknowledgement, never after
                    self._pointers[index] = pointer
                    self._routes.pop(index, None)
                moved = True
        if moved:
            before = self._warmer
            self._warmer = threading.Thread(
                target=self._warm, args=(before,), name="repoint-warm", daemon=True
            )
            self._warmer.start()
        return moved

    def _warm(self, before: threading.Thread | None) -> None:
        """Open the new routes now rather than at the next query, which reports any error.

        Ends after what an earlier move started, so that whoever closes waits for the last.
        """
        for index in list(self._pointers):
            if not self._stop.is_set():
                with contextlib.suppress(Exception):
                    route = self._open(index)
                    if route.arms is not None:
                        route.arms.warm()
        if before is not None:
            before.join()

    def _confirm(self) -> None:
        started = self._clock.monotonic()
        serves = self.serves()
        until = self._clock.now() + self._lease
        with self._store.begin() as tx:
            known = tx.processes.confirm(self._process.id, until=until, serves=serves)
            if not known:  # swept as dead, for instance after the machine slept
                tx.processes.register(replace(self._process, lease_until=until, serves=serves))
            current = _are_current(tx, serves)
            erased = tx.erasures.count()
        if current:
            self._confirmed_until = started + self._lease.total_seconds()
        if erased != self._erased:  # by whichever process: nothing of it stays in this one
            self._spaces.forget_queries()
            self._erased = erased


def _are_current(tx: Transaction, serves: Mapping[IndexName, Epoch]) -> bool:
    """Return whether every epoch served is the pointer's: only then is a lease confirmed."""
    return all(tx.pointers.pointer(index).epoch == epoch for index, epoch in serves.items())
