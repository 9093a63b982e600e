"""Roles and holds."""

from __future__ import annotations

import sqlalchemy as sa

from repoint.domain.access import Role
from repoint.domain.ids import Actor, IndexName, ReleaseName
from repoint.domain.operation import Hold
from repoint.stores.sql.dialect import insert
from repoint.stores.sql.releases import require_release
from repoint.stores.sql.tables import grants, holds

#: What stands for all indexes; no index can have this name.
_ALL = ""


class SqlAccess:
    """``ports.store.Access`` on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def grant(self, actor: Actor, role: Role, index: IndexName | None) -> None:
        """Give a role on one index, or with None on all; twice is no error."""
        self._connection.execute(
            insert(self._connection, grants)
            .values(actor=actor, role=role.value, index_name=index or _ALL)
            .on_conflict_do_nothing()
        )

    def revoke(self, actor: Actor, role: Role, index: IndexName | None) -> bool:
        """Take a role back; False when it was not held."""
        taken = self._connection.execute(
            sa.delete(grants).where(
                grants.c.actor == actor,
                grants.c.role == role.value,
                grants.c.index_name == (index or _ALL),
            )
        )
        return taken.rowcount == 1

    def roles(self, actor: Actor, index: IndexName | None) -> frozenset[Role]:
        """Return the roles that count for the index, those on all indexes included."""
        found = self._connection.scalars(
            sa.select(grants.c.role).where(
                grants.c.actor == actor, grants.c.index_name.in_([_ALL, index or _ALL])
            )
        )
        return frozenset(Role(role) for role in found)

    def grants(self) -> list[tuple[Actor, Role, IndexName | None]]:
        """Return every grant."""
        ordered = sa.select(grants).order_by(grants.c.actor, grants.c.index_name, grants.c.role)
        return [
            (Actor(row.actor), Role(row.role), IndexName(row.index_name) or None)
            for row in self._connection.execute(ordered)
        ]

    def place_hold(self, hold: Hold) -> None:
        """Forbid deleting; one hold a reason and release, placed twice is no error."""
        require_release(self._connection, hold.index, hold.release)
        self._connection.execute(
            insert(self._connection, holds)
            .values(
                index_name=hold.index,
                release=hold.release,
                reason=hold.reason,
                actor=hold.actor,
                at=hold.at,
            )
            .on_conflict_do_nothing()
        )

    def lift_holds(self, index: IndexName, release: ReleaseName) -> int:
        """Lift all holds on a release and return how many there were."""
        lifted = self._connection.execute(
            sa.delete(holds).where(holds.c.index_name == index, holds.c.release == release)
        )
        return lifted.rowcount

    def holds(self, index: IndexName) -> list[Hold]:
        """Return the holds of an index."""
        ordered = (
            sa.select(holds)
            .where(holds.c.index_name == index)
            .order_by(holds.c.at, holds.c.release, holds.c.reason)
        )
        return [
            Hold(
                index=index,
                release=ReleaseName(row.release),
                reason=row.reason,
                actor=Actor(row.actor),
                at=row.at,
            )
            for row in self._connection.execute(ordered)
        ]
