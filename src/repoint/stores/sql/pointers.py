"""The pointer, its append-only history, and rollouts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa

from repoint.domain.canary import Canary
from repoint.domain.errors import ConflictError, StaleEpochError
from repoint.domain.ids import Actor, Epoch, IndexName, ReleaseName
from repoint.domain.operation import Rollout
from repoint.domain.pointer import Move, MoveKind, Pointer
from repoint.domain.rollout import FINAL, Event, Phase, after
from repoint.stores.sql import codec
from repoint.stores.sql.indexes import require_index
from repoint.stores.sql.policies import newest_version
from repoint.stores.sql.releases import require_release
from repoint.stores.sql.tables import moves, rollouts
from repoint.stores.sql.traffic_tables import canaries

_OPEN = tuple(phase.value for phase in Phase if phase not in FINAL)


class SqlPointers:
    """``ports.store.Pointers`` on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def pointer(self, index: IndexName) -> Pointer:
        """Return who answers now."""
        newest = self.moves(index, limit=1)
        if newest:
            return newest[0].after
        require_index(self._connection, index)
        return Pointer.unset(index)

    def move(self, move: Move) -> None:
        """Append the move: one compare-and-set on its ``before.epoch`` (INV-4).

        Raises:
            ValueError: the move does not lead from the pointer to the next epoch.
        """
        index = move.before.index
        now = self.pointer(index)
        if now.epoch != move.before.epoch:
            raise StaleEpochError(index=index, expected=move.before.epoch, found=now.epoch)
        if now != move.before or move.after.epoch != now.epoch + 1:
            raise ValueError(f"a move from {move.before} to {move.after} is none of {now}")
        for release in (move.after.active, move.after.fallback):
            if release is not None:
                require_release(self._connection, index, release)
        self._connection.execute(
            sa.insert(moves).values(
                index_name=index,
                epoch=move.after.epoch,
                kind=move.kind.value,
                before_active=move.before.active,
                before_fallback=move.before.fallback,
                after_active=move.after.active,
                after_fallback=move.after.fallback,
                actor=move.actor,
                reason=move.reason,
                at=move.at,
                checked=codec.encode(move.checked),
            )
        )
        if move.after.canary is not None:
            self._add_canary(move.after, move.after.canary)

    def moves(self, index: IndexName, *, limit: int | None = None) -> list[Move]:
        """Return the moves, newest first."""
        newest = (
            sa.select(moves)
            .where(moves.c.index_name == index)
            .order_by(moves.c.epoch.desc())
            .limit(limit)
        )
        found = self._connection.execute(newest).all()
        tried = self._canaries(index, above=found[-1].epoch - 2) if found else {}
        return [_move(row, tried) for row in found]

    def _canaries(self, index: IndexName, *, above: int) -> dict[int, Canary]:
        """Return the canaries of the moves above an epoch."""
        found = self._connection.execute(
            sa.select(canaries).where(canaries.c.index_name == index, canaries.c.epoch > above)
        )
        return {
            row.epoch: Canary(
                release=ReleaseName(row.release),
                share=row.share,
                tenants=tuple(
                    (name, float(share))
                    for name, share in codec.decode(row.tenants).items()
                    if isinstance(share, int | float)
                ),
                since=Epoch(row.since),
                interleaved=bool(row.interleaved),
            )
            for row in found
        }

    def _add_canary(self, pointer: Pointer, canary: Canary) -> None:
        require_release(self._connection, pointer.index, canary.release)
        self._connection.execute(
            sa.insert(canaries).values(
                index_name=pointer.index,
                epoch=pointer.epoch,
                release=canary.release,
                share=canary.share,
                tenants=codec.encode(dict(canary.tenants)),
                since=canary.since,
                interleaved=canary.interleaved,
            )
        )

    def open_rollout(self, index: IndexName, release: ReleaseName, *, at: datetime) -> Rollout:
        """Open a rollout at PREPARING."""
        require_release(self._connection, index, release)
        if (found := self.rollout(index)) is not None:
            raise ConflictError(
                f"index {index!r} has an open rollout of {found.release!r}: {found.phase}",
                hint=f"finish or abort it first; see: repoint status {index}",
            )
        number = self._connection.scalar(sa.select(sa.func.max(rollouts.c.id)))
        policy = newest_version(self._connection, index)
        self._connection.execute(
            sa.insert(rollouts).values(
                id=(number or 0) + 1,
                index_name=index,
                release=release,
                phase=Phase.PREPARING.value,
                opened_at=at,
                changed_at=at,
                policy=policy,
            )
        )
        return Rollout(
            id=(number or 0) + 1,
            index=index,
            release=release,
            phase=Phase.PREPARING,
            opened_at=at,
            changed_at=at,
            policy=policy,
        )

    def rollout(self, index: IndexName) -> Rollout | None:
        """Return the open rollout."""
        row = self._connection.execute(
            sa.select(rollouts).where(
                rollouts.c.index_name == index, rollouts.c.phase.in_(_OPEN)
            )
        ).one_or_none()
        return None if row is None else _rollout(row)

    def advance(self, rollout: Rollout, event: Event, *, at: datetime) -> Rollout:
        """Apply an event to the open rollout."""
        phase = after(rollout.phase, event)
        changed = self._connection.execute(
            sa.update(rollouts)
            .where(rollouts.c.id == rollout.id, rollouts.c.phase == rollout.phase.value)
            .values(phase=phase.value, changed_at=at)
        )
        if changed.rowcount != 1:
            raise ConflictError(
                f"the rollout of {rollout.release!r} is no longer {rollout.phase}",
                hint=f"see: repoint status {rollout.index}",
            )
        return Rollout(
            id=rollout.id,
            index=rollout.index,
            release=rollout.release,
            phase=phase,
            opened_at=rollout.opened_at,
            changed_at=at,
            policy=rollout.policy,
        )


def _release(name: str | None) -> ReleaseName | None:
    return None if name is None else ReleaseName(name)


def _move(row: sa.Row[tuple[object, ...]], tried: Mapping[int, Canary]) -> Move:
    index = IndexName(row.index_name)
    return Move(
        kind=MoveKind(row.kind),
        before=Pointer(
            index=index,
            epoch=Epoch(row.epoch - 1),
            active=_release(row.before_active),
            fallback=_release(row.before_fallback),
            canary=tried.get(row.epoch - 1),
        ),
        after=Pointer(
            index=index,
            epoch=Epoch(row.epoch),
            active=_release(row.after_active),
            fallback=_release(row.after_fallback),
            canary=tried.get(row.epoch),
        ),
        actor=Actor(row.actor),
        reason=row.reason,
        at=row.at,
        checked=codec.decode(row.checked),
    )


def _rollout(row: sa.Row[tuple[object, ...]]) -> Rollout:
    return Rollout(
        id=row.id,
        index=IndexName(row.index_name),
        release=ReleaseName(row.release),
        phase=Phase(row.phase),
        opened_at=row.opened_at,
        changed_at=row.changed_at,
        policy=row.policy,
    )
