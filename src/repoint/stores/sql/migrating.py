"""Moving a control store from its file to PostgreSQL, so that nothing is lost on the way.

1. The file's write lock is taken: nobody writes there until this is over.
2. In one transaction of the server everything is copied, compared and verified; the copy is
   marked as not in use. A death before its commit leaves nothing there.
3. The file is marked as moved and its lock let go: whoever has it open is refused from here
   on. A death before that leaves the file in use, and the next run copies again.
4. The copy is put in use, and the caller names it in the configuration. A death before that
   leaves a file that says where everything is; the next run only does this step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from repoint.domain.errors import RefusedError
from repoint.domain.ids import Actor
from repoint.domain.operation import Process
from repoint.ports.clock import Clock
from repoint.stores.sql import postgres_schema, schema
from repoint.stores.sql.copying import Copied, copy_all, is_empty, record_copy
from repoint.stores.sql.older_code import shut_out_older_code
from repoint.stores.sql.postgres import PostgresDatabase
from repoint.stores.sql.postgres_clock import ServerClock
from repoint.stores.sql.postgres_schema import Standing, State
from repoint.stores.sql.postgres_url import place
from repoint.stores.sql.processes import SqlProcesses
from repoint.stores.sql.sqlite import BUSY_TIMEOUT, SqliteDatabase, leave
from repoint.stores.sql.tables import documents

_PATIENCE: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    """What moving the store did."""

    #: Where it is now, without a password.
    place: str
    schema: str
    #: None: an earlier run had copied everything, and this one only put it in use.
    copied: Copied | None


def migrate(
    file: Path,
    *,
    url: str,
    schema_name: str,
    clock: Clock,
    actor: Actor,
    answers: Callable[[Process], bool],
) -> Migrated:
    """Move the store; may be run again after it was killed at any point.

    ``answers`` says whether a registered process is alive. The configuration still names
    the file afterwards: changing it is the caller's next step.

    Raises:
        RefusedError: processes are at work on the file, or the target is in use already.
        StoreUnavailableError: either store cannot be reached.
    """
    time = ServerClock(clock)
    target = PostgresDatabase(
        place(url), schema=schema_name, clock=time, busy_timeout=_PATIENCE
    )
    source = SqliteDatabase(file, clock=clock, busy_timeout=BUSY_TIMEOUT)
    try:
        moved_to = source.moved_to()
        copied = None
        if moved_to is None:
            source.prepare()
            copied = _copy(source, target, file=file, actor=actor, answers=answers)
        elif moved_to != target.place.shown or target.state() is None:
            raise RefusedError(
                f"the control store {file} was moved to {moved_to}, and not to "
                f"{target.place.shown}",
                hint=f"repoint store migrate --to {moved_to}",
            )
        target.put_in_use()
    finally:
        source.close()
        target.close()
    return Migrated(place=target.place.shown, schema=schema_name, copied=copied)


def _copy(
    source: SqliteDatabase,
    target: PostgresDatabase,
    *,
    file: Path,
    actor: Actor,
    answers: Callable[[Process], bool],
) -> Copied:
    found = target.state()
    with source.writing() as here:
        _require_quiet(here, file, answers)
        with target.writing() as there:
            _make_ready(there, target, found)
            copied = copy_all(here, there)
            if there.scalar(sa.select(sa.exists().where(documents.c.source != ""))):
                shut_out_older_code(there)
            record_copy(
                there,
                copied,
                actor=actor,
                at=target.now(),
                source=str(file),
                place=target.place.shown,
            )
            there.exec_driver_sql(
                "UPDATE store_state SET standing = %s", (Standing.COPIED.value,)
            )
        leave(here, target.place.shown)
    return copied


def _require_quiet(
    connection: sa.Connection, file: Path, answers: Callable[[Process], bool]
) -> None:
    alive = [one for one in SqlProcesses(connection).all() if answers(one)]
    if alive:
        names = ", ".join(f"{one.program} {one.host}:{one.pid}" for one in alive)
        raise RefusedError(
            f"{len(alive)} processes work on the control store {file}: {names}",
            hint="end them, move the store, then start them again",
        )


def _make_ready(
    connection: sa.Connection, target: PostgresDatabase, found: State | None
) -> None:
    """Let the target have empty tables of the newest schema.

    Raises:
        RefusedError: it is in use and has content.
    """
    if found is not None and found.standing is Standing.COPIED:
        postgres_schema.remove(connection, target.schema)  # of a run that was killed
        found = None
    if not postgres_schema.is_current(found, target.place):
        postgres_schema.upgrade(connection, target.schema, found)
    elif found is not None and found.version != schema.VERSION:
        raise RefusedError(
            f"a newer repoint made the tables in {target.place.shown}",
            hint="move the store with that one",
        )
    if not is_empty(connection):
        raise RefusedError(
            f"the control store in {target.place.shown} has content already",
            hint="name an empty database, or another schema with --schema",
        )
