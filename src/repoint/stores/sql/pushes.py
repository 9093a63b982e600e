"""Pushes that carried a key, and their answers."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from repoint.domain.errors import AlreadyExistsError
from repoint.domain.ids import Actor, IndexName, Lsn
from repoint.domain.push import Push
from repoint.stores.sql.feeding_tables import pushes
from repoint.stores.sql.indexes import require_index


class SqlPushes:
    """``ports.store.Pushes`` on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def find(self, index: IndexName, actor: Actor, key: str) -> Push | None:
        """Return the push that this actor sent under this key, None when there is none."""
        row = self._connection.execute(
            sa.select(pushes).where(
                pushes.c.index_name == index, pushes.c.actor == actor, pushes.c.key == key
            )
        ).first()
        if row is None:
            return None
        return Push(
            index=index,
            actor=actor,
            key=key,
            digest=row.digest,
            at=row.at,
            head=Lsn(row.head),
            written=row.written,
            unchanged=row.unchanged,
        )

    def add(self, push: Push) -> None:
        """Record a push, in the transaction that takes it."""
        require_index(self._connection, push.index)
        if self.find(push.index, push.actor, push.key) is not None:
            raise AlreadyExistsError(what="push", name=push.key)
        self._connection.execute(
            sa.insert(pushes).values(
                index_name=push.index,
                actor=push.actor,
                key=push.key,
                digest=push.digest,
                at=push.at,
                head=push.head,
                written=push.written,
                unchanged=push.unchanged,
            )
        )

    def forget(self, index: IndexName, *, before: datetime) -> int:
        """Forget pushes that are older; return how many those were."""
        done = self._connection.execute(
            sa.delete(pushes).where(pushes.c.index_name == index, pushes.c.at < before)
        )
        return done.rowcount
