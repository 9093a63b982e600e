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
from repoint.operations.session import Session, authorise, may
from repoint.wiring.backends import KnownBackend
from repoint.wiring.migration import migrate_store
from repoint.wiring.stores import StoreFacts
from repoint.wiring.workspace import Workspace, find_home, make_workspace, open_workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from repoint.client.evidence import Evidence
    from repoint.domain.spec import ReleaseSpec
    from repoint.operations.adopt import AdoptionPlan, AdoptionProgress, AdoptionReport
    from repoint.ports.adoption import Wish
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

    def adopt(  # noqa: PLR0913 - what is adopted as what
        self,
        name: str,
        release: str,
        wish: Wish,
        *,
        spec: ReleaseSpec | Path | str,
        backend: str | None = None,
        tolerate: float = 0.0,
        progress: Callable[[AdoptionProgress], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> AdoptionReport:
        """Make a collection that you have already a release of a new index, where it stands.

        Nothing is embedded again but a sample, which proves that the spec made these
        vectors; ``tolerate`` is the share of it that may be off. Stopped or killed at any
        point, the same call goes on.

        Raises:
            WrongDeclarationError: the spec did not make them; nothing was written.
            ConflictError: the index has documents or releases of its own.
        """
        from repoint.client import adopting  # noqa: PLC0415 - a rollback needs none of it

        declared = adopting.declaration(wish, spec, backend=backend, tolerate=tolerate)
        drivers = self._workspace.drivers
        return adopting.take_over(
            self.session, drivers, name, release, declared, progress, stop
        )

    def plan_adoption(
        self,
        name: str,
        release: str,
        wish: Wish,
        *,
        spec: ReleaseSpec | Path | str,
        backend: str | None = None,
    ) -> AdoptionPlan:
        """Return what ``adopt`` would do and what stands in its way; nothing is written."""
        from repoint.client import adopting  # noqa: PLC0415 - as above

        declared = adopting.declaration(wish, spec, backend=backend, tolerate=0.0)
        return adopting.plan_to_adopt(
            self.session, self._workspace.drivers, name, release, declared
        )

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

    def reconcile(
        self, *, repair_alias: bool = False, reason: str = ""
    ) -> tuple[list[Mended], list[str]]:
        """Finish what a crash left half done; return what was mended and what was not.

        ``repair_alias`` also points back what somebody moved past repoint.
        """
        mended, left = reconcile.reconcile(
            self.session, repair_alias=repair_alias, reason=reason
        )
        for name in self.indexes():
            self._tidy(IndexName(name), mended, left)
        return mended, left

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

    def _tidy(self, index: IndexName, mended: list[Mended], left: list[str]) -> None:
        """Settle what a guard left behind; what is still to be done is for a guard to do."""
        with self.session.store.read() as view:
            if view.guarding.open_decision(index) is None:
                return
        if not may(self.session, Action.RECONCILE, index):
            return
        from repoint.domain.guarding import DecisionState  # noqa: PLC0415 - hardly ever needed
        from repoint.operations.guard import acting  # noqa: PLC0415 - as above

        found = acting.tidy(self.session, index)
        if found is not None and found.state is DecisionState.DECIDED:
            left.append(
                f"{index}: decision {found.number} of a guard is to be carried out: "
                f"repoint guard {index} --once"
            )
        elif found is not None:
            what = f"decision {found.number} of a guard is {found.state}"
            mended.append(Mended(index=index, what=what))

    def _keeper(self, index: IndexName) -> Keeper:
        with self._lock:
            if index not in self._keepers:
                self._keepers[index] = Keeper(self.session, index, enabled=self._keep_in_step)
            return self._keepers[index]
