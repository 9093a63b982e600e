"""The store as a whole: transactions over its areas, and a feed of changes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from repoint.ports.store.adoptions import Adoptions
from repoint.ports.store.alarms import Alarms
from repoint.ports.store.bridges import Bridges
from repoint.ports.store.catchup import Catchup
from repoint.ports.store.erasing import Erasures
from repoint.ports.store.feeding import Pushes, Renderings, Sources
from repoint.ports.store.guarding import Drills, Guarding
from repoint.ports.store.judging import Diagnoses, Policies, QuerySets, Runs
from repoint.ports.store.log import DocumentLog, Indexes
from repoint.ports.store.moves import Operations, Pointers, Processes
from repoint.ports.store.records import Access, Audit
from repoint.ports.store.releases import DeadLetters, Releases
from repoint.ports.store.traffic import Feedback, Shadows, Telemetry


class Transaction(Protocol):
    """The areas of the store, seen and changed as one."""

    @property
    def log(self) -> DocumentLog:
        """The documents in order."""
        ...

    @property
    def indexes(self) -> Indexes:
        """The logical names."""
        ...

    @property
    def releases(self) -> Releases:
        """Releases and what was measured of them."""
        ...

    @property
    def catchup(self) -> Catchup:
        """Watermarks, windows and leases."""
        ...

    @property
    def dead_letters(self) -> DeadLetters:
        """What releases could not take."""
        ...

    @property
    def pointers(self) -> Pointers:
        """Pointers, moves and rollouts."""
        ...

    @property
    def operations(self) -> Operations:
        """Recorded intents."""
        ...

    @property
    def processes(self) -> Processes:
        """Who is alive and serves what."""
        ...

    @property
    def audit(self) -> Audit:
        """The chain of records."""
        ...

    @property
    def access(self) -> Access:
        """Roles and holds."""
        ...

    @property
    def query_sets(self) -> QuerySets:
        """What releases are measured with."""
        ...

    @property
    def runs(self) -> Runs:
        """What was measured."""
        ...

    @property
    def policies(self) -> Policies:
        """What must hold before a release may answer."""
        ...

    @property
    def renderings(self) -> Renderings:
        """Files that hold a route."""
        ...

    @property
    def sources(self) -> Sources:
        """Systems of record that feed an index."""
        ...

    @property
    def pushes(self) -> Pushes:
        """What a team's own system sent."""
        ...

    @property
    def bridges(self) -> Bridges:
        """Maps into spaces whose query model is gone."""
        ...

    @property
    def guarding(self) -> Guarding:
        """What guards saw and decided."""
        ...

    @property
    def drills(self) -> Drills:
        """What was rehearsed."""
        ...

    @property
    def telemetry(self) -> Telemetry:
        """What was measured of live queries."""
        ...

    @property
    def shadows(self) -> Shadows:
        """Which releases get live queries as well."""
        ...

    @property
    def adoptions(self) -> Adoptions:
        """Which collections were a team's own."""
        ...

    @property
    def diagnoses(self) -> Diagnoses:
        """What was found to be wrong with releases."""
        ...

    @property
    def erasures(self) -> Erasures:
        """What was erased, and what is being erased."""
        ...

    @property
    def feedback(self) -> Feedback:
        """What came back of answers."""
        ...

    @property
    def alarms(self) -> Alarms:
        """What was noticed between two commands."""
        ...


class ChangeFeed(Protocol):
    """Tells one watcher that something may have changed. For one thread only."""

    def changed(self, *, timeout: float) -> bool:
        """Return True soon after any process commits, False when the seconds passed quietly.

        The first call returns True. Never misses a commit; may report one that changed
        nothing of interest [no-missed-commit].

        Raises:
            StoreUnavailableError: the store did not answer; call again.
        """
        ...

    def close(self) -> None:
        """Release its connection."""
        ...


class Store(Protocol):
    """The control store. Safe to use from many threads and processes [threads]."""

    def begin(self) -> AbstractContextManager[Transaction]:
        """Open a transaction that may write; such transactions run one after another.

        Durable once the block ends without an error [durable].

        Raises:
            StoreUnavailableError: locked for too long, disk full, read-only, unreachable;
                nothing was written.
        """
        ...

    def read(self) -> AbstractContextManager[Transaction]:
        """Open a consistent view; never waits for writers, refuses to write."""
        ...

    def watch(self) -> ChangeFeed:
        """Return a feed of changes for one watcher thread."""
        ...

    def scrub(self, traces: Sequence[str]) -> frozenset[str] | None:
        """Overwrite what its files still hold of removed rows; return what is found in them.

        None where the files are out of reach: a server's own vacuum, log and backups.

        Raises:
            StoreUnavailableError: readers kept old pages in use; try again.
        """
        ...

    def close(self) -> None:
        """Close all connections."""
        ...
