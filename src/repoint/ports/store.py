"""The control store: one transactional home for the log, the pointer and all records.

A ``Store`` opens transactions; a transaction offers the areas below. Everything done in one
``begin()`` is committed together when the block ends and undone together when it raises
[atomic]. ``repoint.testing.StoreSuite`` checks each promise by the name in brackets.
Whatever an area refuses, it refuses before anything of the call is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from repoint.domain.access import Role
from repoint.domain.audit import AuditRecord, Outcome
from repoint.domain.catchup import Backlog, DeadLetter, Lease, Window
from repoint.domain.document import Document, FieldType, Json, LogRow
from repoint.domain.ids import Actor, DocumentId, Epoch, IndexName, Lsn, ProcessId, ReleaseName
from repoint.domain.operation import (
    Baseline,
    Freeze,
    Hold,
    Operation,
    Process,
    Rollout,
    Step,
)
from repoint.domain.pointer import Move, Pointer
from repoint.domain.release import ProbeSet, Release, ReleaseState
from repoint.domain.rollout import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """What a write to the log did."""

    #: The log's head afterwards: wait for a watermark at or above it.
    head: Lsn
    written: int
    #: Documents whose content was already the newest, and tombstones of what was absent.
    unchanged: int


class DocumentLog(Protocol):
    """The ordered record of the corpus: one row a document, newest content or tombstone."""

    def append(
        self, index: IndexName, changes: Sequence[Document | DocumentId], *, at: datetime
    ) -> Appended:
        """Record documents, or ids to delete, in order [commit-order-is-lsn-order].

        LSNs are taken under the index's row lock, so a reader never sees a gap that is
        filled later [no-gaps]. Content equal to the newest takes no LSN [unchanged].
        One id may occur several times; the last one stands.

        Raises:
            NotFoundError: no such index.
            BadInputError: a metadata field has another type than the index has seen for it.
        """
        ...

    def head(self, index: IndexName) -> Lsn:
        """Return the newest LSN taken; 0 for an empty log."""
        ...

    def rows(
        self, index: IndexName, *, above: Lsn, upto: Lsn, limit: int | None = None
    ) -> list[LogRow]:
        """Return rows with ``above < lsn <= upto`` in LSN order."""
        ...

    def bounds(self, index: IndexName, *, above: Lsn, upto: Lsn, every: int) -> list[Lsn]:
        """Return the LSN of every ``every``-th row in the stretch, the last row included."""
        ...

    def backlog(self, index: IndexName, *, above: Lsn, upto: Lsn) -> Backlog:
        """Return how much there is to apply in the stretch."""
        ...

    def get(self, index: IndexName, ids: Sequence[DocumentId]) -> dict[DocumentId, LogRow]:
        """Return the newest rows of these documents; unknown ones are absent."""
        ...

    def scan(self, index: IndexName, *, after: DocumentId | None, limit: int) -> list[LogRow]:
        """Return the next rows in id order, tombstones included, for a keyset scan."""
        ...

    def fields(self, index: IndexName) -> dict[str, FieldType]:
        """Return the metadata fields seen in this index and their types."""
        ...

    def forget(self, index: IndexName, ids: Sequence[DocumentId]) -> None:
        """Remove rows for good: purge, erasure; the head stays [head-never-falls]."""
        ...

    def tombstones(
        self, index: IndexName, *, upto: Lsn, written_before: datetime, limit: int
    ) -> list[DocumentId]:
        """Return tombstones at or below the LSN whose retention is over."""
        ...


class Indexes(Protocol):
    """The logical names that applications use."""

    def create(self, name: IndexName, *, at: datetime) -> None:
        """Make an empty index with an unset pointer.

        Raises:
            AlreadyExistsError: the name is taken.
        """
        ...

    def names(self) -> list[IndexName]:
        """Return all names, sorted."""
        ...

    def require(self, name: IndexName) -> None:
        """Return if there is such an index.

        Raises:
            NotFoundError: there is none; the error lists those there are.
        """
        ...

    def frozen(self, name: IndexName) -> Freeze | None:
        """Return why nothing moves forward, None when it may."""
        ...

    def freeze(self, name: IndexName, freeze: Freeze | None) -> None:
        """Freeze, replacing an earlier freeze, or with None unfreeze."""
        ...


class Releases(Protocol):
    """Releases and what was measured of them."""

    def add(self, release: Release) -> None:
        """Store a new release; its spec can never be changed [spec-is-immutable].

        Raises:
            AlreadyExistsError: the name is taken in this index.
        """
        ...

    def get(self, index: IndexName, name: ReleaseName) -> Release:
        """Return one release.

        Raises:
            NotFoundError: there is none; the error lists those there are.
        """
        ...

    def all(self, index: IndexName) -> list[Release]:
        """Return all releases of an index, oldest first."""
        ...

    def set_state(self, index: IndexName, name: ReleaseName, state: ReleaseState) -> None:
        """Change how far a release is in its life."""
        ...

    def set_pace(
        self, index: IndexName, name: ReleaseName, *, paused: bool, throttle: float | None
    ) -> None:
        """Pause or resume a release's sync, or limit its rows a second."""
        ...

    def put_probes(self, index: IndexName, name: ReleaseName, probes: ProbeSet) -> None:
        """Store the sentinels measured when the release was made."""
        ...

    def probes(self, index: IndexName, name: ReleaseName) -> ProbeSet | None:
        """Return the sentinels, None before they were measured."""
        ...

    def put_baseline(self, baseline: Baseline) -> None:
        """Store what a release answers while it is known to be good; the newest stands."""
        ...

    def baseline(self, index: IndexName, name: ReleaseName) -> Baseline | None:
        """Return the newest baseline."""
        ...


class Catchup(Protocol):
    """Watermarks, windows, leases and slots: the memory of sync."""

    def watermark(self, index: IndexName, release: ReleaseName) -> Lsn:
        """Return the LSN up to which the collection equals the log; 0 at first."""
        ...

    def restart(self, index: IndexName, release: ReleaseName) -> None:
        """Begin again from 0 for a collection that was lost and made anew.

        The only way that a watermark falls; refused while the release is active, fallback,
        or anything holds a lease of it. Slots are kept.
        """
        ...

    def window(self, index: IndexName, release: ReleaseName) -> Window | None:
        """Return the open window, None when there is none."""
        ...

    def open_window(
        self, index: IndexName, release: ReleaseName, *, bounds: Sequence[Lsn], high: Lsn
    ) -> Window:
        """Open the next window from the watermark to ``high``, one range up to each bound.

        The last bound may lie below ``high``: the rows between were superseded. With no
        bounds the watermark moves to ``high`` at once. An open window is returned as it is.

        Raises:
            ConflictError: ``high`` lies above the head or below the watermark (INV-3).
        """
        ...

    def lease(
        self,
        index: IndexName,
        release: ReleaseName,
        *,
        owner: ProcessId,
        now: datetime,
        until: datetime,
    ) -> Lease | None:
        """Take a range that nobody holds, or whose lease ran out [one-holder]; else None."""
        ...

    def renew(self, lease: Lease, *, until: datetime) -> Lease:
        """Keep a range longer.

        Raises:
            LostLeaseError: someone took it, or its window is closed [fenced].
        """
        ...

    def give_back(self, lease: Lease) -> None:
        """Let a range be taken by another at once; a lost lease is no error."""
        ...

    def free(self, owner: ProcessId) -> int:
        """Give back all that a process holds, which is dead; return how many ranges [freed]."""
        ...

    def complete(self, lease: Lease) -> Lsn | None:
        """Mark a range done; when it is the window's last, move the watermark and return it.

        Raises:
            LostLeaseError: as ``renew``; nothing was marked.
        """
        ...

    def slots(
        self, index: IndexName, release: ReleaseName, ids: Sequence[DocumentId]
    ) -> dict[DocumentId, int]:
        """Return how many slots any version ever took; absent means at most one."""
        ...

    def declare_slots(self, lease: Lease, slots: Mapping[DocumentId, int]) -> None:
        """Record, before writing, that documents take this many slots; numbers only rise.

        Raises:
            LostLeaseError: as ``renew``; nothing was recorded, and the caller must not write.
        """
        ...


class DeadLetters(Protocol):
    """Document versions that a release could not take."""

    def put(self, letters: Iterable[DeadLetter]) -> None:
        """Record them; a newer LSN or another attempt replaces the record of a document."""
        ...

    def all(self, index: IndexName, release: ReleaseName) -> list[DeadLetter]:
        """Return them in LSN order."""
        ...

    def clear(
        self, index: IndexName, release: ReleaseName, ids: Sequence[DocumentId], *, upto: Lsn
    ) -> None:
        """Forget the letters of these documents at or below the LSN."""
        ...


class Pointers(Protocol):
    """The pointer, its append-only history, rollouts and operations."""

    def pointer(self, index: IndexName) -> Pointer:
        """Return who answers now.

        Raises:
            NotFoundError: no such index.
        """
        ...

    def move(self, move: Move) -> None:
        """Append the move: one compare-and-set on its ``before.epoch`` [epoch-fenced].

        Raises:
            StaleEpochError: the pointer has moved; nothing was written (INV-4).
        """
        ...

    def moves(self, index: IndexName, *, limit: int | None = None) -> list[Move]:
        """Return the moves, newest first."""
        ...

    def open_rollout(self, index: IndexName, release: ReleaseName, *, at: datetime) -> Rollout:
        """Open a rollout at PREPARING.

        Raises:
            ConflictError: the index has an open rollout [one-open-rollout].
        """
        ...

    def rollout(self, index: IndexName) -> Rollout | None:
        """Return the open rollout."""
        ...

    def advance(self, rollout: Rollout, event: Event, *, at: datetime) -> Rollout:
        """Apply an event to the open rollout.

        Raises:
            TransitionRefusedError: its phase knows no such event.
            ConflictError: it is no longer in the phase given.
        """
        ...


class Operations(Protocol):
    """Recorded intents: what was begun, so that a crash can be finished."""

    def begin(self, operation: Operation) -> None:
        """Record an intent.

        Raises:
            OperationInProgressError: the index has an unfinished one [one-open-operation].
        """
        ...

    def unfinished(self, index: IndexName) -> Operation | None:
        """Return the operation that is neither done nor abandoned."""
        ...

    def adopt(self, operation: Operation, owner: ProcessId) -> Operation:
        """Become the owner of an operation whose owner died.

        Raises:
            ConflictError: it is finished, or another owner has it meanwhile.
        """
        ...

    def reach(
        self, operation: Operation, step: Step, *, notes: Mapping[str, Json] | None = None
    ) -> Operation:
        """Record how far it came, merging the notes.

        Raises:
            ConflictError: another process owns it, or it is already finished.
        """
        ...


class Processes(Protocol):
    """Who is alive and which epoch each serves."""

    def register(self, process: Process) -> None:
        """Add a process; the same id again replaces it."""
        ...

    def confirm(
        self, process: ProcessId, *, until: datetime, serves: Mapping[IndexName, Epoch]
    ) -> bool:
        """Extend the lease and acknowledge epochs; False if it was expired and removed."""
        ...

    def remove(self, process: ProcessId) -> None:
        """Forget a process that ended."""
        ...

    def all(self) -> list[Process]:
        """Return every registered process, whether its lease has run out or not."""
        ...


class Audit(Protocol):
    """The chain of records (INV-7). Nothing in it is ever changed or removed."""

    def append(  # noqa: PLR0913 - one keyword a field of the record
        self,
        *,
        at: datetime,
        actor: Actor,
        action: str,
        index: str = "",
        outcome: Outcome = Outcome.DONE,
        reason: str = "",
        details: Mapping[str, Json] | None = None,
    ) -> AuditRecord:
        """Append a record that carries the hash of the one before."""
        ...

    def records(
        self, *, after: int = 0, limit: int | None = None, index: str | None = None
    ) -> list[AuditRecord]:
        """Return records in order."""
        ...


class Access(Protocol):
    """Roles and holds."""

    def grant(self, actor: Actor, role: Role, index: IndexName | None) -> None:
        """Give a role on one index, or with None on all; twice is no error."""
        ...

    def revoke(self, actor: Actor, role: Role, index: IndexName | None) -> bool:
        """Take a role back; False when it was not held."""
        ...

    def roles(self, actor: Actor, index: IndexName | None) -> frozenset[Role]:
        """Return the roles that count for the index, those on all indexes included."""
        ...

    def grants(self) -> list[tuple[Actor, Role, IndexName | None]]:
        """Return every grant."""
        ...

    def place_hold(self, hold: Hold) -> None:
        """Forbid deleting; one hold a reason and release, placed twice is no error."""
        ...

    def lift_holds(self, index: IndexName, release: ReleaseName) -> int:
        """Lift all holds on a release and return how many there were."""
        ...

    def holds(self, index: IndexName) -> list[Hold]:
        """Return the holds of an index."""
        ...


class Transaction(Protocol):
    """The areas of the store, seen and changed as one."""

    @property
    def log(self) -> DocumentLog:
        """The documents in order."""
        ...

    @property
    def indexes(self) -> Indexes:
        """The logical names."""
        ...

    @property
    def releases(self) -> Releases:
        """Releases and what was measured of them."""
        ...

    @property
    def catchup(self) -> Catchup:
        """Watermarks, windows and leases."""
        ...

    @property
    def dead_letters(self) -> DeadLetters:
        """What releases could not take."""
        ...

    @property
    def pointers(self) -> Pointers:
        """Pointers, moves and rollouts."""
        ...

    @property
    def operations(self) -> Operations:
        """Recorded intents."""
        ...

    @property
    def processes(self) -> Processes:
        """Who is alive and serves what."""
        ...

    @property
    def audit(self) -> Audit:
        """The chain of records."""
        ...

    @property
    def access(self) -> Access:
        """Roles and holds."""
        ...


class ChangeFeed(Protocol):
    """Tells one watcher that something may have changed. For one thread only."""

    def changed(self, *, timeout: float) -> bool:
        """Return True soon after any process commits, False when the seconds passed quietly.

        The first call returns True. Never misses a commit; may report one that changed
        nothing of interest [no-missed-commit].

        Raises:
            StoreUnavailableError: the store did not answer; call again.
        """
        ...

    def close(self) -> None:
        """Release its connection."""
        ...


class Store(Protocol):
    """The control store. Safe to use from many threads and processes [threads]."""

    def begin(self) -> AbstractContextManager[Transaction]:
        """Open a transaction that may write; such transactions run one after another.

        Durable once the block ends without an error [durable].

        Raises:
            StoreUnavailableError: locked for too long, disk full, read-only, unreachable;
                nothing was written.
        """
        ...

    def read(self) -> AbstractContextManager[Transaction]:
        """Open a consistent view; never waits for writers, refuses to write."""
        ...

    def watch(self) -> ChangeFeed:
        """Return a feed of changes for one watcher thread."""
        ...

    def close(self) -> None:
        """Close all connections."""
        ...
