"""Alarms that are not over."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from repoint.domain.alarm import FORGOTTEN_AFTER, Alarm
from repoint.domain.ids import IndexName, ReleaseName
from repoint.stores.sql import codec
from repoint.stores.sql.dialect import insert
from repoint.stores.sql.erasing_tables import alarms
from repoint.stores.sql.indexes import require_index
from repoint.stores.sql.releases import require_release


class SqlAlarms:
    """``ports.store.Alarms`` on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def sound(self, alarm: Alarm) -> bool:
        """Record it, or that it was seen again."""
        require_release(self._connection, alarm.index, alarm.release)
        mine = _is(alarm.index, alarm.release, check=alarm.check, host=alarm.host)
        found = self._connection.scalar(sa.select(alarms.c.at).where(mine))
        is_new = found is None or found < alarm.at - FORGOTTEN_AFTER
        statement = insert(self._connection, alarms).values(
            index_name=alarm.index,
            release=alarm.release,
            check_name=alarm.check,
            host=alarm.host,
            since=alarm.since,
            at=alarm.at,
            summary=alarm.summary,
            figures=codec.encode(alarm.figures),
        )
        new = statement.excluded
        again = {"at": new.at, "summary": new.summary, "figures": new.figures}
        self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=["index_name", "release", "check_name", "host"],
                set_={**again, "since": new.since} if is_new else again,
            )
        )
        return is_new

    def end(self, index: IndexName, release: ReleaseName, *, check: str, host: str) -> bool:
        """Forget an alarm that is over."""
        mine = _is(index, release, check=check, host=host)
        return self._connection.execute(sa.delete(alarms).where(mine)).rowcount > 0

    def all(self, index: IndexName, *, now: datetime) -> list[Alarm]:
        """Return those that were seen lately, the oldest first."""
        require_index(self._connection, index)
        ordered = (
            sa.select(alarms)
            .where(alarms.c.index_name == index, alarms.c.at >= now - FORGOTTEN_AFTER)
            .order_by(alarms.c.since, alarms.c.release, alarms.c.check_name, alarms.c.host)
        )
        return [
            Alarm(
                index=index,
                release=ReleaseName(row.release),
                check=row.check_name,
                host=row.host,
                since=row.since,
                at=row.at,
                summary=row.summary,
                figures=codec.decode(row.figures),
            )
            for row in self._connection.execute(ordered)
        ]


def _is(index: str, release: str, *, check: str, host: str) -> sa.ColumnElement[bool]:
    return sa.and_(
        alarms.c.index_name == index,
        alarms.c.release == release,
        alarms.c.check_name == check,
        alarms.c.host == host,
    )
