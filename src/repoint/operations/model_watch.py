"""Probing the query models of a serving process: soon after its start, and on a schedule.

A thread of its own asks the probes, so that no answer waits for it. It begins ``DELAY`` after
a route was opened: a process that asks one question and ends pays nothing, and leaves the
watching to those that stay. What it finds is recorded as an alarm, which ends when the same
machine finds the model as it was. A provider that does not answer is no drift.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from repoint.domain.alarm import Alarm
from repoint.domain.errors import ModelChangedError, RepointError, UnavailableError
from repoint.domain.ids import Actor, IndexName, ReleaseName
from repoint.domain.readiness import Finding, Status
from repoint.operations import probing
from repoint.operations.spaces import Space
from repoint.ports.clock import Clock
from repoint.ports.store import Store

#: From a route's opening to its model's first probing.
DELAY: Final = timedelta(seconds=1)
#: The audit's word for an alarm that began or ended.
PROBE: Final = "probe"
#: Longest wait for a probing under way when the process ends.
_PATIENCE_S: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeSettings:
    """When a process probes its query models, and what follows from a drift."""

    #: Zero: never.
    every: timedelta = timedelta(minutes=10)
    #: Whether an index whose model drifted stops answering here, or answers on.
    stops: bool = False
    delay: timedelta = DELAY


class ModelWatch:
    """Watches the models that one process answers with. Safe to use from many threads."""

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        host: str,
        actor: Actor,
        settings: ProbeSettings | None = None,
    ) -> None:
        self._store, self._clock = store, clock
        self._host, self._actor = host, actor
        self._settings = settings or ProbeSettings()
        self._lock = threading.Lock()
        self._serving: dict[IndexName, Space] = {}
        #: When each release's model was last asked, by the monotonic clock.
        self._asked: dict[tuple[IndexName, ReleaseName], float] = {}
        self._changed: dict[tuple[IndexName, ReleaseName], ModelChangedError] = {}
        self._withdraw: Callable[[IndexName], None] = lambda _: None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def withdrawing(self, withdraw: Callable[[IndexName], None]) -> None:
        """Say how an index is kept from answering; called when its model was found changed."""
        self._withdraw = withdraw

    def serve(self, index: IndexName, space: Space) -> None:
        """Watch the model of whoever answers an index from now on.

        Raises:
            ModelChangedError: it was found changed here, and changed models do not answer.
        """
        if self._settings.every <= timedelta(0):
            return
        with self._lock:
            self._serving[index] = space
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="repoint-probes", daemon=True
                )
                self._thread.start()
        if self._settings.stops:
            self._refuse_changed(index, space.release.name)

    def look(self) -> list[Finding]:
        """Probe every model that is due now, and record what was found."""
        now, every = self._clock.monotonic(), self._settings.every.total_seconds()
        with self._lock:
            due = [
                (index, space)
                for index, space in self._serving.items()
                if now - self._asked.get((index, space.release.name), now - every) >= every
            ]
        found: list[Finding] = []
        for index, space in due:
            if self._stop.is_set():
                break
            finding = self._probe(index, space)
            self._asked[index, space.release.name] = now
            if finding is not None:
                found.append(finding)
        return found

    def close(self) -> None:
        """End the watch; a probing under way is waited for, but not for long."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=_PATIENCE_S)

    def _run(self) -> None:
        wait = self._settings.delay.total_seconds()
        while not self._stop.wait(wait):
            try:
                self.look()
            except RepointError:
                # The store or a model is out of reach, which others tell; it is asked again.
                continue

    def _refuse_changed(self, index: IndexName, release: ReleaseName) -> None:
        known = self._changed.get((index, release))
        if known is None and (index, release) not in self._asked:
            # What an earlier process of this machine found stands until it is asked again.
            with self._store.read() as view:
                told = [
                    alarm.summary
                    for alarm in view.alarms.all(index, now=self._clock.now())
                    if self._is_mine(alarm, release)
                ]
            if told:
                known = ModelChangedError(index=index, release=release, why=told[0])
        if known is not None:
            raise known

    def _is_mine(self, alarm: Alarm, release: ReleaseName) -> bool:
        mine = (release, probing.CHECK, self._host)
        return (alarm.release, alarm.check, alarm.host) == mine

    def _probe(self, index: IndexName, space: Space) -> Finding | None:
        release = space.release.name
        with self._store.read() as view:
            probes = view.releases.probes(index, release)
        if probes is None:
            return None
        try:
            finding = probing.judged(probing.distances(space.embedding, probes), probes)
        except UnavailableError:
            return None
        except RepointError as error:
            finding = probing.unanswered(error)
        if finding.status is Status.OK:
            self._settle(index, release)
        else:
            self._sound(index, release, finding)
        return finding

    def _sound(self, index: IndexName, release: ReleaseName, finding: Finding) -> None:
        if self._settings.stops:
            self._changed[index, release] = ModelChangedError(
                index=index, release=release, why=finding.summary
            )
            self._withdraw(index)
        now = self._clock.now()
        alarm = Alarm(
            index=index,
            release=release,
            check=finding.check,
            host=self._host,
            since=now,
            at=now,
            summary=finding.summary,
            figures=finding.figures,
        )
        with self._store.begin() as tx:
            if tx.alarms.sound(alarm):
                tx.audit.append(
                    at=now,
                    actor=self._actor,
                    action=PROBE,
                    index=index,
                    details={
                        "release": release,
                        "host": self._host,
                        "alarm": "begun",
                        **finding.figures,
                    },
                )

    def _settle(self, index: IndexName, release: ReleaseName) -> None:
        self._changed.pop((index, release), None)
        with self._store.read() as view:
            alarms = view.alarms.all(index, now=self._clock.now())
        if not any(self._is_mine(one, release) for one in alarms):
            return
        with self._store.begin() as tx:
            if tx.alarms.end(index, release, check=probing.CHECK, host=self._host):
                tx.audit.append(
                    at=self._clock.now(),
                    actor=self._actor,
                    action=PROBE,
                    index=index,
                    details={"release": release, "host": self._host, "alarm": "ended"},
                )
