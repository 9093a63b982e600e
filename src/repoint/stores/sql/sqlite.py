"""SQLite as the control store: one file in WAL mode, shared by threads and processes.

A transaction that may write takes the write lock at its start, so whoever has it sees the
newest state and nobody else commits before it; readers keep their snapshot and wait for
nobody. ``synchronous=FULL`` makes the commit durable before it is acknowledged.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.pool import QueuePool

from repoint.domain.errors import (
    BadInputError,
    RefusedError,
    StoreUnavailableError,
    UnsupportedError,
)
from repoint.ports.clock import Clock
from repoint.stores.sql import schema
from repoint.stores.sql.dialect import FORGOTTEN
from repoint.stores.sql.sqlite_errors import in_our_words
from repoint.stores.sql.sqlite_feed import SqliteFeed
from repoint.stores.sql.sqlite_scrubbing import scrub
from repoint.stores.sql.store import SqlStore

#: Marks the file as repoint's ("rpnt"), so that another program's database is refused.
APPLICATION_ID: Final = 0x72706E74

#: In the place of a schema's version: everything is elsewhere now, and nobody writes here.
MOVED: Final = 1_000_000_000

#: What every connection is set to. Deleted content is overwritten, as erasure promises.
PRAGMAS: Final = (
    "PRAGMA foreign_keys = ON",
    "PRAGMA synchronous = FULL",
    "PRAGMA secure_delete = ON",
)

#: What a connection is used for at present.
_READING: Final = "reading"
_WRITING: Final = "writing"
#: A statement failed: nothing of the transaction may be committed.
_SPOILT: Final = "spoilt"

BUSY_TIMEOUT: Final = timedelta(seconds=10)
#: How long bringing the schema up to date may wait for its turn: others may be at it.
UPGRADE_TIMEOUT: Final = timedelta(minutes=2)

#: Connections of a parent process: a child must neither use nor close them.
_INHERITED: Final[list[sa.Engine]] = []


class SqliteStore(SqlStore):
    """The control store in one SQLite file."""

    @classmethod
    def open(
        cls, path: Path, *, clock: Clock, busy_timeout: timedelta = BUSY_TIMEOUT
    ) -> SqliteStore:
        """Open the store in this file, making it or bringing its schema up to date first.

        Raises:
            StoreUnavailableError: the file cannot be opened or written.
            BadInputError: the file is another program's database.
            UnsupportedError: a newer repoint wrote it.
            CorruptionError: it is no database, or a damaged one.
        """
        database = SqliteDatabase(path, clock=clock, busy_timeout=busy_timeout)
        try:
            database.prepare()
        except BaseException:
            database.close()
            raise
        return cls(database, clock=clock)


class SqliteDatabase:
    """Connections, locks and errors of one SQLite file."""

    def __init__(self, path: Path, *, clock: Clock, busy_timeout: timedelta) -> None:
        # Absolute: later connections must not follow a change of the working folder.
        self._path = path.absolute()
        self._clock = clock
        self._busy_s = busy_timeout.total_seconds()
        self._pid = os.getpid()
        self._start()

    def _start(self) -> None:
        # Writers of this process queue here, where waking up costs no polling.
        self._writers = threading.Lock()
        self._engine = sa.create_engine(
            "sqlite://", creator=self._connect, poolclass=QueuePool, max_overflow=-1
        )
        event.listen(self._engine, "handle_error", self._translate)

    def _connect(self) -> sqlite3.Connection:
        with in_our_words(self._path):
            connection = sqlite3.connect(
                self._path,
                timeout=self._busy_s,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
            )
            try:
                for pragma in PRAGMAS:
                    connection.execute(pragma)
            except BaseException:
                connection.close()
                raise
            return connection

    def _translate(self, context: ExceptionContext) -> None:
        """Raise what the caller should see instead of the driver's error.

        A statement that failed half-way must not be committed by a caller who passes over
        the error, hence the transaction is spoilt from here on.

        Raises:
            RuntimeError: a write in ``read()``: the caller's mistake, not the store's state.
        """
        connection, problem = context.connection, context.original_exception
        if connection is not None:
            spoilt = connection.info.get("state") == _SPOILT
            read_only = getattr(problem, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY
            if read_only and connection.info.get("state") == _READING:
                raise RuntimeError("read() gives a view; write in begin()")
            if spoilt:
                raise self._undone()
            connection.info["state"] = _SPOILT
            with suppress(sqlite3.Error):
                _driver(connection).execute("PRAGMA query_only = 1")
        with in_our_words(self._path):
            raise problem

    def _undone(self) -> StoreUnavailableError:
        return StoreUnavailableError(
            f"{self._path}: the transaction was undone by an earlier error",
            hint="nothing was written; try again",
        )

    @contextmanager
    def writing(self, *, patience: timedelta | None = None) -> Iterator[sa.Connection]:
        """Give a connection that holds the write lock; commit at the end."""
        self._leave_parent_behind()
        wait_s = self._busy_s if patience is None else patience.total_seconds()
        if not self._writers.acquire(timeout=wait_s):
            raise StoreUnavailableError(
                f"{self._path}: another thread has been writing for {wait_s:g} s",
                hint="try again",
            )
        try:
            with self._engine.connect() as connection:
                connection.info["state"] = _WRITING
                connection.info.pop(FORGOTTEN, None)
                connection.exec_driver_sql("PRAGMA query_only = 0")
                if patience is not None:
                    _let_wait(_driver(connection), wait_s)
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                if patience is not None:
                    _let_wait(_driver(connection), self._busy_s)
                if connection.exec_driver_sql("PRAGMA user_version").scalar() == MOVED:
                    # For a process that has had it open since before it was moved.
                    raise StoreUnavailableError(
                        f"{self._path}: this control store was moved", hint="start again"
                    )
                yield connection
                if connection.info["state"] == _SPOILT:
                    raise self._undone()
                connection.commit()
                if connection.info.pop(FORGOTTEN, False):
                    _empty_wal(_driver(connection))
        finally:
            self._writers.release()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Give a connection with a snapshot, on which writing is refused."""
        self._leave_parent_behind()
        with self._engine.connect() as connection:
            connection.info["state"] = _READING
            connection.exec_driver_sql("PRAGMA query_only = 1")
            connection.exec_driver_sql("BEGIN")
            # The snapshot is taken by the first look, not by BEGIN.
            connection.exec_driver_sql("SELECT 1 FROM indexes LIMIT 1")
            yield connection

    def watch(self) -> SqliteFeed:
        """Return a feed of commits, on a connection of its own."""
        return SqliteFeed(self._connect(), path=self._path, clock=self._clock)

    def scrub(self, traces: Sequence[str]) -> frozenset[str] | None:
        """Overwrite what the file still holds of removed rows; return what is found there."""
        with in_our_words(self._path), closing(self._connect()) as connection:
            return scrub(
                connection, self._path, traces, clock=self._clock, patience_s=self._busy_s
            )

    def close(self) -> None:
        """Close all connections that are not in use."""
        self._leave_parent_behind()
        self._engine.dispose()

    def _leave_parent_behind(self) -> None:
        """After a fork, start with connections of our own.

        Closing an inherited one would drop the parent's locks, hence it is only kept.
        """
        if self._pid != os.getpid():
            _INHERITED.append(self._engine)
            self._pid = os.getpid()
            self._start()

    def moved_to(self) -> str | None:
        """Return where everything is now, None while it is here."""
        connection = self._connect()
        try:
            with in_our_words(self._path):
                (version,) = connection.execute("PRAGMA user_version").fetchone()
                if version != MOVED:
                    return None
                (place,) = connection.execute("SELECT place FROM store_moved").fetchone()
                return str(place)
        finally:
            connection.close()

    def prepare(self) -> None:
        """Make the schema or bring it up to date; a current one costs two reads."""
        connection = self._connect()
        try:
            with in_our_words(self._path):
                if self._is_current(connection):
                    return
                _let_wait(connection, UPGRADE_TIMEOUT.total_seconds())
                self._turn_wal_on(connection)
        finally:
            connection.close()
        with self.writing(patience=UPGRADE_TIMEOUT) as upgrading:
            if not self._is_current(_driver(upgrading)):
                schema.upgrade(upgrading)
                upgrading.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
                upgrading.exec_driver_sql(f"PRAGMA user_version = {schema.VERSION}")

    def _is_current(self, connection: sqlite3.Connection) -> bool:
        """Return whether there is nothing to do.

        Raises:
            BadInputError: the file is another program's database.
            UnsupportedError: a newer repoint wrote it.
        """
        (mark,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if mark != APPLICATION_ID:
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            if mark or version or tables:
                raise BadInputError(
                    f"{self._path} is the database of another program",
                    hint="name another file for the control store",
                )
        if version == MOVED:
            (place,) = connection.execute("SELECT place FROM store_moved").fetchone()
            raise RefusedError(
                f"the control store {self._path} was moved to {place}",
                hint=f"finish that: repoint store migrate --to {place}",
            )
        if version > schema.VERSION:
            raise UnsupportedError(
                driver="this repoint",
                what=f"schema {version} of {self._path}; it knows {schema.VERSION}",
                hint="a newer repoint wrote it: use that one",
            )
        return bool(version == schema.VERSION)

    def _turn_wal_on(self, connection: sqlite3.Connection) -> None:
        """Switch the file to WAL; the file remembers it.

        SQLite does not wait for others here, whatever its timeout, so this does.
        """
        deadline = self._clock.monotonic() + UPGRADE_TIMEOUT.total_seconds()
        mode = None
        while mode is None:
            try:
                (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            except sqlite3.OperationalError as problem:
                busy = problem.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or self._clock.monotonic() >= deadline:
                    raise
                self._clock.sleep(0.01)
        if mode != "wal":
            raise StoreUnavailableError(
                f"{self._path}: this file system cannot hold a shared database",
                hint="put the control store on a local disk",
            )


def leave(connection: sa.Connection, place: str) -> None:
    """Let nobody write here any more, once the connection's transaction is committed."""
    connection.exec_driver_sql("CREATE TABLE store_moved (place TEXT NOT NULL) STRICT")
    connection.exec_driver_sql("INSERT INTO store_moved VALUES (?)", (place,))
    connection.exec_driver_sql(f"PRAGMA user_version = {MOVED}")


def is_moved(file: Path) -> bool:
    """Return whether everything that was in this file is elsewhere now."""
    if not file.exists():
        return False
    with in_our_words(file), closing(sqlite3.connect(file)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        return bool(version == MOVED)


def _driver(connection: sa.Connection) -> sqlite3.Connection:
    raw: object = connection.connection.dbapi_connection
    assert isinstance(raw, sqlite3.Connection)  # noqa: S101 - the creator made it
    return raw


def _let_wait(connection: sqlite3.Connection, seconds: float) -> None:
    connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")


def _empty_wal(connection: sqlite3.Connection) -> None:
    """Overwrite what the write-ahead log still holds of forgotten rows, unless a view needs it.

    The rows are gone either way; their old pages in the log are, too, at the next time that
    nobody reads.
    """
    (patience,) = connection.execute("PRAGMA busy_timeout").fetchone()
    _let_wait(connection, 0)
    with suppress(sqlite3.OperationalError):  # the commit stands, whatever happens here
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    _let_wait(connection, patience / 1000)
