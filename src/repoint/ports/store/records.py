"""What was done by whom, and who may do what."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from repoint.domain.access import Role
from repoint.domain.audit import AuditRecord, Outcome
from repoint.domain.document import Json
from repoint.domain.ids import Actor, IndexName, ReleaseName
from repoint.domain.operation import Hold


class Audit(Protocol):
    """The chain of records (INV-7). Nothing in it is ever changed or removed."""

    def append(  # noqa: PLR0913 - one keyword a field of the record
        self,
        *,
        at: datetime,
        actor: Actor,
        action: str,
        index: str = "",
        outcome: Outcome = Outcome.DONE,
        reason: str = "",
        details: Mapping[str, Json] | None = None,
    ) -> AuditRecord:
        """Append a record that carries the hash of the one before."""
        ...

    def records(
        self, *, after: int = 0, limit: int | None = None, index: str | None = None
    ) -> list[AuditRecord]:
        """Return records in order."""
        ...


class Access(Protocol):
    """Roles and holds."""

    def grant(self, actor: Actor, role: Role, index: IndexName | None) -> None:
        """Give a role on one index, or with None on all; twice is no error."""
        ...

    def revoke(self, actor: Actor, role: Role, index: IndexName | None) -> bool:
        """Take a role back; False when it was not held."""
        ...

    def roles(self, actor: Actor, index: IndexName | None) -> frozenset[Role]:
        """Return the roles that count for the index, those on all indexes included."""
        ...

    def grants(self) -> list[tuple[Actor, Role, IndexName | None]]:
        """Return every grant."""
        ...

    def place_hold(self, hold: Hold) -> None:
        """Forbid deleting; one hold a reason and release, placed twice is no error."""
        ...

    def lift_holds(self, index: IndexName, release: ReleaseName) -> int:
        """Lift all holds on a release and return how many there were."""
        ...

    def holds(self, index: IndexName) -> list[Hold]:
        """Return the holds of an index."""
        ...
