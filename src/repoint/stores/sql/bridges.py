"""Bridges, and which of them queries go over."""

from __future__ import annotations

import dataclasses
import json

import sqlalchemy as sa

from repoint.domain.bridge import Against, Bridge, MapMethod, Retention
from repoint.domain.errors import NotFoundError
from repoint.domain.ids import Actor, BridgeId, IndexName, ReleaseName
from repoint.stores.sql import codec
from repoint.stores.sql.bridge_tables import bridges
from repoint.stores.sql.indexes import require_index
from repoint.stores.sql.releases import bridge_map, require_release
from repoint.stores.sql.tables import releases


class SqlBridges:
    """``ports.store.Bridges`` on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add(self, bridge: Bridge) -> None:
        """Store a bridge, not enabled."""
        index = bridge.map.index
        require_release(self._connection, index, bridge.release)
        require_release(self._connection, index, bridge.source)
        newest = self._connection.scalar(
            sa.select(sa.func.max(bridges.c.ordinal)).where(bridges.c.index_name == index)
        )
        self._connection.execute(
            sa.insert(bridges).values(
                id=bridge.id,
                ordinal=(newest or 0) + 1,
                index_name=index,
                release=bridge.release,
                source=bridge.source,
                source_fingerprint=bridge.map.source_fingerprint,
                method=bridge.method.value,
                fitted=bridge.fitted,
                held_out=bridge.held_out,
                cosine=bridge.cosine,
                retention=codec.encode(dataclasses.asdict(bridge.retention)),
                weights=bridge.map.weights,
                actor=bridge.actor,
                at=bridge.at,
                enabled=0,
            )
        )

    def get(self, index: IndexName, bridge: BridgeId) -> Bridge:
        """Return one bridge."""
        for one in self._read(bridges.c.index_name == index, bridges.c.id == bridge):
            return one
        raise NotFoundError(
            what="bridge", name=bridge, known=[one.id for one in self.all(index)]
        )

    def all(self, index: IndexName) -> list[Bridge]:
        """Return all bridges of an index, newest first."""
        require_index(self._connection, index)
        return self._read(bridges.c.index_name == index)

    def enable(self, index: IndexName, release: ReleaseName, bridge: BridgeId | None) -> None:
        """Let a release's queries go over one of its bridges, or with None over none."""
        of_release = sa.and_(bridges.c.index_name == index, bridges.c.release == release)
        self._connection.execute(sa.update(bridges).where(of_release).values(enabled=0))
        if bridge is not None:
            changed = self._connection.execute(
                sa.update(bridges).where(of_release, bridges.c.id == bridge).values(enabled=1)
            )
            if changed.rowcount != 1:
                raise NotFoundError(what="bridge", name=bridge)

    def _read(self, *conditions: sa.ColumnElement[bool]) -> list[Bridge]:
        found = self._connection.execute(
            sa.select(bridges, releases.c.spec.label("source_spec"))
            .join(
                releases,
                sa.and_(
                    releases.c.index_name == bridges.c.index_name,
                    releases.c.name == bridges.c.source,
                ),
            )
            .where(*conditions)
            .order_by(bridges.c.ordinal.desc())
        )
        return [
            Bridge(
                map=bridge_map(row),
                method=MapMethod(row.method),
                fitted=row.fitted,
                held_out=row.held_out,
                cosine=row.cosine,
                retention=_retention(row.retention),
                actor=Actor(row.actor),
                at=row.at,
                enabled=bool(row.enabled),
            )
            for row in found
        ]


def _retention(text: str) -> Retention:
    tree = json.loads(text)
    return Retention(**{**tree, "against": Against(tree["against"])})
