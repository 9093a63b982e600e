"""``repoint store migrate``: the control store's way from a file to PostgreSQL."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from repoint.domain.access import Action
from repoint.domain.errors import NotFoundError, NotPermittedError, RefusedError
from repoint.domain.ids import Actor, actor_name
from repoint.domain.operation import Process
from repoint.operations.session import authorise
from repoint.ports.clock import Clock
from repoint.wiring.clock import SystemClock
from repoint.wiring.config import CONFIG_FILE, StoreConfig, read_config, write_store
from repoint.wiring.host import LocalHost, user_name
from repoint.wiring.stores import require_postgres, shown_url
from repoint.wiring.workspace import open_workspace

if TYPE_CHECKING:
    from repoint.stores.sql.migrating import Migrated


def migrate_store(
    home: Path,
    *,
    url: str,
    schema_name: str = "repoint",
    actor: str | None = None,
    clock: Clock | None = None,
) -> Migrated:
    """Copy the store into PostgreSQL, verify the copy, and only then name it in the config.

    Nothing is lost if this is killed: the same command finishes it.

    Raises:
        NotFoundError: there is no workspace.
        RefusedError: the store is in PostgreSQL already, processes are at work on it, or
            the target has content.
        NotPermittedError: the actor may not move it.
    """
    if not (home / CONFIG_FILE).is_file():
        raise NotFoundError(what="workspace at", name=str(home))
    config = read_config(home / CONFIG_FILE).store
    named = StoreConfig(
        kind="postgres", file=config.file, url=shown_url(url), schema_name=schema_name
    )
    if config.kind != "sqlite":
        raise RefusedError(
            f"the control store of {home} is no file: it is {config.url or 'in PostgreSQL'}",
            hint="repoint moves a store from a file into PostgreSQL, not on from there",
        )
    require_postgres()
    from repoint.stores.sql.migrating import migrate  # noqa: PLC0415 - an extra

    who = actor_name(actor or os.environ.get("REPOINT_ACTOR") or user_name())
    time = clock or SystemClock()
    _require_permission(home, home / config.file, who)
    host = LocalHost(time)

    def answers(process: Process) -> bool:
        return process.lease_until > time.now() and (
            process.host != host.name or host.runs(process.pid, started_at=process.started_at)
        )

    moved = migrate(
        home / config.file, url=url, schema_name=schema_name, clock=time, actor=who,
        answers=answers,
    )  # fmt: skip
    write_store(home / CONFIG_FILE, named)
    return moved


def _require_permission(home: Path, file: Path, actor: Actor) -> None:
    """Return if the actor may move the store.

    Raises:
        NotPermittedError: they may not; where the store can be opened it is on record.
    """
    from repoint.stores.sql.sqlite import is_moved  # noqa: PLC0415 - loads SQLAlchemy

    if not is_moved(file):
        workspace = open_workspace(home, actor=actor)
        try:
            authorise(workspace.session, Action.MIGRATE_STORE, None)
        finally:
            workspace.close()
    elif file.stat().st_uid != os.geteuid():  # moved: there are no roles to ask any more
        raise NotPermittedError(
            actor=actor, action=Action.MIGRATE_STORE, index="", needs="admin"
        )
