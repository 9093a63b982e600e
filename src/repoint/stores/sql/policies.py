"""Policies and their versions."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from repoint.domain import policy as policies_
from repoint.domain.errors import NotFoundError
from repoint.domain.ids import Actor, IndexName
from repoint.domain.policy import UNSET, Policy, PolicyVersion
from repoint.stores.sql import codec
from repoint.stores.sql.indexes import require_index
from repoint.stores.sql.judging_tables import policies


def newest_version(connection: sa.Connection, index: str) -> int:
    """Return the number of the newest policy; 0 where none was set."""
    newest = sa.select(sa.func.max(policies.c.version)).where(policies.c.index_name == index)
    return connection.scalar(newest) or 0


class SqlPolicies:
    """``ports.store.Policies`` on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def set(
        self, index: IndexName, policy: Policy, *, actor: Actor, reason: str, at: datetime
    ) -> PolicyVersion:
        """Store the next version."""
        require_index(self._connection, index)
        version = newest_version(self._connection, index) + 1
        self._connection.execute(
            sa.insert(policies).values(
                index_name=index,
                version=version,
                actor=actor,
                reason=reason,
                at=at,
                content=codec.encode(policies_.as_tree(policy)),
            )
        )
        return PolicyVersion(version=version, policy=policy, actor=actor, reason=reason, at=at)

    def get(self, index: IndexName, version: int) -> PolicyVersion:
        """Return one version; 0 is the built-in policy."""
        if version == UNSET.version:
            return UNSET
        row = self._connection.execute(
            sa.select(policies).where(
                policies.c.index_name == index, policies.c.version == version
            )
        ).one_or_none()
        if row is None:
            require_index(self._connection, index)
            raise NotFoundError(what="policy version", name=str(version))
        return PolicyVersion(
            version=row.version,
            policy=policies_.from_tree(codec.decode(row.content)),
            actor=Actor(row.actor),
            reason=row.reason,
            at=row.at,
        )

    def newest(self, index: IndexName) -> PolicyVersion:
        """Return the newest version, the built-in policy where none was set."""
        require_index(self._connection, index)
        return self.get(index, newest_version(self._connection, index))
