"""The logical names that applications use."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from repoint.domain.errors import AlreadyExistsError, NotFoundError
from repoint.domain.ids import Actor, IndexName
from repoint.domain.operation import Freeze
from repoint.stores.sql.tables import indexes


def require_index(connection: sa.Connection, name: str) -> None:
    """Return if there is such an index.

    Raises:
        NotFoundError: there is none; the error lists those there are.
    """
    if connection.scalar(sa.select(indexes.c.name).where(indexes.c.name == name)) is None:
        known = connection.scalars(sa.select(indexes.c.name).order_by(indexes.c.name))
        raise NotFoundError(what="index", name=name, known=list(known))


class SqlIndexes:
    """``ports.store.Indexes`` on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def create(self, name: IndexName, *, at: datetime) -> None:
        """Make an empty index with an unset pointer."""
        taken = sa.select(indexes.c.name).where(indexes.c.name == name)
        if self._connection.scalar(taken) is not None:
            raise AlreadyExistsError(what="index", name=name)
        self._connection.execute(sa.insert(indexes).values(name=name, head=0, created_at=at))

    def names(self) -> list[IndexName]:
        """Return all names, sorted."""
        found = self._connection.scalars(sa.select(indexes.c.name).order_by(indexes.c.name))
        return [IndexName(name) for name in found]

    def require(self, name: IndexName) -> None:
        """Return if there is such an index."""
        require_index(self._connection, name)

    def frozen(self, name: IndexName) -> Freeze | None:
        """Return why nothing moves forward, None when it may."""
        row = self._connection.execute(
            sa.select(indexes.c.frozen_by, indexes.c.frozen_reason, indexes.c.frozen_at).where(
                indexes.c.name == name
            )
        ).one_or_none()
        if row is None:
            require_index(self._connection, name)
        if row is None or row.frozen_at is None:
            return None
        return Freeze(actor=Actor(row.frozen_by), reason=row.frozen_reason, at=row.frozen_at)

    def freeze(self, name: IndexName, freeze: Freeze | None) -> None:
        """Freeze, replacing an earlier freeze, or with None unfreeze."""
        require_index(self._connection, name)
        self._connection.execute(
            sa.update(indexes)
            .where(indexes.c.name == name)
            .values(
                frozen_by=freeze.actor if freeze else None,
                frozen_reason=freeze.reason if freeze else None,
                frozen_at=freeze.at if freeze else None,
            )
        )
