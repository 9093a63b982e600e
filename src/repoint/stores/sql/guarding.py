"""Guards: their lease, their looks and decisions, and the alerts they were told of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import cast

import sqlalchemy as sa

from repoint.domain.document import Json
from repoint.domain.errors import ConflictError
from repoint.domain.gates import Outcome
from repoint.domain.guarding import Alert, Decision, DecisionState, Look, TriggerResult
from repoint.domain.ids import Actor, Epoch, IndexName, ProcessId, ReleaseName
from repoint.domain.triggers import Act
from repoint.stores.sql import codec
from repoint.stores.sql.dialect import insert
from repoint.stores.sql.guarding_tables import (
    guard_alerts,
    guard_decisions,
    guard_leases,
    guard_looks,
)
from repoint.stores.sql.indexes import require_index


class SqlGuarding:
    """``ports.store.Guarding`` on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def take(
        self, index: IndexName, owner: ProcessId, *, now: datetime, until: datetime
    ) -> bool:
        """Take or keep the guard's lease; False while another holds it."""
        require_index(self._connection, index)
        held = self._connection.execute(
            sa.select(guard_leases).where(guard_leases.c.index_name == index)
        ).one_or_none()
        if held is not None and held.owner != owner and held.until > now:
            return False
        values = {"owner": owner, "until": until}
        self._connection.execute(
            insert(self._connection, guard_leases)
            .values(index_name=index, **values)
            .on_conflict_do_update(index_elements=["index_name"], set_=values)
        )
        return True

    def holder(self, index: IndexName) -> ProcessId | None:
        """Return who took the lease last, whether it has run out or not."""
        found = self._connection.scalar(
            sa.select(guard_leases.c.owner).where(guard_leases.c.index_name == index)
        )
        return None if found is None else ProcessId(found)

    def let_go(self, index: IndexName, owner: ProcessId) -> None:
        """Give the lease back; one that is not held is no error."""
        self._connection.execute(
            sa.delete(guard_leases).where(
                guard_leases.c.index_name == index, guard_leases.c.owner == owner
            )
        )

    def next_look(self, index: IndexName, epoch: Epoch) -> int:
        """Return the number of the next look at this epoch, from 1."""
        newest = sa.select(sa.func.max(guard_looks.c.number)).where(
            guard_looks.c.index_name == index, guard_looks.c.epoch == epoch
        )
        return 1 + (self._connection.scalar(newest) or 0)

    def add_look(self, look: Look) -> None:
        """Store a look."""
        require_index(self._connection, look.index)
        if look.number != self.next_look(look.index, look.epoch):
            raise ConflictError(f"another guard looked at {look.index!r} meanwhile")
        self._connection.execute(
            sa.insert(guard_looks).values(
                index_name=look.index,
                epoch=look.epoch,
                number=look.number,
                at=look.at,
                policy=look.policy,
                active=look.active,
                fallback=look.fallback,
                process=look.process,
                content=codec.encode(
                    {"seconds": look.seconds, "results": _results(look.results)}
                ),
            )
        )

    def last_look(self, index: IndexName) -> Look | None:
        """Return the newest look."""
        return next(iter(self.looks(index, limit=1)), None)

    def looks(self, index: IndexName, *, limit: int) -> list[Look]:
        """Return looks, newest first."""
        ordered = (
            sa.select(guard_looks)
            .where(guard_looks.c.index_name == index)
            .order_by(guard_looks.c.epoch.desc(), guard_looks.c.number.desc())
            .limit(limit)
        )
        return [_look(row) for row in self._connection.execute(ordered)]

    def forget_looks(self, index: IndexName, *, before: datetime) -> int:
        """Remove old looks, never the newest; return how many."""
        newest = self.last_look(index)
        if newest is None:
            return 0
        gone = self._connection.execute(
            sa.delete(guard_looks).where(
                guard_looks.c.index_name == index,
                guard_looks.c.at < before,
                sa.or_(
                    guard_looks.c.epoch != newest.epoch, guard_looks.c.number != newest.number
                ),
            )
        )
        return gone.rowcount

    def decide(self, decision: Decision) -> Decision:
        """Store a decision and return it with its number."""
        require_index(self._connection, decision.index)
        if self.open_decision(decision.index) is not None:
            raise ConflictError(
                f"a guard's decision on {decision.index!r} is still to be carried out",
                hint=f"see: repoint guard decisions {decision.index}",
            )
        newest = sa.select(sa.func.max(guard_decisions.c.number)).where(
            guard_decisions.c.index_name == decision.index
        )
        number = 1 + (self._connection.scalar(newest) or 0)
        self._connection.execute(
            sa.insert(guard_decisions).values(
                index_name=decision.index,
                number=number,
                epoch=decision.epoch,
                at=decision.at,
                actor=decision.actor,
                act=decision.act.value,
                state=decision.state.value,
                why=decision.why,
                policy=decision.policy,
                look=decision.look,
                content=codec.encode({"results": _results(decision.results)}),
                outcome=codec.encode(decision.outcome),
            )
        )
        return self._decision(decision.index, number)

    def settle(
        self, decision: Decision, state: DecisionState, *, outcome: Mapping[str, Json]
    ) -> Decision:
        """Say what became of a decision, once."""
        settled = self._connection.execute(
            sa.update(guard_decisions)
            .where(
                guard_decisions.c.index_name == decision.index,
                guard_decisions.c.number == decision.number,
                guard_decisions.c.state == DecisionState.DECIDED.value,
            )
            .values(state=state.value, outcome=codec.encode(outcome))
        )
        if settled.rowcount != 1:
            raise ConflictError(
                f"decision {decision.number} on {decision.index!r} is settled already"
            )
        return self._decision(decision.index, decision.number)

    def open_decision(self, index: IndexName) -> Decision | None:
        """Return the decision that is still to be carried out."""
        row = self._connection.execute(
            sa.select(guard_decisions).where(
                guard_decisions.c.index_name == index,
                guard_decisions.c.state == DecisionState.DECIDED.value,
            )
        ).one_or_none()
        return None if row is None else _decision(row)

    def decisions(self, index: IndexName, *, limit: int | None = None) -> list[Decision]:
        """Return decisions, newest first."""
        require_index(self._connection, index)
        ordered = (
            sa.select(guard_decisions)
            .where(guard_decisions.c.index_name == index)
            .order_by(guard_decisions.c.number.desc())
            .limit(limit)
        )
        return [_decision(row) for row in self._connection.execute(ordered)]

    def put_alert(self, index: IndexName, alert: Alert) -> None:
        """Store an alert's newest state; one that is older changes nothing."""
        require_index(self._connection, index)
        values = {
            "name": alert.name,
            "firing": int(alert.firing),
            "started_at": alert.started_at,
            "received_at": alert.received_at,
            "labels": codec.encode(alert.labels),
        }
        self._connection.execute(
            insert(self._connection, guard_alerts)
            .values(index_name=index, fingerprint=alert.fingerprint, **values)
            .on_conflict_do_update(
                index_elements=["index_name", "fingerprint"],
                set_=values,
                where=guard_alerts.c.received_at <= alert.received_at,
            )
        )

    def alerts(self, index: IndexName) -> list[Alert]:
        """Return every alert in its newest state, by name and fingerprint."""
        require_index(self._connection, index)
        ordered = (
            sa.select(guard_alerts)
            .where(guard_alerts.c.index_name == index)
            .order_by(guard_alerts.c.name, guard_alerts.c.fingerprint)
        )
        return [
            Alert(
                fingerprint=row.fingerprint,
                name=row.name,
                labels={key: str(one) for key, one in codec.decode(row.labels).items()},
                firing=bool(row.firing),
                started_at=row.started_at,
                received_at=row.received_at,
            )
            for row in self._connection.execute(ordered)
        ]

    def forget_alerts(self, index: IndexName, *, before: datetime) -> int:
        """Remove alerts that are over and were heard of before; return how many."""
        gone = self._connection.execute(
            sa.delete(guard_alerts).where(
                guard_alerts.c.index_name == index,
                guard_alerts.c.firing == 0,
                guard_alerts.c.received_at < before,
            )
        )
        return gone.rowcount

    def _decision(self, index: IndexName, number: int) -> Decision:
        row = self._connection.execute(
            sa.select(guard_decisions).where(
                guard_decisions.c.index_name == index, guard_decisions.c.number == number
            )
        ).one()
        return _decision(row)


def _look(row: sa.Row[tuple[object, ...]]) -> Look:
    content = json.loads(row.content)
    return Look(
        index=IndexName(row.index_name),
        epoch=Epoch(row.epoch),
        number=row.number,
        at=row.at,
        policy=row.policy,
        active=ReleaseName(row.active),
        fallback=None if row.fallback is None else ReleaseName(row.fallback),
        process=ProcessId(row.process),
        seconds=float(content["seconds"]),
        results=_read(content["results"]),
    )


def _decision(row: sa.Row[tuple[object, ...]]) -> Decision:
    return Decision(
        index=IndexName(row.index_name),
        number=row.number,
        epoch=Epoch(row.epoch),
        at=row.at,
        actor=Actor(row.actor),
        act=Act(row.act),
        state=DecisionState(row.state),
        why=row.why,
        policy=row.policy,
        look=row.look,
        results=_read(json.loads(row.content)["results"]),
        outcome=codec.decode(row.outcome),
    )


def _results(results: Sequence[TriggerResult]) -> list[dict[str, Json]]:
    return [
        {
            "trigger": one.trigger,
            "outcome": one.outcome.value,
            "summary": one.summary,
            "then": one.then.value,
            "figures": dict(one.figures),
            "failed": one.failed,
            "errors": one.errors,
            "fires": one.fires,
        }
        for one in results
    ]


def _read(listed: list[dict[str, object]]) -> tuple[TriggerResult, ...]:
    return tuple(
        TriggerResult(
            trigger=str(one["trigger"]),
            outcome=Outcome(str(one["outcome"])),
            summary=str(one["summary"]),
            then=Act(str(one["then"])),
            figures=cast("dict[str, Json]", one["figures"]),
            failed=cast("int", one["failed"]),
            errors=cast("int", one["errors"]),
            fires=bool(one["fires"]),
        )
        for one in listed
    )
