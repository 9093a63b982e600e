"""The pointer and its history, recorded intents, and who is alive."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from repoint.domain.document import Json
from repoint.domain.ids import Epoch, IndexName, ProcessId, ReleaseName
from repoint.domain.operation import Operation, Process, Rollout, Step
from repoint.domain.pointer import Move, Pointer
from repoint.domain.rollout import Event


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
