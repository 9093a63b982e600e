"""The store as its port describes it: transactions over the areas, one writer at a time.

What a database does differently (connections, locks, errors, the change feed) comes in as
a ``Database``; everything else is here and in the areas, once for all.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

import sqlalchemy as sa

from repoint.ports.clock import Clock
from repoint.ports.store import ChangeFeed
from repoint.stores.sql.access import SqlAccess
from repoint.stores.sql.alarms import SqlAlarms
from repoint.stores.sql.audit import SqlAudit
from repoint.stores.sql.bridges import SqlBridges
from repoint.stores.sql.catchup import SqlCatchup
from repoint.stores.sql.dead_letters import SqlDeadLetters
from repoint.stores.sql.erasures import SqlErasures
from repoint.stores.sql.indexes import SqlIndexes
from repoint.stores.sql.log import SqlDocumentLog
from repoint.stores.sql.operations import SqlOperations
from repoint.stores.sql.pointers import SqlPointers
from repoint.stores.sql.policies import SqlPolicies
from repoint.stores.sql.processes import SqlProcesses
from repoint.stores.sql.query_sets import SqlQuerySets
from repoint.stores.sql.releases import SqlReleases
from repoint.stores.sql.runs import SqlRuns


class Database(Protocol):
    """One kind of database. Safe to use from many threads, and after a fork."""

    def writing(self) -> AbstractContextManager[sa.Connection]:
        """Give a connection in a transaction that holds the write lock; commit at the end."""
        ...

    def reading(self) -> AbstractContextManager[sa.Connection]:
        """Give a connection with a snapshot, on which writing is refused."""
        ...

    def watch(self) -> ChangeFeed:
        """Return a feed of commits."""
        ...

    def scrub(self, traces: Sequence[str]) -> frozenset[str] | None:
        """Overwrite what files hold of removed rows; see ``ports.store.Store``."""
        ...

    def close(self) -> None:
        """Close all connections."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlTransaction:
    """The areas on one connection."""

    log: SqlDocumentLog
    indexes: SqlIndexes
    releases: SqlReleases
    catchup: SqlCatchup
    dead_letters: SqlDeadLetters
    pointers: SqlPointers
    operations: SqlOperations
    processes: SqlProcesses
    audit: SqlAudit
    access: SqlAccess
    query_sets: SqlQuerySets
    runs: SqlRuns
    policies: SqlPolicies
    erasures: SqlErasures
    alarms: SqlAlarms
    bridges: SqlBridges

    @staticmethod
    def on(connection: sa.Connection, *, clock: Clock) -> SqlTransaction:
        """Return the areas, all on this connection."""
        return SqlTransaction(
            log=SqlDocumentLog(connection),
            indexes=SqlIndexes(connection),
            releases=SqlReleases(connection),
            catchup=SqlCatchup(connection, clock),
            dead_letters=SqlDeadLetters(connection),
            pointers=SqlPointers(connection),
            operations=SqlOperations(connection),
            processes=SqlProcesses(connection),
            audit=SqlAudit(connection),
            access=SqlAccess(connection),
            query_sets=SqlQuerySets(connection),
            runs=SqlRuns(connection),
            policies=SqlPolicies(connection),
            erasures=SqlErasures(connection),
            alarms=SqlAlarms(connection),
            bridges=SqlBridges(connection),
        )


class SqlStore:
    """The control store on a SQL database."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._here = threading.local()

    @contextmanager
    def begin(self) -> Iterator[SqlTransaction]:
        """Open a transaction that may write; see ``ports.store.Store``.

        Raises:
            RuntimeError: this thread has one open already; it would wait for itself.
        """
        if getattr(self._here, "writing", False):
            raise RuntimeError("begin() within begin() on the same thread would never end")
        self._here.writing = True
        try:
            with self._database.writing() as connection:
                yield SqlTransaction.on(connection, clock=self._clock)
        finally:
            self._here.writing = False

    @contextmanager
    def read(self) -> Iterator[SqlTransaction]:
        """Open a consistent view; see ``ports.store.Store``."""
        with self._database.reading() as connection:
            yield SqlTransaction.on(connection, clock=self._clock)

    def watch(self) -> ChangeFeed:
        """Return a feed of changes for one watcher thread."""
        return self._database.watch()

    def scrub(self, traces: Sequence[str]) -> frozenset[str] | None:
        """Overwrite what files hold of removed rows; see ``ports.store.Store``."""
        return self._database.scrub(traces)

    def close(self) -> None:
        """Close all connections."""
        self._database.close()
