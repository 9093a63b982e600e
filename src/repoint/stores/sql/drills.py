"""Drills: rehearsals and the time that their steps took."""

from __future__ import annotations

import json
from dataclasses import replace

import sqlalchemy as sa

from repoint.domain.drills import Drill, DrillStep
from repoint.domain.ids import Actor, Epoch, Fingerprint, IndexName, ReleaseName
from repoint.domain.readiness import Finding, Status
from repoint.stores.sql import codec
from repoint.stores.sql.guarding_tables import drills
from repoint.stores.sql.indexes import require_index
from repoint.stores.sql.releases import SqlReleases


class SqlDrills:
    """``ports.store.Drills`` on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add(self, drill: Drill) -> Drill:
        """Store a drill and return it with its number."""
        for name in (drill.ahead, drill.back):
            SqlReleases(self._connection).get(drill.index, name)
        newest = sa.select(sa.func.max(drills.c.number)).where(
            drills.c.index_name == drill.index
        )
        made = replace(drill, number=1 + (self._connection.scalar(newest) or 0))
        self._connection.execute(
            sa.insert(drills).values(
                index_name=made.index,
                number=made.number,
                epoch=made.epoch,
                at=made.at,
                actor=made.actor,
                ahead=made.ahead,
                ahead_fingerprint=made.ahead_fingerprint,
                back=made.back,
                back_fingerprint=made.back_fingerprint,
                ready=int(made.ready),
                content=codec.encode(
                    {
                        "rollback_seconds": made.rollback_seconds,
                        "steps": [[one.step, one.seconds, one.said] for one in made.steps],
                        "findings": [
                            {
                                "check": one.check,
                                "status": one.status.value,
                                "summary": one.summary,
                                "figures": dict(one.figures),
                                "remedy": one.remedy,
                            }
                            for one in made.findings
                        ],
                    }
                ),
            )
        )
        return made

    def newest(
        self, index: IndexName, *, ahead: ReleaseName, back: ReleaseName
    ) -> Drill | None:
        """Return the newest drill of these two."""
        row = self._connection.execute(
            sa.select(drills)
            .where(drills.c.index_name == index, drills.c.ahead == ahead, drills.c.back == back)
            .order_by(drills.c.number.desc())
            .limit(1)
        ).one_or_none()
        return None if row is None else _drill(row)

    def all(self, index: IndexName, *, limit: int | None = None) -> list[Drill]:
        """Return drills, newest first."""
        require_index(self._connection, index)
        ordered = (
            sa.select(drills)
            .where(drills.c.index_name == index)
            .order_by(drills.c.number.desc())
            .limit(limit)
        )
        return [_drill(row) for row in self._connection.execute(ordered)]


def _drill(row: sa.Row[tuple[object, ...]]) -> Drill:
    content = json.loads(row.content)
    return Drill(
        index=IndexName(row.index_name),
        number=row.number,
        epoch=Epoch(row.epoch),
        at=row.at,
        actor=Actor(row.actor),
        ahead=ReleaseName(row.ahead),
        ahead_fingerprint=Fingerprint(row.ahead_fingerprint),
        back=ReleaseName(row.back),
        back_fingerprint=Fingerprint(row.back_fingerprint),
        ready=bool(row.ready),
        rollback_seconds=float(content["rollback_seconds"]),
        steps=tuple(
            DrillStep(step=step, seconds=float(seconds), said=said)
            for step, seconds, said in content["steps"]
        ),
        findings=tuple(
            Finding(
                check=one["check"],
                status=Status(one["status"]),
                summary=one["summary"],
                figures=one["figures"],
                remedy=one["remedy"],
            )
            for one in content["findings"]
        ),
    )
