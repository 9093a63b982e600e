"""Who is alive and which epoch each serves."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa

from repoint.domain.ids import Epoch, IndexName, ProcessId
from repoint.domain.operation import Process
from repoint.stores.sql import codec
from repoint.stores.sql.dialect import insert
from repoint.stores.sql.tables import processes


class SqlProcesses:
    """``ports.store.Processes`` on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def register(self, process: Process) -> None:
        """Add a process; the same id again replaces it."""
        values = {
            "host": process.host,
            "pid": process.pid,
            "started_at": process.started_at,
            "program": process.program,
            "lease_until": process.lease_until,
            "serves": codec.encode(process.serves),
        }
        self._connection.execute(
            insert(self._connection, processes)
            .values(id=process.id, **values)
            .on_conflict_do_update(index_elements=["id"], set_=values)
        )

    def confirm(
        self, process: ProcessId, *, until: datetime, serves: Mapping[IndexName, Epoch]
    ) -> bool:
        """Extend the lease and acknowledge epochs; False if it was expired and removed."""
        confirmed = self._connection.execute(
            sa.update(processes)
            .where(processes.c.id == process)
            .values(lease_until=until, serves=codec.encode(serves))
        )
        return confirmed.rowcount == 1

    def remove(self, process: ProcessId) -> None:
        """Forget a process that ended."""
        self._connection.execute(sa.delete(processes).where(processes.c.id == process))

    def all(self) -> list[Process]:
        """Return every registered process, whether its lease has run out or not."""
        ordered = sa.select(processes).order_by(processes.c.started_at, processes.c.id)
        return [
            Process(
                id=ProcessId(row.id),
                host=row.host,
                pid=row.pid,
                started_at=row.started_at,
                program=row.program,
                lease_until=row.lease_until,
                serves={
                    IndexName(name): Epoch(epoch)
                    for name, epoch in codec.decode(row.serves).items()
                    if isinstance(epoch, int)
                },
            )
            for row in self._connection.execute(ordered)
        ]
