"""The pointer: which release answers, fenced by an epoch that every move raises by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """Who answers for an index at one epoch."""

    index: IndexName
    epoch: Epoch
    active: ReleaseName | None
    fallback: ReleaseName | None

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
        the failed release back.
        """
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
