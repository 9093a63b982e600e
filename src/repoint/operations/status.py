"""Status: who answers, how far every live release is behind, what is under way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from repoint.domain.access import Action
from repoint.domain.alarm import Alarm
from repoint.domain.canary import Canary
from repoint.domain.catchup import Backlog
from repoint.domain.ids import Epoch, IndexName, Lsn, ReleaseName
from repoint.domain.operation import Freeze, Hold, Operation, Process, Rollout
from repoint.domain.pointer import MoveKind
from repoint.domain.release import ReleaseState
from repoint.operations.acknowledge import is_alive
from repoint.operations.session import Session, authorise
from repoint.ports.store import Transaction

if TYPE_CHECKING:  # seven milliseconds that a rollback need not pay
    from repoint.domain.diagnosis import Diagnosis


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
    #: Who answers which share of the keys in place of the active release.
    canary: Canary | None
    head: Lsn
    freeze: Freeze | None
    rollout: Rollout | None
    operation: Operation | None
    releases: tuple[ReleaseStatus, ...]
    processes: tuple[Process, ...]
    holds: tuple[Hold, ...]
    #: What the pointer was rolled back from, if nothing moved since.
    failed: ReleaseName | None
    #: What was found to be wrong with it since then, if anybody looked.
    diagnosis: Diagnosis | None
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
        failed, diagnosis = _failed(view, index)
        processes = [p for p in view.processes.all() if index in p.serves]
        return IndexStatus(
            index=index,
            epoch=pointer.epoch,
            active=pointer.active,
            fallback=pointer.fallback,
            candidate=candidate,
            canary=pointer.canary,
            head=head,
            freeze=view.indexes.frozen(index),
            rollout=rollout,
            operation=view.operations.unfinished(index),
            releases=tuple(live),
            processes=tuple(p for p in processes if is_alive(p, session)),
            holds=tuple(view.access.holds(index)),
            failed=failed,
            diagnosis=diagnosis,
            alarms=tuple(
                alarm
                for alarm in view.alarms.all(index, now=session.clock.now())
                if any(one.name == alarm.release for one in live)
            ),
        )


def _failed(view: Transaction, index: IndexName) -> tuple[ReleaseName | None, Diagnosis | None]:
    for move in view.pointers.moves(index, limit=1):
        failed = move.before.active
        if move.kind is MoveKind.ROLLBACK and failed is not None:
            found = view.diagnoses.newest(index, failed)
            since = found if found is not None and found.at >= move.at else None
            return failed, since
    return None, None
