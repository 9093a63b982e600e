"""Connections to a source's database: read only, and without its password in any message."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.pool import NullPool

from repoint.domain.errors import (
    BadInputError,
    MissingExtraError,
    NotFoundError,
    SourceUnavailableError,
)

#: Before the name of an environment variable that holds the URL.
ENV: Final = "env:"
#: Seconds: a rollback reads the lag from here, and goes on without when nobody answers.
_CONNECT_S: Final = 5
#: Parameters of a URL that are secrets.
_SECRET: Final = frozenset({"password", "sslpassword", "passfile", "token"})


def storable(url: str) -> str:
    """Return a URL as it may be written down: a file's path from the root.

    Raises:
        BadInputError: it cannot be read, or a password stands in it; it is not repeated.
    """
    if url.startswith(ENV):
        if not url.removeprefix(ENV).isidentifier():
            raise BadInputError(
                "after env: comes the name of an environment variable",
                hint="for instance: --sql env:CRM_URL",
            )
        return url
    found = _parsed(url)
    if found.password is not None or _SECRET & {name.lower() for name in found.query}:
        raise BadInputError(
            "the URL holds a password, which would be written down",
            hint="put the whole URL into an environment variable: --sql env:NAME",
        )
    if found.drivername.startswith("sqlite") and found.database:
        return f"sqlite:///{Path(found.database).absolute()}"
    return url


class SourceDatabase:
    """One database to read from."""

    def __init__(self, url: str) -> None:
        """Connect to nothing yet.

        Raises:
            BadInputError: there is no URL, or none that can be used.
            MissingExtraError: the library for its kind is not installed.
            NotFoundError: it is a file that is not there.
        """
        found = _parsed(_resolved(url))
        self._shown = found.render_as_string(hide_password=True)
        self._secret = str(found.password or "")
        self._engine = _engine(found)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Give a connection on which nothing can be written.

        Raises:
            SourceUnavailableError: the database did not answer.
            BadInputError: it has no such table or column, or the query is wrong.
        """
        options = {"postgresql_readonly": True} if self._is_postgres else {}
        try:
            with self._engine.connect().execution_options(**options) as connection:
                yield connection
        except exc.DBAPIError as error:
            raise self._failure(error) from None  # the driver's text may hold the password
        except exc.SQLAlchemyError as error:
            raise BadInputError(f"{self._shown}: {self._cleaned(error)}") from None

    def close(self) -> None:
        """Close what is open."""
        self._engine.dispose()

    @property
    def _is_postgres(self) -> bool:
        return self._engine.dialect.name == "postgresql"

    def _failure(self, error: exc.DBAPIError) -> BadInputError | SourceUnavailableError:
        said = f"{self._shown}: {self._cleaned(error.orig)}"
        wrong = not isinstance(error, exc.OperationalError | exc.InterfaceError) or (
            isinstance(error.orig, sqlite3.OperationalError)
            and any(word in str(error.orig) for word in ("no such", "syntax", "misuse"))
        )
        if wrong:
            return BadInputError(said, hint="compare table, query and columns with the source")
        return SourceUnavailableError(said, hint="what was read is in the log; poll again")

    def _cleaned(self, error: object) -> str:
        text = " ".join(str(error).split())
        return text.replace(self._secret, "***") if self._secret else text


def _resolved(url: str) -> str:
    if not url.startswith(ENV):
        return url
    variable = url.removeprefix(ENV)
    value = os.environ.get(variable, "").strip()
    if not value:
        raise BadInputError(
            f"the environment variable {variable} with the source's URL is not set",
            hint=f"export {variable}=…",
        )
    return value


def _parsed(url: str) -> sa.URL:
    try:
        found = sa.make_url(url)
    except (exc.ArgumentError, ValueError) as error:
        raise BadInputError(
            "the source's URL cannot be read",
            hint="write for instance postgresql://user@host/database or sqlite:///file.db",
        ) from error
    if found.drivername in {"postgresql", "postgres"}:
        return found.set(drivername="postgresql+psycopg")
    return found


def _engine(url: sa.URL) -> sa.Engine:
    if url.drivername.startswith("sqlite"):
        return _sqlite(url)
    try:
        patience = {}
        if url.drivername.startswith("postgresql"):
            patience = {"connect_timeout": _CONNECT_S}
        return sa.create_engine(url, poolclass=NullPool, connect_args=patience)
    except ImportError as missing:
        if url.drivername.startswith("postgresql"):
            raise MissingExtraError(
                driver="a source on PostgreSQL", extra="postgres"
            ) from missing
        raise BadInputError(
            f"the library for {url.drivername} is not installed: {missing}",
            hint="install the one that SQLAlchemy names for it",
        ) from missing
    except exc.NoSuchModuleError as error:
        raise BadInputError(
            f"there is no kind of database {url.drivername!r}",
            hint="for instance postgresql, sqlite, mysql+pymysql",
        ) from error


def _sqlite(url: sa.URL) -> sa.Engine:
    """Return an engine on a file that is there; SQLite would make one that is not."""
    path = Path(url.database or "")
    if not path.is_file():
        raise NotFoundError(what="file", name=str(path))
    # Opened for writing, since a database in WAL mode needs its shared memory; held to reading.

    def connect() -> sqlite3.Connection:
        made = sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=10)
        made.execute("PRAGMA query_only = 1")
        return made

    return sa.create_engine("sqlite://", creator=connect, poolclass=NullPool)
