"""Status: who answers, how far every live release is behind, what is under way."""

from __future__ import annotations

from dataclasses import dataclass

from repoint.domain.access import Action
from repoint.domain.alarm import Alarm
from repoint.domain.catchup import Backlog
from repoint.domain.ids import Epoch, IndexName, Lsn, ReleaseName
from repoint.domain.operation import Freeze, Hold, Operation, Process, Rollout
from repoint.domain.release import ReleaseState
from repoint.operations.acknowledge import is_alive
from repoint.operations.session import Session, authorise


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseStatus:
    """One live release and how far it is behind the log."""

    name: ReleaseName
    #: ``active``, ``fallback``, ``candidate`` or ``standby``.
    role: str
    state: ReleaseState
    watermark: Lsn
    head: Lsn
    backlog: Backlog
    paused: bool
    dead_letters: int

    @property
    def lag(self) -> int:
        """How far the watermark is below the head."""
        return self.head - self.watermark


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexStatus:
    """An index at one moment."""

    index: IndexName
    epoch: Epoch
    active: ReleaseName | None
    fallback: ReleaseName | None
    candidate: ReleaseName | None
    head: Lsn
    freeze: Freeze | None
    rollout: Rollout | None
    operation: Operation | None
    releases: tuple[ReleaseStatus, ...]
    processes: tuple[Process, ...]
    holds: tuple[Hold, ...]
    #: What is wrong with live releases, as it was noticed between commands.
    alarms: tuple[Alarm, ...] = ()


def status(session: Session, index: IndexName) -> IndexStatus:
    """Return an index as it stands, from one view of the store."""
    authorise(session, Action.READ, index)
    with session.store.read() as view:
        pointer = view.pointers.pointer(index)
        rollout = view.pointers.rollout(index)
        head = view.log.head(index)
        candidate = rollout.release if rollout and rollout.release != pointer.active else None
        roles = {candidate: "candidate", pointer.fallback: "fallback", pointer.active: "active"}
        live: list[ReleaseStatus] = []
        for release in view.releases.all(index):
            if release.state is not ReleaseState.LIVE:
                continue
            watermark = view.catchup.watermark(index, release.name)
            live.append(
                ReleaseStatus(
                    name=release.name,
                    role=roles.get(release.name, "standby"),
                    state=release.state,
                    watermark=watermark,
                    head=head,
                    backlog=view.log.backlog(index, above=watermark, upto=head),
                    paused=release.paused,
                    dead_letters=len(view.dead_letters.all(index, release.name)),
                )
            )
        processes = [p for p in view.processes.all() if index in p.serves]
        return IndexStatus(
            index=index,
            epoch=pointer.epoch,
            active=pointer.active,
            fallback=pointer.fallback,
            candidate=candidate,
            head=head,
            freeze=view.indexes.frozen(index),
            rollout=rollout,
            operation=view.operations.unfinished(index),
            releases=tuple(live),
            processes=tuple(p for p in processes if is_alive(p, session)),
            holds=tuple(view.access.holds(index)),
            alarms=tuple(
                alarm
                for alarm in view.alarms.all(index, now=session.clock.now())
                if any(one.name == alarm.release for one in live)
            ),
        )
