"""What guards saw and decided, who guards, what they were told; and what was rehearsed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from repoint.domain.document import Json
    from repoint.domain.drills import Drill
    from repoint.domain.guarding import Alert, Decision, DecisionState, Look
    from repoint.domain.ids import Epoch, IndexName, ProcessId, ReleaseName


class Guarding(Protocol):
    """Looks, decisions, alerts, and the lease of whoever guards."""

    def take(
        self, index: IndexName, owner: ProcessId, *, now: datetime, until: datetime
    ) -> bool:
        """Take or keep the guard's lease; False while another holds it [one-guard]."""
        ...

    def holder(self, index: IndexName) -> ProcessId | None:
        """Return who took the lease last, whether it has run out or not."""
        ...

    def let_go(self, index: IndexName, owner: ProcessId) -> None:
        """Give the lease back; one that is not held is no error."""
        ...

    def next_look(self, index: IndexName, epoch: Epoch) -> int:
        """Return the number of the next look at this epoch, from 1."""
        ...

    def add_look(self, look: Look) -> None:
        """Store a look.

        Raises:
            ConflictError: it is not the one that comes next.
        """
        ...

    def last_look(self, index: IndexName) -> Look | None:
        """Return the newest look."""
        ...

    def looks(self, index: IndexName, *, limit: int) -> list[Look]:
        """Return looks, newest first."""
        ...

    def forget_looks(self, index: IndexName, *, before: datetime) -> int:
        """Remove old looks, never the newest; return how many."""
        ...

    def decide(self, decision: Decision) -> Decision:
        """Store a decision and return it with its number.

        Raises:
            ConflictError: another one is still to be carried out [one-open-decision].
        """
        ...

    def settle(
        self, decision: Decision, state: DecisionState, *, outcome: Mapping[str, Json]
    ) -> Decision:
        """Say what became of a decision, once [decisions-are-kept].

        Raises:
            ConflictError: somebody said so already.
        """
        ...

    def open_decision(self, index: IndexName) -> Decision | None:
        """Return the decision that is still to be carried out."""
        ...

    def decisions(self, index: IndexName, *, limit: int | None = None) -> list[Decision]:
        """Return decisions, newest first."""
        ...

    def put_alert(self, index: IndexName, alert: Alert) -> None:
        """Store an alert's newest state; one that is older changes nothing [deduplicated]."""
        ...

    def alerts(self, index: IndexName) -> list[Alert]:
        """Return every alert in its newest state, by name and fingerprint."""
        ...

    def forget_alerts(self, index: IndexName, *, before: datetime) -> int:
        """Remove alerts that are over and were heard of before; return how many."""
        ...


class Drills(Protocol):
    """Rehearsals."""

    def add(self, drill: Drill) -> Drill:
        """Store a drill and return it with its number; none is ever changed [drills-are-kept].

        Raises:
            NotFoundError: no such release.
        """
        ...

    def newest(
        self, index: IndexName, *, ahead: ReleaseName, back: ReleaseName
    ) -> Drill | None:
        """Return the newest drill of these two."""
        ...

    def all(self, index: IndexName, *, limit: int | None = None) -> list[Drill]:
        """Return drills, newest first."""
        ...
