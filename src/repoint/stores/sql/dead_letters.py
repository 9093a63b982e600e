"""Document versions that a release could not take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from repoint.domain.catchup import DeadLetter
from repoint.domain.ids import DocumentId, IndexName, Lsn, ReleaseName
from repoint.stores.sql.dialect import insert, members
from repoint.stores.sql.tables import dead_letters


class SqlDeadLetters:
    """``ports.store.DeadLetters`` on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def put(self, letters: Iterable[DeadLetter]) -> None:
        """Record them; a newer LSN or another attempt replaces the record of a document."""
        rows = [
            {
                "index_name": letter.index,
                "release": letter.release,
                "document": letter.document,
                "lsn": letter.lsn,
                "code": letter.code,
                "reason": letter.reason,
                "attempts": letter.attempts,
                "at": letter.at,
            }
            for letter in letters
        ]
        if not rows:
            return
        statement = insert(self._connection, dead_letters)
        new = statement.excluded
        self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=["index_name", "release", "document"],
                set_={name: new[name] for name in ("lsn", "code", "reason", "attempts", "at")},
                where=new.lsn >= dead_letters.c.lsn,
            ),
            rows,
        )

    def all(self, index: IndexName, release: ReleaseName) -> list[DeadLetter]:
        """Return them in LSN order."""
        ordered = (
            sa.select(dead_letters)
            .where(dead_letters.c.index_name == index, dead_letters.c.release == release)
            .order_by(dead_letters.c.lsn, dead_letters.c.document)
        )
        return [
            DeadLetter(
                index=index,
                release=release,
                document=DocumentId(row.document),
                lsn=Lsn(row.lsn),
                code=row.code,
                reason=row.reason,
                attempts=row.attempts,
                at=row.at,
            )
            for row in self._connection.execute(ordered)
        ]

    def clear(
        self, index: IndexName, release: ReleaseName, ids: Sequence[DocumentId], *, upto: Lsn
    ) -> None:
        """Forget the letters of these documents at or below the LSN."""
        self._connection.execute(
            sa.delete(dead_letters).where(
                dead_letters.c.index_name == index,
                dead_letters.c.release == release,
                dead_letters.c.lsn <= upto,
                dead_letters.c.document.in_(members(ids)),
            )
        )
