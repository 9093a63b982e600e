"""Recorded intents: what was begun, so that a crash can be finished."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from repoint.domain.document import Json
from repoint.domain.errors import AlreadyExistsError, ConflictError, OperationInProgressError
from repoint.domain.ids import Actor, Epoch, IndexName, ProcessId, ReleaseName
from repoint.domain.operation import Operation, OperationKind, Step
from repoint.stores.sql import codec
from repoint.stores.sql.indexes import require_index
from repoint.stores.sql.tables import operations

_OPEN = (Step.INTENDED.value, Step.MOVED.value)


class SqlOperations:
    """``ports.store.Operations`` on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def begin(self, operation: Operation) -> None:
        """Record an intent."""
        require_index(self._connection, operation.index)
        if (found := self.unfinished(operation.index)) is not None:
            raise OperationInProgressError(
                index=found.index,
                kind=found.kind,
                actor=found.actor,
                since=found.started_at.isoformat(timespec="seconds"),
            )
        if self._find(operation.id) is not None:
            raise AlreadyExistsError(what="operation", name=operation.id)
        self._connection.execute(
            sa.insert(operations).values(
                id=operation.id,
                index_name=operation.index,
                kind=operation.kind.value,
                release=operation.release,
                actor=operation.actor,
                reason=operation.reason,
                owner=operation.owner,
                step=operation.step.value,
                epoch=operation.epoch,
                started_at=operation.started_at,
                notes=codec.encode(operation.notes),
            )
        )

    def unfinished(self, index: IndexName) -> Operation | None:
        """Return the operation that is neither done nor abandoned."""
        row = self._connection.execute(
            sa.select(operations).where(
                operations.c.index_name == index, operations.c.step.in_(_OPEN)
            )
        ).one_or_none()
        return None if row is None else _operation(row)

    def adopt(self, operation: Operation, owner: ProcessId) -> Operation:
        """Become the owner of an operation whose owner died."""
        self._require_owned(operation)
        self._connection.execute(
            sa.update(operations).where(operations.c.id == operation.id).values(owner=owner)
        )
        return self._required(operation.id)

    def reach(
        self, operation: Operation, step: Step, *, notes: Mapping[str, Json] | None = None
    ) -> Operation:
        """Record how far it came, merging the notes."""
        now = self._require_owned(operation)
        if now.step is Step.MOVED and step in {Step.INTENDED, Step.ABANDONED}:
            raise ConflictError(f"{now.kind} of index {now.index!r} has moved already")
        self._connection.execute(
            sa.update(operations)
            .where(operations.c.id == operation.id)
            .values(step=step.value, notes=codec.encode({**now.notes, **(notes or {})}))
        )
        return self._required(operation.id)

    def _require_owned(self, operation: Operation) -> Operation:
        """Return it as it stands now, if it is open and owned as the caller believes."""
        now = self._find(operation.id)
        what = f"{operation.kind} of index {operation.index!r}"
        if now is None:
            raise ConflictError(f"{what} was never begun")
        if now.step.value not in _OPEN:
            raise ConflictError(f"{what} is finished already: {now.step}")
        if now.owner != operation.owner:
            raise ConflictError(
                f"{what} is now in the hands of process {now.owner}",
                hint=f"see: repoint status {operation.index}",
            )
        return now

    def _find(self, operation_id: str) -> Operation | None:
        row = self._connection.execute(
            sa.select(operations).where(operations.c.id == operation_id)
        ).one_or_none()
        return None if row is None else _operation(row)

    def _required(self, operation_id: str) -> Operation:
        row = self._connection.execute(
            sa.select(operations).where(operations.c.id == operation_id)
        ).one()
        return _operation(row)


def _operation(row: sa.Row[tuple[object, ...]]) -> Operation:
    return Operation(
        id=row.id,
        index=IndexName(row.index_name),
        kind=OperationKind(row.kind),
        release=ReleaseName(row.release),
        actor=Actor(row.actor),
        reason=row.reason,
        owner=ProcessId(row.owner),
        step=Step(row.step),
        epoch=Epoch(row.epoch),
        started_at=row.started_at,
        notes=codec.decode(row.notes),
    )
