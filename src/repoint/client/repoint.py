"""An open workspace."""

from __future__ import annotations

import os
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Self

from repoint.client.index import Index
from repoint.client.keeping import Keeper
from repoint.domain.access import Action, Role
from repoint.domain.ids import Actor, IndexName, index_name
from repoint.operations import documents, grants, reconcile
from repoint.operations.reconcile import Mended
from repoint.operations.session import Session, authorise
from repoint.wiring.backends import KnownBackend
from repoint.wiring.migration import migrate_store
from repoint.wiring.stores import StoreFacts
from repoint.wiring.workspace import Workspace, find_home, make_workspace, open_workspace

if TYPE_CHECKING:
    from repoint.client.evidence import Evidence
    from repoint.stores.sql.migrating import Migrated


class Repoint:
    """A workspace: one folder with the control store, the collections and the evidence.

    Safe to use from many threads; many processes may open one folder. Close it, or use it
    as a context manager: an open one is registered as a process that serves.
    """

    def __init__(self, workspace: Workspace, *, keep_in_step: bool = True) -> None:
        self._workspace = workspace
        self._keep_in_step = keep_in_step
        self._lock = threading.Lock()
        self._keepers: dict[IndexName, Keeper] = {}

    @classmethod
    def init(
        cls, folder: str | os.PathLike[str] | None = None, *, store_url: str | None = None
    ) -> Repoint:
        """Make a workspace and open it; its control store is in the folder, or at the URL.

        Raises:
            AlreadyExistsError: the folder is one already.
        """
        home = find_home(folder)
        make_workspace(home, store_url=store_url)
        return cls.open(home, store_url=store_url)

    @classmethod
    def open(
        cls,
        folder: str | os.PathLike[str] | None = None,
        *,
        actor: str | None = None,
        keep_in_step: bool = True,
        program: str = "",
        store_url: str | None = None,
    ) -> Repoint:
        """Open a workspace: the folder given, else ``REPOINT_HOME``, else ``.repoint``.

        ``store_url`` stands in for the configured URL of a control store on PostgreSQL, as
        the environment variable ``REPOINT_STORE_URL`` does.
        ``keep_in_step`` lets a thread of this process bring its own writes into every live
        release; without it, ``repoint worker`` or ``sync`` does.

        Raises:
            NotFoundError: there is no workspace.
        """
        workspace = open_workspace(
            find_home(folder), actor=actor, program=program, store_url=store_url
        )
        return cls(workspace, keep_in_step=keep_in_step)

    @property
    def workspace(self) -> Workspace:
        """What the composition root put together, for doors and drivers."""
        return self._workspace

    @property
    def session(self) -> Session:
        """Who acts here, on what; the first argument of every operation."""
        return self._workspace.session

    def index(self, name: str) -> Index:
        """Return an index by name.

        Raises:
            NotFoundError: there is no such index.
        """
        checked = index_name(name)
        with self.session.store.read() as view:
            view.indexes.require(checked)
        return Index(self._workspace, checked, keeper=self._keeper(checked))

    def create_index(self, name: str) -> Index:
        """Make an empty index and return it.

        Raises:
            AlreadyExistsError: the name is taken.
        """
        documents.create_index(self.session, index_name(name))
        return self.index(name)

    def indexes(self) -> list[str]:
        """Return the names of all indexes."""
        with self.session.store.read() as view:
            return list(view.indexes.names())

    def store(self) -> StoreFacts:
        """Return where the control store is, and what time it is there."""
        authorise(self.session, Action.READ, None)
        return self._workspace.store

    @staticmethod
    def migrate_store(
        folder: str | os.PathLike[str] | None = None,
        *,
        to: str,
        schema_name: str = "repoint",
        actor: str | None = None,
    ) -> Migrated:
        """Move a workspace's control store from its file to a PostgreSQL database.

        Everything is copied and verified before the workspace names the new place; killed
        at any point, it is finished by the same call. No process may be at work meanwhile.
        """
        return migrate_store(find_home(folder), url=to, schema_name=schema_name, actor=actor)

    def backends(self) -> list[KnownBackend]:
        """Return every backend that a spec may name, and whether it can be used here."""
        authorise(self.session, Action.READ, None)
        return self._workspace.drivers.backends()

    @property
    def evidence(self) -> Evidence:
        """What explains a move of the pointer, as one signed file."""
        from repoint.client.evidence import Evidence  # noqa: PLC0415 - a rollback needs none of it

        return Evidence(self._workspace)

    def reconcile(self) -> tuple[list[Mended], list[str]]:
        """Finish what a crash left half done; return what was mended and what could not be."""
        return reconcile.reconcile(self.session)

    def grant(self, actor: str, role: str, index: str | None = None) -> None:
        """Give someone a role on an index, or on all of them."""
        where = index_name(index) if index else None
        grants.grant(self.session, Actor(actor), Role(role), where)

    def revoke(self, actor: str, role: str, index: str | None = None) -> bool:
        """Take a role back; False when it was not held."""
        where = index_name(index) if index else None
        return grants.revoke(self.session, Actor(actor), Role(role), where)

    def verify_audit(self) -> int:
        """Return the number of audit records, all verified.

        Raises:
            BrokenAuditError: the chain does not verify.
        """
        return grants.verify_audit(self.session)

    def close(self, *, settle_seconds: float = 0.0) -> None:
        """Leave the registry and close everything; twice is no error.

        Writes of this process that no live release has yet are brought into step for at
        most ``settle_seconds``; the log has them in any case.
        """
        with self._lock:
            keepers = list(self._keepers.values())
            self._keepers.clear()
        for keeper in keepers:
            keeper.close(settle_seconds=settle_seconds)
        self._workspace.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _keeper(self, index: IndexName) -> Keeper:
        with self._lock:
            if index not in self._keepers:
                self._keepers[index] = Keeper(self.session, index, enabled=self._keep_in_step)
            return self._keepers[index]
