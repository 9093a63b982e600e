"""What came back of answers that were given while a canary was on."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from repoint.domain.ids import Epoch, IndexName
from repoint.domain.telemetry import Arm
from repoint.stores.sql.dialect import insert
from repoint.stores.sql.indexes import require_index
from repoint.stores.sql.traffic_tables import answer_keys, feedback


class SqlFeedback:
    """``ports.store.Feedback`` on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def keep_secret(self, index: IndexName, secret: str) -> None:
        """Let answers be signed with it, if they are not signed yet."""
        require_index(self._connection, index)
        self._connection.execute(
            insert(self._connection, answer_keys)
            .values(index_name=index, secret=secret)
            .on_conflict_do_nothing(index_elements=["index_name"])
        )

    def secret(self, index: IndexName) -> bytes | None:
        """Return what answers are signed with."""
        found = self._connection.scalar(
            sa.select(answer_keys.c.secret).where(answer_keys.c.index_name == index)
        )
        return None if found is None else found.encode()

    def add(
        self,
        index: IndexName,
        *,
        since: Epoch,
        unit: str,
        arm: Arm,
        outcome: float,
        at: datetime,
    ) -> bool:
        """Record an outcome, if the unit has none."""
        require_index(self._connection, index)
        of_canary = (feedback.c.index_name == index, feedback.c.since == since)
        if self._connection.scalar(
            sa.select(feedback.c.unit).where(*of_canary, feedback.c.unit == unit)
        ):
            return False
        newest = self._connection.scalar(
            sa.select(sa.func.max(feedback.c.ordinal)).where(*of_canary)
        )
        self._connection.execute(
            sa.insert(feedback).values(
                index_name=index,
                since=since,
                unit=unit,
                ordinal=(newest or 0) + 1,
                arm=arm.value,
                outcome=outcome,
                at=at,
            )
        )
        return True

    def outcomes(self, index: IndexName, *, since: Epoch) -> list[tuple[Arm, float]]:
        """Return the outcomes of one canary, in order."""
        ordered = (
            sa.select(feedback.c.arm, feedback.c.outcome)
            .where(feedback.c.index_name == index, feedback.c.since == since)
            .order_by(feedback.c.ordinal)
        )
        return [(Arm(row.arm), row.outcome) for row in self._connection.execute(ordered)]
