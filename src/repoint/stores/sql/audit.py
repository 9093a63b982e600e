"""The chain of records: each carries the hash of the one before (INV-7)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa

from repoint.domain.audit import GENESIS, AuditRecord, Outcome, chained
from repoint.domain.document import Json
from repoint.domain.ids import Actor
from repoint.stores.sql import codec
from repoint.stores.sql.tables import audit


class SqlAudit:
    """``ports.store.Audit`` on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def append(  # noqa: PLR0913 - a record has as many fields
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
        last = self._connection.execute(
            sa.select(audit.c.sequence, audit.c.digest)
            .order_by(audit.c.sequence.desc())
            .limit(1)
        ).one_or_none()
        # The digest is taken of what a reader will get back: tuples have become lists.
        text = codec.encode(details or {})
        record = chained(
            sequence=last.sequence + 1 if last else 1,
            at=at,
            actor=actor,
            action=action,
            index=index,
            outcome=outcome,
            reason=reason,
            details=codec.decode(text),
            previous=last.digest if last else GENESIS,
        )
        self._connection.execute(
            sa.insert(audit).values(
                sequence=record.sequence,
                at=at,
                actor=actor,
                action=action,
                index_name=index,
                outcome=outcome.value,
                reason=reason,
                details=text,
                previous=record.previous,
                digest=record.digest,
            )
        )
        return record

    def records(
        self, *, after: int = 0, limit: int | None = None, index: str | None = None
    ) -> list[AuditRecord]:
        """Return records in order."""
        wanted = sa.select(audit).where(audit.c.sequence > after).order_by(audit.c.sequence)
        if index is not None:
            wanted = wanted.where(audit.c.index_name == index)
        return [
            AuditRecord(
                sequence=row.sequence,
                at=row.at,
                actor=Actor(row.actor),
                action=row.action,
                index=row.index_name,
                outcome=Outcome(row.outcome),
                reason=row.reason,
                details=codec.decode(row.details),
                previous=row.previous,
                digest=row.digest,
            )
            for row in self._connection.execute(wanted.limit(limit))
        ]
