"""PostgreSQL as the control store: one schema of a database, shared by many machines.

A transaction that may write takes an advisory lock of the whole store at its start, so
whoever has it sees the newest state and nobody else commits before it; the server frees the
lock with the transaction, whatever becomes of the process. Readers have a snapshot and wait
for nobody. A commit whose answer got lost is looked up again, so a caller is told what
really happened wherever the server can be asked.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final

import psycopg
import sqlalchemy as sa
from psycopg.pq import TransactionStatus
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.pool import QueuePool

from repoint.domain.errors import RefusedError, StoreUnavailableError
from repoint.ports.clock import Clock
from repoint.stores.sql import postgres_schema
from repoint.stores.sql.postgres_clock import ServerClock
from repoint.stores.sql.postgres_errors import READ_ONLY, in_our_words
from repoint.stores.sql.postgres_feed import PostgresFeed
from repoint.stores.sql.postgres_schema import SCHEMA, Connection, Standing, State
from repoint.stores.sql.postgres_text import adapt
from repoint.stores.sql.postgres_url import Place, place
from repoint.stores.sql.store import SqlStore

#: How long a writer waits for the one before it.
BUSY_TIMEOUT: Final = timedelta(seconds=10)
#: How long bringing the schema up to date may wait for its turn.
UPGRADE_TIMEOUT: Final = timedelta(minutes=2)
#: A writer that was stopped, or whose machine is gone, holds the lock no longer than this.
IDLE_TIMEOUT: Final = timedelta(seconds=30)
_CONNECT_SECONDS: Final = 10
#: Between two questions about a commit whose answer got lost.
_ASK_AGAIN_SECONDS: Final = 0.05

_BEGIN_READING: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1"
#: Counts and tells, but only if something was written; the id is asked before both.
_BEFORE_COMMIT: Final = """WITH own AS (SELECT pg_current_xact_id_if_assigned()::text AS id),
counted AS (UPDATE store_state SET commits = commits + 1
            WHERE (SELECT id FROM own) IS NOT NULL RETURNING 1)
SELECT id, CASE WHEN id IS NULL THEN NULL ELSE pg_notify(%s, '')::text END FROM own"""

#: Connections of a parent process: a child must neither use nor close them.
_INHERITED: Final[list[sa.Engine]] = []


@dataclass(slots=True)
class _Use:
    """What a connection is used for, for as long as somebody has it."""

    writes: bool
    #: A statement failed: nothing of the transaction may be committed.
    spoilt: bool = False


class PostgresStore(SqlStore):
    """The control store in a schema of a PostgreSQL database."""

    def __init__(self, database: PostgresDatabase, *, clock: ServerClock) -> None:
        super().__init__(database, clock=clock)
        self.database = database
        #: The server's time, which all machines that share the store have in common.
        self.clock = clock

    @classmethod
    def open(
        cls,
        url: str,
        *,
        clock: Clock,
        schema: str = SCHEMA,
        busy_timeout: timedelta = BUSY_TIMEOUT,
    ) -> PostgresStore:
        """Open the store at this URL, making it or bringing its schema up to date first.

        Raises:
            StoreUnavailableError: the server cannot be reached, or lets this user not in.
            BadInputError: it is no such URL, or the schema is another program's.
            UnsupportedError: a newer repoint changed the schema, or the server is too old.
            RefusedError: it is a copy that was never put in use.
        """
        time = clock if isinstance(clock, ServerClock) else ServerClock(clock)
        database = PostgresDatabase(
            place(url), schema=schema, clock=time, busy_timeout=busy_timeout
        )
        try:
            database.prepare()
        except BaseException:
            database.close()
            raise
        return cls(database, clock=time)


class PostgresDatabase:
    """Connections, locks and errors of one schema on one server."""

    def __init__(
        self, where: Place, *, schema: str, clock: ServerClock, busy_timeout: timedelta
    ) -> None:
        self.place = where
        self.schema = postgres_schema.checked_name(schema)
        self._clock = clock
        self._busy_timeout = busy_timeout
        self._pid = os.getpid()
        self._start()

    def _start(self) -> None:
        # Writers of this process queue here, where waiting takes no connection.
        self._writers = threading.Lock()
        self._engine = sa.create_engine(
            "postgresql+psycopg://",
            creator=self._connect,
            poolclass=QueuePool,
            max_overflow=-1,
            use_native_hstore=False,
        )
        event.listen(self._engine, "handle_error", self._translate)

    @property
    def channel(self) -> str:
        """What commits are told on."""
        return f"repoint:{self.schema}"

    @property
    def lock(self) -> int:
        """The key of the advisory lock that writers take."""
        digest = blake2b(f"repoint store {self.schema}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, signed=True)

    def _connect(self) -> Connection:
        with in_our_words(self.place):
            connection = psycopg.connect(
                self.place.url,
                autocommit=True,
                application_name="repoint",
                client_encoding="utf8",
                connect_timeout=_CONNECT_SECONDS,
                # So that a machine that is gone is noticed within half a minute.
                keepalives_idle=10,
                keepalives_interval=5,
                keepalives_count=3,
                tcp_user_timeout=20_000,
            )
            try:
                adapt(connection)
                connection.execute(
                    f"SET search_path TO {self.schema}; SET TimeZone TO 'UTC'; "
                    "SELECT set_config('synchronous_commit', 'on', false) "
                    "WHERE current_setting('synchronous_commit') = 'off'",
                    prepare=False,
                )
                self._look_at_the_clock(connection)
            except BaseException:
                connection.close()
                raise
            return connection

    def _look_at_the_clock(self, connection: Connection) -> None:
        asked = self._clock.local.now()
        row = connection.execute("SELECT clock_timestamp()").fetchone()
        answered = self._clock.local.now()
        if row is not None and isinstance(row[0], datetime):
            self._clock.saw(row[0], asked=asked, answered=answered)

    def _translate(self, context: ExceptionContext) -> None:
        """Raise what the caller should see instead of the driver's error.

        Raises:
            RuntimeError: a write in ``read()``: the caller's mistake, not the store's state.
        """
        connection, problem = context.connection, context.original_exception
        use = connection.get_execution_options().get("use") if connection else None
        if isinstance(use, _Use):
            code = problem.sqlstate if isinstance(problem, psycopg.Error) else None
            if code == READ_ONLY and not use.writes:
                raise RuntimeError("read() gives a view; write in begin()")
            use.spoilt = True
        with in_our_words(self.place):
            raise problem

    def _undone(self) -> StoreUnavailableError:
        return StoreUnavailableError(
            f"{self.place.shown}: the transaction was undone by an earlier error",
            hint="nothing was written; try again",
        )

    @contextmanager
    def writing(self, *, patience: timedelta | None = None) -> Iterator[sa.Connection]:
        """Give a connection that holds the write lock; commit at the end."""
        self._leave_parent_behind()
        wait = (patience or self._busy_timeout).total_seconds()
        if not self._writers.acquire(timeout=wait):
            raise StoreUnavailableError(
                f"{self.place.shown}: another thread has been writing for {wait:g} s",
                hint="try again",
            )
        use = _Use(writes=True)
        begin = (
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; "
            f"SET LOCAL lock_timeout = {int(wait * 1000)}; "
            f"SET LOCAL idle_in_transaction_session_timeout = "
            f"{int(IDLE_TIMEOUT.total_seconds() * 1000)}; "
            f"SELECT pg_advisory_xact_lock({self.lock})"
        )
        try:
            with self._begun(begin, use) as connection:
                try:
                    yield connection
                except sa.exc.PendingRollbackError as problem:
                    raise self._undone() from problem  # the connection was lost before
                if use.spoilt:
                    raise self._undone()
                self._commit(_driver(connection))
        finally:
            self._writers.release()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Give a connection with a snapshot, on which writing is refused."""
        self._leave_parent_behind()
        with self._begun(_BEGIN_READING, _Use(writes=False)) as connection:
            yield connection

    @contextmanager
    def _begun(self, begin: str, use: _Use) -> Iterator[sa.Connection]:
        connection = self._with_transaction(begin)
        try:
            yield connection.execution_options(use=use)
        finally:
            _let_go(connection)

    def _with_transaction(self, begin: str) -> sa.Connection:
        """Return a connection on which the statements were run.

        One that lay in the pool while the server was restarted is dead; another takes its
        place, for nothing was begun yet.
        """
        while True:
            with in_our_words(self.place):
                connection = self._engine.connect()
                fresh = connection.connection.info.setdefault("uses", 0) == 0
                connection.connection.info["uses"] += 1
                try:
                    _driver(connection).execute(begin, prepare=False)
                except BaseException as problem:
                    lost = _driver(connection).closed and isinstance(problem, psycopg.Error)
                    _let_go(connection)
                    if not lost or fresh:
                        raise
                else:
                    return connection

    def _commit(self, driver: Connection) -> None:
        with in_our_words(self.place):
            if driver.info.transaction_status is TransactionStatus.INERROR:
                raise self._undone()
            row = driver.execute(_BEFORE_COMMIT, [self.channel]).fetchone()
            transaction = None if row is None or row[0] is None else str(row[0])
            try:
                driver.execute("COMMIT", prepare=False)
            except psycopg.OperationalError as problem:
                if transaction is None or not driver.closed:
                    raise
                self._find_out(transaction, problem)

    def _find_out(self, transaction: str, problem: psycopg.Error) -> None:
        """Return if the transaction was committed, though its answer never came.

        Raises:
            StoreUnavailableError: it was not, or the server cannot be asked any more.
        """
        deadline = self._clock.monotonic() + self._busy_timeout.total_seconds()
        while True:
            status = self._status(transaction)
            if status == "committed":
                return
            if status == "aborted":
                raise StoreUnavailableError(
                    f"{self.place.shown}: the connection was lost at the commit",
                    hint="nothing was written; try again",
                ) from problem
            if self._clock.monotonic() >= deadline:
                raise StoreUnavailableError(
                    f"{self.place.shown}: the connection was lost at the commit, and the "
                    "server does not say whether it took place",
                    hint="when it is back: repoint reconcile",
                ) from problem
            self._clock.sleep(_ASK_AGAIN_SECONDS)

    def _status(self, transaction: str) -> object:
        try:
            connection = self._connect()
        except StoreUnavailableError:
            return None
        with connection, in_our_words(self.place):
            row = connection.execute(
                "SELECT pg_xact_status(%s::xid8)", [transaction]
            ).fetchone()
            return None if row is None else row[0]

    def watch(self) -> PostgresFeed:
        """Return a feed of commits, on a connection of its own, made at its first look."""
        return PostgresFeed(
            self._connect, channel=self.channel, place=self.place, clock=self._clock
        )

    def scrub(self, traces: Sequence[str]) -> None:
        """Return None: the server's files, its log and its vacuum are its own."""

    def close(self) -> None:
        """Close all connections that are not in use."""
        self._leave_parent_behind()
        self._engine.dispose()

    def _leave_parent_behind(self) -> None:
        """After a fork, start with connections of our own.

        Closing an inherited one would end the parent's session, hence it is only kept.
        """
        if self._pid != os.getpid():
            _INHERITED.append(self._engine)
            self._pid = os.getpid()
            self._start()

    def prepare(self) -> None:
        """Make the schema or bring it up to date; a current one costs two reads.

        Many processes may start at once: one upgrades, under the lock that writers take.

        Raises:
            RefusedError: it is a copy that was never put in use.
        """
        found = self.state()
        if not postgres_schema.is_current(found, self.place):
            with self.writing(patience=UPGRADE_TIMEOUT) as upgrading:
                found = postgres_schema.state(_driver(upgrading), self.schema, self.place)
                if not postgres_schema.is_current(found, self.place):
                    postgres_schema.upgrade(upgrading, self.schema, found)
        if found is not None and found.standing is Standing.COPIED:
            raise RefusedError(
                f"the control store in schema {self.schema!r} of {self.place.shown} is a copy "
                "that was never put in use",
                hint="finish it where it was copied from: repoint store migrate --to URL",
            )

    def state(self) -> State | None:
        """Return what the schema says of itself; None where there is nothing yet."""
        with in_our_words(self.place), self._connect() as connection:
            postgres_schema.require_fit(connection, self.place)
            return postgres_schema.state(connection, self.schema, self.place)

    def now(self) -> datetime:
        """Return the server's time."""
        return self._clock.now()

    def put_in_use(self) -> None:
        """Let a copy be the store from now on; one that is in use stays so."""
        with self.writing() as connection:
            connection.exec_driver_sql(
                "UPDATE store_state SET standing = %s", (Standing.LIVE.value,)
            )

    def is_owner(self) -> bool:
        """Return whether the user that connects owns the schema, or has its owner's role."""
        with in_our_words(self.place), self._connect() as connection:
            row = connection.execute(
                "SELECT pg_has_role(current_user, nspowner, 'MEMBER') "
                "FROM pg_catalog.pg_namespace WHERE nspname = %s",
                [self.schema],
            ).fetchone()
            return row is not None and bool(row[0])


def _driver(connection: sa.Connection) -> Connection:
    raw: object = connection.connection.dbapi_connection
    assert isinstance(raw, psycopg.Connection)  # noqa: S101 - the creator made it
    return raw


def _let_go(connection: sa.Connection) -> None:
    """Give the connection back to the pool, its transaction undone; a dead one is not kept."""
    if not connection.invalidated and _driver(connection).closed:
        connection.invalidate()
    connection.close()
