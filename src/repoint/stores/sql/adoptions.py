"""The records of adoptions."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from repoint.domain.adoption import Adoption, AdoptionState, layout_of, layout_tree
from repoint.domain.errors import AlreadyExistsError
from repoint.domain.ids import Actor, IndexName, ReleaseName
from repoint.stores.sql import codec
from repoint.stores.sql.adoption_table import adoptions
from repoint.stores.sql.releases import require_release


class SqlAdoptions:
    """``ports.store.Adoptions`` on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def begin(self, adoption: Adoption) -> None:
        """Record that a release's collection is being adopted."""
        require_release(self._connection, adoption.index, adoption.release)
        if self.get(adoption.index, adoption.release) is not None:
            raise AlreadyExistsError(what="adoption of release", name=adoption.release)
        self._connection.execute(
            sa.insert(adoptions).values(
                index_name=adoption.index,
                release=adoption.release,
                backend=adoption.backend,
                layout=codec.encode(layout_tree(adoption.layout)),
                state=adoption.state.value,
                cursor=adoption.cursor,
                rows=adoption.rows,
                without_text=adoption.without_text,
                total=adoption.total,
                actor=adoption.actor,
                started_at=adoption.started_at,
                finished_at=adoption.finished_at,
                proof=codec.encode(dict(adoption.proof)),
            )
        )

    def get(self, index: IndexName, release: ReleaseName) -> Adoption | None:
        """Return a release's record, None where its collection is repoint's own."""
        found = self._connection.execute(
            sa.select(adoptions).where(
                adoptions.c.index_name == index, adoptions.c.release == release
            )
        ).one_or_none()
        return None if found is None else _adoption(found)

    def all(self, index: IndexName) -> list[Adoption]:
        """Return the records of an index, oldest first."""
        found = self._connection.execute(
            sa.select(adoptions)
            .where(adoptions.c.index_name == index)
            .order_by(adoptions.c.started_at, adoptions.c.release)
        )
        return [_adoption(row) for row in found]

    def advance(self, adoption: Adoption) -> None:
        """Store how far the scan is."""
        self._connection.execute(
            sa.update(adoptions)
            .where(
                adoptions.c.index_name == adoption.index,
                adoptions.c.release == adoption.release,
            )
            .values(
                layout=codec.encode(layout_tree(adoption.layout)),
                cursor=adoption.cursor,
                rows=adoption.rows,
                without_text=adoption.without_text,
            )
        )

    def set_state(
        self, index: IndexName, release: ReleaseName, state: AdoptionState, *, at: datetime
    ) -> None:
        """Store what became of it."""
        self._connection.execute(
            sa.update(adoptions)
            .where(adoptions.c.index_name == index, adoptions.c.release == release)
            .values(state=state.value, finished_at=at)
        )


def _adoption(row: sa.Row[tuple[object, ...]]) -> Adoption:
    return Adoption(
        index=IndexName(row.index_name),
        release=ReleaseName(row.release),
        backend=row.backend,
        layout=layout_of(codec.decode(row.layout)),
        state=AdoptionState(row.state),
        cursor=row.cursor,
        rows=row.rows,
        without_text=row.without_text,
        total=row.total,
        actor=Actor(row.actor),
        started_at=row.started_at,
        finished_at=row.finished_at,
        proof=codec.decode(row.proof),
    )
