"""Waiting until every live process serves the new epoch.

A move is complete when each process that serves the index has acknowledged the epoch, or
its lease has run out (it answers no more), or it is known to be dead.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from repoint.domain.document import Json
from repoint.domain.ids import Epoch, IndexName
from repoint.domain.operation import Process
from repoint.domain.readiness import Finding, Status
from repoint.operations.session import Session

_POLL_S: Final = 0.004
#: Stragglers that a sentence names; the rest is counted.
_NAMED: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """Who serves the new epoch, and who has not said so."""

    epoch: Epoch
    #: Processes that serve the index and confirmed the epoch.
    confirmed: tuple[Process, ...]
    #: Live processes that did not confirm in time; each stops answering at its lease's end.
    stragglers: tuple[Process, ...]
    waited_ms: float

    def finding(self) -> Finding:
        """Return it as a finding, with every straggler named."""
        total = len(self.confirmed) + len(self.stragglers)
        figures: dict[str, Json] = {
            "processes": total,
            "confirmed": len(self.confirmed),
            "waited_ms": round(self.waited_ms, 1),
        }
        if not self.stragglers:
            return Finding(
                check="processes",
                status=Status.OK,
                summary=f"{total} of {total} serving processes are on epoch {self.epoch}"
                if total
                else "no process serves this index now; the next one starts on "
                f"epoch {self.epoch}",
                figures=figures,
            )
        names = ", ".join(_name(process) for process in self.stragglers[:_NAMED])
        if len(self.stragglers) > _NAMED:
            names += f" and {len(self.stragglers) - _NAMED} more"
        last = max(process.lease_until for process in self.stragglers)
        return Finding(
            check="processes",
            status=Status.FAILED,
            summary=f"{len(self.stragglers)} of {total} serving processes have not confirmed "
            f"epoch {self.epoch}: {names}; they stop answering by {last:%H:%M:%S} UTC",
            figures=figures,
            remedy="end or restart the processes named",
        )


def wait_for(
    session: Session, index: IndexName, epoch: Epoch, *, timeout: timedelta
) -> Acknowledgement:
    """Return once every live process serves the epoch, or the time is over."""
    clock = session.clock
    started = clock.monotonic()
    while True:
        with session.store.read() as view:
            processes = view.processes.all()
        serving = [p for p in processes if index in p.serves and is_alive(p, session)]
        late = tuple(p for p in serving if p.serves[index] < epoch)
        waited = clock.monotonic() - started
        if not late or waited >= timeout.total_seconds():
            return Acknowledgement(
                epoch=epoch,
                confirmed=tuple(p for p in serving if p.serves[index] >= epoch),
                stragglers=late,
                waited_ms=waited * 1000,
            )
        clock.sleep(_POLL_S)


def is_alive(process: Process, session: Session) -> bool:
    """Return whether a registered process may still answer or work.

    A lease that ran out means no. On this host a process that is gone means no at once, so
    that a move never waits for the lease of one that was killed.
    """
    if process.lease_until <= session.clock.now():
        return False
    if process.host != session.host.name or process.id == session.process.id:
        return True
    return session.host.runs(process.pid, started_at=process.started_at)


def sweep(session: Session) -> int:
    """Forget processes that are dead, and return how many there were.

    What they held of a backfill is free at once: nobody waits for the lease of the dead.
    """
    with session.store.read() as view:
        dead = [
            process
            for process in view.processes.all()
            if process.id != session.process.id and not is_alive(process, session)
        ]
    if dead:
        with session.store.begin() as tx:
            for process in dead:
                tx.catchup.free(process.id)
                tx.processes.remove(process.id)
    return len(dead)


def _name(process: Process) -> str:
    return f"{process.program} {process.host}:{process.pid}"
