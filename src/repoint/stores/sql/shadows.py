"""Which releases get live queries as well."""

from __future__ import annotations

import sqlalchemy as sa

from repoint.domain.ids import Actor, IndexName, ReleaseName
from repoint.domain.shadow import Shadow
from repoint.stores.sql.releases import require_release
from repoint.stores.sql.traffic_tables import shadows


class SqlShadows:
    """``ports.store.Shadows`` on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def get(self, index: IndexName) -> Shadow | None:
        """Return the index's shadow."""
        row = self._connection.execute(
            sa.select(shadows).where(shadows.c.index_name == index)
        ).one_or_none()
        if row is None:
            return None
        return Shadow(
            index=IndexName(row.index_name),
            release=ReleaseName(row.release),
            share=row.share,
            actor=Actor(row.actor),
            reason=row.reason,
            at=row.at,
        )

    def put(self, shadow: Shadow) -> None:
        """Let it be the index's shadow."""
        require_release(self._connection, shadow.index, shadow.release)
        self.remove(shadow.index)
        self._connection.execute(
            sa.insert(shadows).values(
                index_name=shadow.index,
                release=shadow.release,
                share=shadow.share,
                actor=shadow.actor,
                reason=shadow.reason,
                at=shadow.at,
            )
        )

    def remove(self, index: IndexName) -> None:
        """Let the index have none."""
        self._connection.execute(sa.delete(shadows).where(shadows.c.index_name == index))
