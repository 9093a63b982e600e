"""The store as its port describes it: transactions over the areas, one writer at a time.

What a database does differently (connections, locks, errors, the change feed) comes in as
a ``Database``; everything else is here and in the areas, once for all.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import sqlalchemy as sa

from repoint.ports.clock import Clock
from repoint.ports.store import ChangeFeed
from repoint.stores.sql.access import SqlAccess
from repoint.stores.sql.audit import SqlAudit
from repoint.stores.sql.catchup import SqlCatchup
from repoint.stores.sql.dead_letters import SqlDeadLetters
from repoint.stores.sql.indexes import SqlIndexes
from repoint.stores.sql.log import SqlDocumentLog
from repoint.stores.sql.operations import SqlOperations
from repoint.stores.sql.pointers import SqlPointers
from repoint.stores.sql.processes import SqlProcesses
from repoint.stores.sql.releases import SqlReleases

if TYPE_CHECKING:
    from repoint.stores.sql.adoptions import SqlAdoptions
    from repoint.stores.sql.alarms import SqlAlarms
    from repoint.stores.sql.bridges import SqlBridges
    from repoint.stores.sql.diagnoses import SqlDiagnoses
    from repoint.stores.sql.drills import SqlDrills
    from repoint.stores.sql.erasures import SqlErasures
    from repoint.stores.sql.feedback import SqlFeedback
    from repoint.stores.sql.guarding import SqlGuarding
    from repoint.stores.sql.policies import SqlPolicies
    from repoint.stores.sql.pushes import SqlPushes
    from repoint.stores.sql.query_sets import SqlQuerySets
    from repoint.stores.sql.renderings import SqlRenderings
    from repoint.stores.sql.runs import SqlRuns
    from repoint.stores.sql.shadows import SqlShadows
    from repoint.stores.sql.sources import SqlSources
    from repoint.stores.sql.telemetry import SqlTelemetry


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


class SqlTransaction:
    """The areas on one connection, each made and its module imported when it is asked for.

    A rollback uses ten of them, and starts sooner without the others.
    """

    def __init__(self, connection: sa.Connection, *, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    @cached_property
    def log(self) -> SqlDocumentLog:
        """The documents in order."""
        return SqlDocumentLog(self._connection)

    @cached_property
    def indexes(self) -> SqlIndexes:
        """The logical names."""
        return SqlIndexes(self._connection)

    @cached_property
    def releases(self) -> SqlReleases:
        """Releases and what was measured of them."""
        return SqlReleases(self._connection)

    @cached_property
    def catchup(self) -> SqlCatchup:
        """Watermarks, windows and leases."""
        return SqlCatchup(self._connection, self._clock)

    @cached_property
    def dead_letters(self) -> SqlDeadLetters:
        """What releases could not take."""
        return SqlDeadLetters(self._connection)

    @cached_property
    def pointers(self) -> SqlPointers:
        """Pointers, moves and rollouts."""
        return SqlPointers(self._connection)

    @cached_property
    def operations(self) -> SqlOperations:
        """Recorded intents."""
        return SqlOperations(self._connection)

    @cached_property
    def processes(self) -> SqlProcesses:
        """Who is alive and serves what."""
        return SqlProcesses(self._connection)

    @cached_property
    def audit(self) -> SqlAudit:
        """The chain of records."""
        return SqlAudit(self._connection)

    @cached_property
    def access(self) -> SqlAccess:
        """Roles and holds."""
        return SqlAccess(self._connection)

    @cached_property
    def query_sets(self) -> SqlQuerySets:
        """What releases are measured with."""
        from repoint.stores.sql.query_sets import SqlQuerySets  # noqa: PLC0415 - see the class

        return SqlQuerySets(self._connection)

    @cached_property
    def runs(self) -> SqlRuns:
        """What was measured."""
        from repoint.stores.sql.runs import SqlRuns  # noqa: PLC0415 - see the class

        return SqlRuns(self._connection)

    @cached_property
    def policies(self) -> SqlPolicies:
        """What must hold before a release may answer."""
        from repoint.stores.sql.policies import SqlPolicies  # noqa: PLC0415 - see the class

        return SqlPolicies(self._connection)

    @cached_property
    def renderings(self) -> SqlRenderings:
        """Files that hold a route."""
        from repoint.stores.sql.renderings import SqlRenderings  # noqa: PLC0415 - see the class

        return SqlRenderings(self._connection)

    @cached_property
    def sources(self) -> SqlSources:
        """Systems of record that feed an index."""
        from repoint.stores.sql.sources import SqlSources  # noqa: PLC0415 - see the class

        return SqlSources(self._connection)

    @cached_property
    def pushes(self) -> SqlPushes:
        """What a team's own system sent."""
        from repoint.stores.sql.pushes import SqlPushes  # noqa: PLC0415 - see the class

        return SqlPushes(self._connection)

    @cached_property
    def bridges(self) -> SqlBridges:
        """Maps into spaces whose query model is gone."""
        from repoint.stores.sql.bridges import SqlBridges  # noqa: PLC0415 - see the class

        return SqlBridges(self._connection)

    @cached_property
    def guarding(self) -> SqlGuarding:
        """What guards saw and decided."""
        from repoint.stores.sql.guarding import SqlGuarding  # noqa: PLC0415 - see the class

        return SqlGuarding(self._connection)

    @cached_property
    def drills(self) -> SqlDrills:
        """What was rehearsed."""
        from repoint.stores.sql.drills import SqlDrills  # noqa: PLC0415 - see the class

        return SqlDrills(self._connection)

    @cached_property
    def telemetry(self) -> SqlTelemetry:
        """What was measured of live queries."""
        from repoint.stores.sql.telemetry import SqlTelemetry  # noqa: PLC0415 - see the class

        return SqlTelemetry(self._connection)

    @cached_property
    def shadows(self) -> SqlShadows:
        """Which releases get live queries as well."""
        from repoint.stores.sql.shadows import SqlShadows  # noqa: PLC0415 - see the class

        return SqlShadows(self._connection)

    @cached_property
    def adoptions(self) -> SqlAdoptions:
        """Which collections were a team's own."""
        from repoint.stores.sql.adoptions import SqlAdoptions  # noqa: PLC0415 - see the class

        return SqlAdoptions(self._connection)

    @cached_property
    def diagnoses(self) -> SqlDiagnoses:
        """What was found to be wrong with releases."""
        from repoint.stores.sql.diagnoses import SqlDiagnoses  # noqa: PLC0415 - see the class

        return SqlDiagnoses(self._connection)

    @cached_property
    def erasures(self) -> SqlErasures:
        """What was erased, and what is being erased."""
        from repoint.stores.sql.erasures import SqlErasures  # noqa: PLC0415 - see the class

        return SqlErasures(self._connection)

    @cached_property
    def feedback(self) -> SqlFeedback:
        """What came back of answers."""
        from repoint.stores.sql.feedback import SqlFeedback  # noqa: PLC0415 - see the class

        return SqlFeedback(self._connection)

    @cached_property
    def alarms(self) -> SqlAlarms:
        """What was noticed between two commands."""
        from repoint.stores.sql.alarms import SqlAlarms  # noqa: PLC0415 - see the class

        return SqlAlarms(self._connection)


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
                yield SqlTransaction(connection, clock=self._clock)
        finally:
            self._here.writing = False

    @contextmanager
    def read(self) -> Iterator[SqlTransaction]:
        """Open a consistent view; see ``ports.store.Store``."""
        with self._database.reading() as connection:
            yield SqlTransaction(connection, clock=self._clock)

    def watch(self) -> ChangeFeed:
        """Return a feed of changes for one watcher thread."""
        return self._database.watch()

    def scrub(self, traces: Sequence[str]) -> frozenset[str] | None:
        """Overwrite what files hold of removed rows; see ``ports.store.Store``."""
        return self._database.scrub(traces)

    def close(self) -> None:
        """Close all connections."""
        self._database.close()
