"""What was measured of live queries, by period and process."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from repoint.domain.ids import IndexName, ProcessId, ReleaseName
from repoint.domain.telemetry import ALL_TIME, Arm, Period, Tally
from repoint.ports.store.traffic import Measured
from repoint.stores.sql import codec
from repoint.stores.sql.dialect import insert
from repoint.stores.sql.indexes import require_index
from repoint.stores.sql.tables import BIG, micros
from repoint.stores.sql.traffic_tables import telemetry

_MICROSECOND: Final = timedelta(microseconds=1)
_KEY: Final = ("index_name", "release", "arm", "width", "starts_at", "process")


class SqlTelemetry:
    """``ports.store.Telemetry`` on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def put(self, measured: Sequence[Measured]) -> None:
        """Store tallies, each in place of its former self."""
        if not measured:
            return
        for index in {one.period.index for one in measured}:
            require_index(self._connection, index)
        statement = insert(self._connection, telemetry)
        self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=list(_KEY), set_={"content": statement.excluded.content}
            ),
            [{**_key(one), "content": codec.encode(one.tally.as_tree())} for one in measured],
        )

    def within(self, index: IndexName, *, since: datetime, until: datetime) -> list[Measured]:
        """Return what lies in periods that overlap the stretch."""
        require_index(self._connection, index)
        table = telemetry.c
        found = self._connection.execute(
            sa.select(telemetry)
            .where(
                table.index_name == index,
                table.width > 0,
                table.starts_at < until,
                sa.type_coerce(table.starts_at, BIG) + table.width > micros(since),
            )
            .order_by(table.starts_at, table.release, table.arm, table.process)
        )
        return [_measured(row) for row in found]

    def of_all_time(self, index: IndexName) -> list[Measured]:
        """Return what lies in the periods without an end."""
        require_index(self._connection, index)
        found = self._connection.execute(
            sa.select(telemetry)
            .where(telemetry.c.index_name == index, telemetry.c.width == 0)
            .order_by(telemetry.c.release, telemetry.c.arm, telemetry.c.process)
        )
        return [_measured(row) for row in found]

    def ended(self, *, width: timedelta, before: datetime, limit: int) -> list[Measured]:
        """Return the oldest periods of a width that ended by then."""
        table = telemetry.c
        found = self._connection.execute(
            sa.select(telemetry)
            .where(table.width == width // _MICROSECOND, table.starts_at <= before - width)
            .order_by(*(table[name] for name in ("starts_at", *_KEY[:3], "process")))
            .limit(limit)
        )
        return [_measured(row) for row in found]

    def at(self, period: Period) -> list[Measured]:
        """Return what the processes counted in one period."""
        found = self._connection.execute(
            sa.select(telemetry).where(_in(period)).order_by(telemetry.c.process)
        )
        return [_measured(row) for row in found]

    def remove(self, measured: Sequence[Measured]) -> None:
        """Forget these tallies."""
        for one in measured:
            self._connection.execute(
                sa.delete(telemetry).where(_in(one.period), telemetry.c.process == one.process)
            )


def _key(one: Measured) -> dict[str, object]:
    period = one.period
    return {
        "index_name": period.index,
        "release": period.release,
        "arm": period.arm.value,
        "width": period.width // _MICROSECOND,
        "starts_at": period.starts_at,
        "process": one.process,
    }


def _in(period: Period) -> sa.ColumnElement[bool]:
    table = telemetry.c
    return sa.and_(
        table.index_name == period.index,
        table.release == period.release,
        table.arm == period.arm.value,
        table.width == period.width // _MICROSECOND,
        table.starts_at == period.starts_at,
    )


def _measured(row: sa.Row[tuple[object, ...]]) -> Measured:
    return Measured(
        period=Period(
            index=IndexName(row.index_name),
            release=ReleaseName(row.release),
            arm=Arm(row.arm),
            starts_at=row.starts_at,
            width=timedelta(microseconds=row.width) if row.width else ALL_TIME,
        ),
        process=ProcessId(row.process),
        tally=Tally.from_tree(codec.decode(row.content)),
    )
