"""Files that hold a route."""

from __future__ import annotations

import sqlalchemy as sa

from repoint.domain.ids import Actor, Epoch, IndexName, ReleaseName
from repoint.domain.rendering import RenderFormat, Rendering
from repoint.stores.sql.dialect import insert
from repoint.stores.sql.feeding_tables import renderings


class SqlRenderings:
    """``ports.store.Renderings`` on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def put(self, rendering: Rendering) -> None:
        """Record what a file holds now; the same host and path again replace it."""
        values = {
            "format": rendering.format.value,
            "release": rendering.release,
            "epoch": rendering.epoch,
            "digest": rendering.digest,
            "actor": rendering.actor,
            "at": rendering.at,
        }
        self._connection.execute(
            insert(self._connection, renderings)
            .values(
                index_name=rendering.index, host=rendering.host, path=rendering.path, **values
            )
            .on_conflict_do_update(index_elements=["index_name", "host", "path"], set_=values)
        )

    def all(self, index: IndexName) -> list[Rendering]:
        """Return the files of an index, by host and path."""
        found = (
            sa.select(renderings)
            .where(renderings.c.index_name == index)
            .order_by(renderings.c.host, renderings.c.path)
        )
        return [
            Rendering(
                index=IndexName(row.index_name),
                host=row.host,
                path=row.path,
                format=RenderFormat(row.format),
                release=ReleaseName(row.release),
                epoch=Epoch(row.epoch),
                digest=row.digest,
                actor=Actor(row.actor),
                at=row.at,
            )
            for row in self._connection.execute(found)
        ]

    def forget(self, index: IndexName, *, host: str, path: str) -> bool:
        """Forget a file; False when there was no record of it."""
        done = self._connection.execute(
            sa.delete(renderings).where(
                renderings.c.index_name == index,
                renderings.c.host == host,
                renderings.c.path == path,
            )
        )
        return done.rowcount == 1
