"""Remote processes that confirm through this one which epoch they serve.

They are in the registry as every serving process is, each with its own lease, so a move
waits for them or names them. Confirmations that arrive while one transaction is being
committed go into the next one together: thousands of watchers cost a few commits a second.
"""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from repoint.domain.errors import RepointError, TooManyWaitingError
from repoint.domain.ids import Actor, Epoch, IndexName, ProcessId
from repoint.domain.operation import Process
from repoint.operations.session import Session

#: In place of a process number: a remote process has none that means anything here.
_NO_PID: Final = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Watcher:
    """A remote process, as it names itself, following one index."""

    #: Whose key it uses: nobody confirms for the watchers of another.
    actor: Actor
    name: str
    index: IndexName
    #: Where it asks from.
    address: str

    @property
    def id(self) -> ProcessId:
        """Its name in the registry."""
        return ProcessId(f"http:{self.actor}:{self.index}:{self.name}")


#: A row to write, or with None one to remove, and who waits for it.
_Job = tuple[ProcessId, Process | None, "Future[None]"]


class Watchers:
    """Writes confirmations into the registry. Safe to use from many threads."""

    def __init__(self, session: Session, *, most: int) -> None:
        """Write nothing yet; at most so many watchers may hold a lease at a time."""
        self._session = session
        self._most = most
        self._counting = threading.Lock()
        #: When the lease of each watcher ends.
        self._leases: dict[ProcessId, float] = {}
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="repoint-watchers", daemon=True)
        self._thread.start()

    def confirm(self, watcher: Watcher, epoch: Epoch, *, lease: timedelta) -> Future[None]:
        """Say that a watcher serves an epoch until its lease ends; done once durable.

        Raises:
            TooManyWaitingError: it is new, and as many as may hold leases already.
        """
        self._count(watcher.id, lease)
        now = self._session.clock.now()
        row = Process(
            id=watcher.id,
            # No machine is called that, so no process of this one is mistaken for it.
            host=f"http/{watcher.address}",
            pid=_NO_PID,
            started_at=now,
            program=f"watcher {watcher.name}",
            lease_until=now + lease,
            serves={watcher.index: epoch},
        )
        return self._put(watcher.id, row)

    def leave(self, watcher: Watcher) -> Future[None]:
        """Say that a watcher has ended, so that no move waits for it."""
        with self._counting:
            self._leases.pop(watcher.id, None)
        return self._put(watcher.id, None)

    def close(self) -> None:
        """Write what was given so far, and end.

        Watchers stay registered until their leases end: they go on serving meanwhile.
        """
        self._jobs.put(None)
        self._thread.join()

    def _count(self, process: ProcessId, lease: timedelta) -> None:
        now = self._session.clock.monotonic()
        with self._counting:
            if process not in self._leases and len(self._leases) >= self._most:
                self._leases = {one: end for one, end in self._leases.items() if end > now}
                if len(self._leases) >= self._most:
                    raise TooManyWaitingError(most=self._most)
            self._leases[process] = now + lease.total_seconds()

    def _put(self, process: ProcessId, row: Process | None) -> Future[None]:
        done: Future[None] = Future()
        self._jobs.put((process, row, done))
        return done

    def _run(self) -> None:
        ended = False
        while not ended:
            jobs: list[_Job] = []
            job = self._jobs.get()
            while job is not None:
                jobs.append(job)
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
            ended = job is None
            self._write(jobs)

    def _write(self, jobs: list[_Job]) -> None:
        # One whose client went away meanwhile is written all the same: it may be serving.
        waiting = [done for _, _, done in jobs if done.set_running_or_notify_cancel()]
        if not jobs:
            return
        try:
            with self._session.store.begin() as tx:
                for process, row, _ in jobs:
                    if row is None:
                        tx.processes.remove(process)
                    else:
                        tx.processes.register(row)
        except RepointError as error:
            for done in waiting:
                done.set_exception(error)
        else:
            for done in waiting:
                done.set_result(None)
