"""The pointer: which release answers, fenced by an epoch that every move raises by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from repoint.domain.canary import Canary
from repoint.domain.document import Json
from repoint.domain.errors import RefusedMoveError
from repoint.domain.ids import NEVER_MOVED, Actor, Epoch, IndexName, ReleaseName


class MoveKind(StrEnum):
    """Why the pointer moved."""

    #: The first promotion: nothing answered before, so there is no way back.
    ACTIVATE = "activate"
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    #: The soak ended: the fallback is let go; who answers stays.
    ACCEPT = "accept"
    #: A candidate answers a share of the live queries from now on, or another share.
    CANARY = "canary"
    #: It answers none any more; who answers the rest stays.
    END_CANARY = "end-canary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """Who answers for an index at one epoch."""

    index: IndexName
    epoch: Epoch
    active: ReleaseName | None
    fallback: ReleaseName | None
    #: Who answers a share of the queries in place of the active release.
    canary: Canary | None = None

    @staticmethod
    def unset(index: IndexName) -> Pointer:
        """Return the pointer of an index that nothing was promoted in."""
        return Pointer(index=index, epoch=NEVER_MOVED, active=None, fallback=None)

    def promoted(self, release: ReleaseName) -> Pointer:
        """Return the next pointer, with the release in front and today's active behind it."""
        if release == self.active:
            raise RefusedMoveError(index=self.index, why=f"{release} is already active")
        return Pointer(
            index=self.index, epoch=self._next(), active=release, fallback=self.active
        )

    def rolled_back(self) -> Pointer:
        """Return the next pointer, with the fallback in front and nothing behind it.

        Nothing behind it, so that a second rollback typed by a second person cannot bring
        the failed release back. Where the candidate is only tried by a canary, going back
        is to end that: the active release answers everything.
        """
        if self.canary is not None and self.fallback is None:
            return self.without_canary()
        if self.fallback is None:
            raise RefusedMoveError(
                index=self.index,
                why="there is no fallback to go back to: "
                + (f"{self.active} answers alone" if self.active else "nothing was promoted"),
            )
        return Pointer(
            index=self.index, epoch=self._next(), active=self.fallback, fallback=None
        )

    def accepted(self) -> Pointer:
        """Return the next pointer, which lets the fallback go."""
        if self.fallback is None:
            raise RefusedMoveError(index=self.index, why="no soak is under way to accept")
        return Pointer(index=self.index, epoch=self._next(), active=self.active, fallback=None)

    def with_canary(self, canary: Canary) -> Pointer:
        """Return the next pointer, with a candidate that answers a share of the queries."""
        if self.active is None:
            raise RefusedMoveError(
                index=self.index, why="nothing was promoted, so there is nothing to try against"
            )
        if canary.release == self.active:
            raise RefusedMoveError(index=self.index, why=f"{canary.release} is already active")
        if self.fallback is not None:
            raise RefusedMoveError(
                index=self.index,
                why=f"{self.active} is in soak",
                hint=f"end it first: repoint accept {self.index} {self.active}",
            )
        return replace(self, epoch=self._next(), canary=canary)

    def without_canary(self) -> Pointer:
        """Return the next pointer, at which the active release answers everything."""
        if self.canary is None:
            raise RefusedMoveError(index=self.index, why="there is no canary to end")
        return replace(self, epoch=self._next(), canary=None)

    @property
    def on_trial(self) -> ReleaseName | None:
        """The release that a rollback takes away: it soaks, or it has a canary's share."""
        if self.fallback is None and self.canary is not None:
            return self.canary.release
        return self.active

    def _next(self) -> Epoch:
        return Epoch(self.epoch + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One entry of the append-only table of moves; the newest one is the pointer."""

    kind: MoveKind
    before: Pointer
    after: Pointer
    actor: Actor
    reason: str
    at: datetime
    #: What was checked before the move, finding by finding.
    checked: Mapping[str, Json]
