"""Operations, rollouts, freezes, holds, processes: the control store's small records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from repoint.domain.document import Json
from repoint.domain.ids import Actor, Epoch, IndexName, ProcessId, ReleaseName
from repoint.domain.rollout import Phase


class OperationKind(StrEnum):
    """What may be under way on an index, one at a time."""

    PROMOTE = "promote"
    ROLLBACK = "rollback"
    ACCEPT = "accept"
    DROP = "drop"
    CANARY = "canary"


class Step(StrEnum):
    """How far an operation is known to be.

    An operation that died at INTENDED moved nothing: a rollback is finished, everything
    else is abandoned. One that died at MOVED is finished, whatever it is.
    """

    INTENDED = "intended"
    MOVED = "moved"
    DONE = "done"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """The recorded intent of one move and how far it came."""

    id: str
    index: IndexName
    kind: OperationKind
    #: The release that will be active (promote, rollback) or that is dropped.
    release: ReleaseName
    actor: Actor
    reason: str
    owner: ProcessId
    step: Step
    #: The epoch before the move; the move is compare-and-set on it.
    epoch: Epoch
    started_at: datetime
    #: Options and notes that a successor needs to finish it.
    notes: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One release's way towards the pointer."""

    id: int
    index: IndexName
    release: ReleaseName
    phase: Phase
    opened_at: datetime
    changed_at: datetime
    #: The policy's version that was in force when it was opened; 0 is the built-in one.
    policy: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """Why nothing moves forward."""

    actor: Actor
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A lock that forbids deleting a release's collection, runs and logs."""

    index: IndexName
    release: ReleaseName
    reason: str
    actor: Actor
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process that serves or works, its lease, and the epochs that it acknowledged."""

    id: ProcessId
    host: str
    pid: int
    #: Tells this process from a later one with the same pid.
    started_at: datetime
    #: For people: the program's name.
    program: str
    lease_until: datetime
    #: Index to the epoch that it serves; absent for an index it does not serve.
    serves: Mapping[IndexName, Epoch]


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What a release answered when it was known to be good.

    ``answers`` maps each golden query to the documents found, best first.
    """

    index: IndexName
    release: ReleaseName
    answers: Mapping[str, tuple[str, ...]]
    #: The document that a query was made from, where it was.
    expected: Mapping[str, str]
    latency_p50_ms: float
    latency_p95_ms: float
    at: datetime
