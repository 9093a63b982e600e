"""Opening the control store that a workspace's configuration names."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from repoint.domain.errors import BadSpecError, MissingExtraError
from repoint.ports.clock import Clock
from repoint.ports.store import Store
from repoint.wiring.config import CONFIG_FILE, StoreConfig

if TYPE_CHECKING:
    from repoint.stores.sql.postgres import PostgresStore

#: In place of the configured URL, so that no file needs to hold a password.
URL_VARIABLE: Final = "REPOINT_STORE_URL"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """Where a control store is, and what time it is there."""

    kind: str
    #: A file, or a URL without its password.
    place: str
    #: The schema of the database; empty for a file.
    schema_name: str
    #: Whether this process's user owns it: they decide until a first role is granted.
    is_owner: bool
    #: How much the store's clock is ahead of this machine's, and how well that is known.
    clock_offset: timedelta
    clock_bound: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedStore:
    """A control store, ready to use."""

    store: Store
    #: The time that all who share the store have in common.
    clock: Clock
    facts: StoreFacts


def open_store(
    config: StoreConfig, *, home: Path, clock: Clock, url: str | None = None
) -> OpenedStore:
    """Open the store, making it or bringing its schema up to date first.

    Raises:
        MissingExtraError: it is on PostgreSQL, and the library for that is not installed.
        BadSpecError: it is on PostgreSQL, and no URL is given.
        StoreUnavailableError: it cannot be reached.
    """
    if config.kind == "postgres":
        store = open_postgres(store_url(config, home=home, url=url), config, clock=clock)
        facts = StoreFacts(
            kind=config.kind,
            place=store.database.place.shown,
            schema_name=config.schema_name,
            is_owner=store.database.is_owner(),
            clock_offset=store.clock.offset,
            clock_bound=store.clock.bound,
        )
        return OpenedStore(store=store, clock=store.clock, facts=facts)
    from repoint.stores.sql import SqliteStore  # noqa: PLC0415 - loads SQLAlchemy

    file = home / config.file
    opened = SqliteStore.open(file, clock=clock)
    facts = StoreFacts(
        kind=config.kind,
        place=str(file),
        schema_name="",
        is_owner=file.stat().st_uid == os.geteuid(),
        clock_offset=timedelta(),
        clock_bound=timedelta(),
    )
    return OpenedStore(store=opened, clock=clock, facts=facts)


def open_postgres(url: str, config: StoreConfig, *, clock: Clock) -> PostgresStore:
    """Open a store on PostgreSQL.

    Raises:
        MissingExtraError: the library for it is not installed.
    """
    require_postgres()
    from repoint.stores.sql.postgres import PostgresStore  # noqa: PLC0415 - an extra

    return PostgresStore.open(url, clock=clock, schema=config.schema_name)


def require_postgres() -> None:
    """Return if PostgreSQL can be talked to.

    Raises:
        MissingExtraError: its library is not installed, or finds no libpq.
    """
    try:
        import psycopg  # noqa: F401, PLC0415 - an extra, and slow to load
    except ImportError as missing:
        raise MissingExtraError(
            driver="a control store on PostgreSQL", extra="postgres"
        ) from missing


def store_url(config: StoreConfig, *, home: Path, url: str | None = None) -> str:
    """Return the URL given, else ``REPOINT_STORE_URL``, else the configured one.

    Raises:
        BadSpecError: there is none.
    """
    found = url or os.environ.get(URL_VARIABLE) or config.url
    if not found:
        raise BadSpecError(
            source=str(home / CONFIG_FILE),
            field="store.url",
            why="a control store on PostgreSQL needs a URL",
            hint=f"write it there, or into the environment variable {URL_VARIABLE}",
        )
    return found


def shown_url(url: str) -> str:
    """Return the URL without its password.

    Raises:
        MissingExtraError: the library for PostgreSQL is not installed.
        BadInputError: it is no URL of a PostgreSQL database.
    """
    require_postgres()
    from repoint.stores.sql.postgres_url import place  # noqa: PLC0415 - only with the extra

    return place(url).shown
