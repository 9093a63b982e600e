"""Connections to the server, what each is prepared with, and its errors as ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Final, TypeVar

import numpy as np
import psycopg
from psycopg import errors, pq, sql
from psycopg.abc import Buffer
from psycopg.adapt import Dumper, Loader
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import TupleRow
from psycopg.types import TypeInfo

from repoint.domain.errors import (
    BackendUnavailableError,
    CollectionMissingError,
    MissingSettingError,
    RepointError,
    RowsRefusedError,
    UnsupportedError,
)
from repoint.ports.backend import FloatMatrix, FloatVector

T = TypeVar("T")

#: Connections that are kept for the next call.
KEPT: Final = 8
#: How often a call is made that lost its connection, or to which others were in the way.
ATTEMPTS: Final = 3
#: Seconds to wait for a connection.
CONNECT_S: Final = 10
#: A row is at fault: what its columns hold, what the team's constraints and triggers demand.
_BAD_ROW: Final = (
    errors.DataError,
    errors.ProgramLimitExceeded,
    errors.IntegrityError,
    errors.RaiseException,
)
#: Not these: two that make the same table at once meet in the catalogue.
_CATALOG: Final = "pg_catalog"
#: The first version whose index goes on until a filter has let enough rows through.
LEAST_VERSION: Final = (0, 8)
#: Neighbours that the index keeps in view where a spec does not say how many.
EF_SEARCH: Final = 100


@dataclass(frozen=True, slots=True)
class Packed:
    """A vector in the form that the server takes."""

    data: bytes

    @staticmethod
    def of(values: FloatVector) -> Packed:
        """Pack a vector."""
        return Packed(next(packed(values[None])))


def packed(matrix: FloatMatrix) -> Iterator[bytes]:
    """Yield each row in the form that the server takes."""
    rows, dimensions = matrix.shape
    head, width = dimensions.to_bytes(2, "big") + b"\x00\x00", 4 * dimensions
    data = matrix.astype(">f4").tobytes()
    for start in range(0, rows * width, width):
        yield head + data[start : start + width]


class _VectorDumper(Dumper):
    format = pq.Format.BINARY

    def dump(self, obj: Packed) -> Buffer:
        return obj.data


class _VectorLoader(Loader):
    format = pq.Format.BINARY

    def load(self, data: Buffer) -> FloatVector:
        return np.frombuffer(bytes(data), dtype=">f4", offset=4).astype(np.float32)


@dataclass(slots=True)
class Link:
    """One connection, and what was done to it already."""

    connection: psycopg.Connection[TupleRow]
    #: The extension is there, and the connection knows its type.
    prepared: bool = False
    #: The table through which rows are written is there.
    staged: bool = False
    #: As ``staged``, for tables that were adopted.
    adopting: bool = False
    ef_search: int = 0
    #: It was used before, so the server may have left it in the meantime.
    used: bool = False


class Connections:
    """Opens connections when they are needed. Safe to use from many threads."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = Lock()
        self._idle: list[Link] = []

    @staticmethod
    def to(url: str, *, backend: str) -> Connections:
        """Return the connections to a server, none of them open yet.

        Raises:
            MissingSettingError: it is empty, or no PostgreSQL URL.
        """
        why = ""
        try:
            if not conninfo_to_dict(url):
                why = "there is none"
        except psycopg.ProgrammingError:
            why = "it is no PostgreSQL URL"  # which part is wrong could be the password
        if why:
            raise MissingSettingError(backend=backend, setting="url", why=why)
        return Connections(url)

    def run(self, call: Callable[[Link], T], *, about: str) -> T:
        """Return what the call returns; it is made again when its connection was lost.

        Raises:
            UnavailableError: the server did not answer, or not in time.
            CollectionMissingError: the table, ``about``, is gone.
        """
        with translated(about):
            for _ in range(ATTEMPTS - 1):
                with self.use() as link:
                    stale, link.used = link.used, True
                    try:
                        return call(link)
                    except (errors.DeadlockDetected, errors.SerializationFailure):
                        continue
                    except psycopg.OperationalError:
                        if not (stale and link.connection.closed):
                            raise
            with self.use() as link:
                return call(link)

    @contextmanager
    def use(self) -> Iterator[Link]:
        """Give a connection for the length of a block; it must not be in a transaction then."""
        with self._lock:
            link = self._idle.pop() if self._idle else None
        if link is None:
            link = self._opened()
        try:
            yield link
        finally:
            idle = link.connection.info.transaction_status is pq.TransactionStatus.IDLE
            with self._lock:
                keep = idle and link.prepared and len(self._idle) < KEPT
                if keep:
                    self._idle.append(link)
            if not keep:
                link.connection.close()

    def close(self) -> None:
        """Close those that nobody uses; those in use are closed or kept at their end."""
        with self._lock:
            idle, self._idle = self._idle, []
        for link in idle:
            link.connection.close()

    def _opened(self) -> Link:
        link = Link(
            psycopg.connect(
                self._url,
                autocommit=True,
                connect_timeout=CONNECT_S,
                application_name="repoint",
                client_encoding="utf8",
            )
        )
        try:
            prepare(link)
        except BaseException:
            link.connection.close()
            raise
        return link


def prepare(link: Link) -> None:
    """Teach a connection the extension's type; without the extension it stays as it is.

    Raises:
        UnsupportedError: the extension is too old.
    """
    connection = link.connection
    found = connection.execute(
        "SELECT n.nspname, e.extversion FROM pg_extension e "
        "JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector'"
    ).fetchone()
    if found is None:
        return
    schema, version = str(found[0]), str(found[1])
    if tuple(map(int, version.split(".")[:2])) < LEAST_VERSION:
        raise UnsupportedError(
            driver="pgvector",
            what=f"version {version} of the extension",
            hint="0.8 or newer: ALTER EXTENSION vector UPDATE",
        )
    connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(schema)))
    # Moments are compared and digested as text: the same everywhere.
    connection.execute("SET TimeZone TO 'UTC'")
    # A plan for any value would not use the index: it does not know how few rows are asked.
    connection.execute("SET plan_cache_mode TO force_custom_plan")
    info = TypeInfo.fetch(connection, "vector")
    if info is None:
        raise UnsupportedError(driver="pgvector", what="an extension without its type")
    info.register(connection)
    dumper = type("VectorDumper", (_VectorDumper,), {"oid": info.oid})
    connection.adapters.register_dumper(Packed, dumper)
    connection.adapters.register_loader(info.oid, _VectorLoader)
    connection.execute("SELECT NULL::vector")  # its settings are there once it is loaded
    connection.execute("SET hnsw.iterative_scan TO strict_order")
    link.prepared = True


@contextmanager
def translated(about: str) -> Iterator[None]:
    """Turn what the client raises into our errors."""
    try:
        yield
    except UnicodeEncodeError as error:
        raise RowsRefusedError(
            driver="pgvector",
            why=f"half a surrogate pair is no text ({error.reason})",
        ) from error
    except psycopg.Error as error:
        raise _translation(error, about) from error


def _translation(error: psycopg.Error, about: str) -> RepointError:
    said = str(error).partition("\n")[0]
    if isinstance(error, errors.UndefinedTable | errors.InvalidSchemaName):
        return CollectionMissingError(collection=about)
    if isinstance(error, errors.InsufficientPrivilege):
        return BackendUnavailableError(
            f"{about}: {said}", hint="grant it to the user that repoint connects as"
        )
    if isinstance(error, _BAD_ROW) and error.diag.schema_name != _CATALOG:
        return RowsRefusedError(driver="pgvector", why=said)
    return BackendUnavailableError(f"{about}: {said}")
