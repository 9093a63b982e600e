"""What was found to be wrong with releases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from repoint.domain.errors import CorruptionError
from repoint.domain.ids import IndexName, ReleaseName
from repoint.stores.sql.diagnosing_tables import diagnoses
from repoint.stores.sql.indexes import require_index
from repoint.stores.sql.releases import require_release

if TYPE_CHECKING:  # as in the port: only who reads a diagnosis pays for its values
    from repoint.domain.diagnosis import Diagnosis


class SqlDiagnoses:
    """``ports.store.Diagnoses`` on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add(self, diagnosis: Diagnosis) -> None:
        """Store a diagnosis."""
        require_release(self._connection, diagnosis.index, diagnosis.release)
        newest = sa.select(sa.func.max(diagnoses.c.ordinal)).where(
            diagnoses.c.index_name == diagnosis.index
        )
        highest: int | None = self._connection.scalar(newest)
        self._connection.execute(
            sa.insert(diagnoses).values(
                id=diagnosis.id,
                ordinal=(highest or 0) + 1,
                index_name=diagnosis.index,
                release=diagnosis.release,
                actor=diagnosis.actor,
                at=diagnosis.at,
                content=_encoded(diagnosis),
            )
        )

    def newest(self, index: IndexName, release: ReleaseName) -> Diagnosis | None:
        """Return a release's newest diagnosis; None where there is none."""
        row = self._connection.execute(
            self._newest_first(index).where(diagnoses.c.release == release).limit(1)
        ).one_or_none()
        return None if row is None else _decoded(row.content)

    def all(self, index: IndexName) -> list[Diagnosis]:
        """Return all diagnoses, newest first."""
        require_index(self._connection, index)
        found = self._connection.execute(self._newest_first(index))
        return [_decoded(row.content) for row in found]

    def _newest_first(self, index: IndexName) -> sa.Select[tuple[str]]:
        return (
            sa.select(diagnoses.c.content)
            .where(diagnoses.c.index_name == index)
            .order_by(diagnoses.c.ordinal.desc())
        )


def _encoded(diagnosis: Diagnosis) -> str:
    import msgspec  # noqa: PLC0415 - a rollback reads and writes no diagnosis

    return msgspec.json.encode(diagnosis).decode()


def _decoded(content: str) -> Diagnosis:
    import msgspec  # noqa: PLC0415 - as above

    from repoint.domain.diagnosis import Diagnosis  # noqa: PLC0415 - as above

    try:
        return msgspec.json.decode(content, type=Diagnosis)
    except msgspec.MsgspecError as error:
        raise CorruptionError(f"a stored diagnosis cannot be read: {error}") from error
