"""The document log: one row a document, its newest content or its tombstone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import starmap

import sqlalchemy as sa

from repoint.domain.catchup import Backlog
from repoint.domain.document import Document, FieldType, LogRow, Reference
from repoint.domain.ids import DocumentId, IndexName, Lsn, SourceName
from repoint.ports.store import Appended
from repoint.stores.sql import appending, codec
from repoint.stores.sql.dialect import FORGOTTEN, members
from repoint.stores.sql.indexes import require_index
from repoint.stores.sql.tables import documents, fields, indexes, instant, slots

_ROW = (
    documents.c.lsn,
    documents.c.first_lsn,
    documents.c.id,
    documents.c.deleted,
    documents.c.title,
    documents.c.text,
    documents.c.metadata,
    documents.c.content_hash,
    documents.c.source,
    documents.c.version,
    # As a bare number: the hot path makes its moments itself.
    sa.type_coerce(documents.c.written_at, sa.Integer).label("written_at"),
)


class SqlDocumentLog:
    """``ports.store.DocumentLog`` on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def append(
        self, index: IndexName, changes: Sequence[Document | DocumentId], *, at: datetime
    ) -> Appended:
        """Record documents, or ids to delete, in order; see ``ports.store.DocumentLog``."""
        return appending.append(self._connection, index, changes, at=at)

    def head(self, index: IndexName) -> Lsn:
        """Return the newest LSN taken; 0 for an empty log."""
        head = self._connection.scalar(sa.select(indexes.c.head).where(indexes.c.name == index))
        if head is None:
            require_index(self._connection, index)
        return Lsn(head or 0)

    def rows(
        self, index: IndexName, *, above: Lsn, upto: Lsn, limit: int | None = None
    ) -> list[LogRow]:
        """Return rows with ``above < lsn <= upto`` in LSN order."""
        wanted = (
            sa.select(*_ROW)
            .where(_stretch(index, above, upto))
            .order_by(documents.c.lsn)
            .limit(limit)
        )
        return list(starmap(_log_row, self._connection.execute(wanted)))

    def bounds(self, index: IndexName, *, above: Lsn, upto: Lsn, every: int) -> list[Lsn]:
        """Return the LSN of every ``every``-th row in the stretch, the last row included."""
        place = sa.func.row_number().over(order_by=documents.c.lsn).label("place")
        rows = sa.select(documents.c.lsn, place).where(_stretch(index, above, upto)).subquery()
        found = self._connection.scalars(
            sa.select(rows.c.lsn).where(rows.c.place % every == 0).order_by(rows.c.lsn)
        )
        bounds = [Lsn(lsn) for lsn in found]
        last = self._connection.scalar(
            sa.select(sa.func.max(documents.c.lsn)).where(_stretch(index, above, upto))
        )
        if last is not None and (not bounds or bounds[-1] < last):
            bounds.append(Lsn(last))
        return bounds

    def backlog(self, index: IndexName, *, above: Lsn, upto: Lsn) -> Backlog:
        """Return how much there is to apply in the stretch."""
        row = self._connection.execute(
            sa.select(
                sa.func.count().label("rows"),
                sa.func.coalesce(sa.func.sum(documents.c.deleted), 0).label("tombstones"),
                sa.func.coalesce(sa.func.sum(documents.c.characters), 0).label("characters"),
            ).where(_stretch(index, above, upto))
        ).one()
        return Backlog(
            upserts=row.rows - row.tombstones,
            tombstones=row.tombstones,
            characters=int(row.characters),  # a decimal in PostgreSQL
        )

    def get(self, index: IndexName, ids: Sequence[DocumentId]) -> dict[DocumentId, LogRow]:
        """Return the newest rows of these documents; unknown ones are absent."""
        wanted = sa.select(*_ROW).where(
            documents.c.index_name == index, documents.c.id.in_(members(ids))
        )
        found = starmap(_log_row, self._connection.execute(wanted))
        return {row.id: row for row in found}

    def scan(self, index: IndexName, *, after: DocumentId | None, limit: int) -> list[LogRow]:
        """Return the next rows in id order, tombstones included, for a keyset scan."""
        wanted = (
            sa.select(*_ROW)
            .where(documents.c.index_name == index)
            .order_by(documents.c.id)
            .limit(limit)
        )
        if after is not None:
            wanted = wanted.where(documents.c.id > after)
        return list(starmap(_log_row, self._connection.execute(wanted)))

    def fields(self, index: IndexName) -> dict[str, FieldType]:
        """Return the metadata fields seen in this index and their types."""
        found = self._connection.execute(
            sa.select(fields.c.name, fields.c.type)
            .where(fields.c.index_name == index)
            .order_by(fields.c.name)
        )
        return {row.name: FieldType(row.type or FieldType.OPAQUE) for row in found}

    def forget(self, index: IndexName, ids: Sequence[DocumentId]) -> None:
        """Remove rows for good, and how many slots they took. The head stays."""
        self._connection.info[FORGOTTEN] = True
        for table, name in ((documents, documents.c.id), (slots, slots.c.document)):
            self._connection.execute(
                sa.delete(table).where(table.c.index_name == index, name.in_(members(ids)))
            )

    def tombstones(
        self, index: IndexName, *, upto: Lsn, written_before: datetime, limit: int
    ) -> list[DocumentId]:
        """Return tombstones at or below the LSN whose retention is over, oldest first."""
        found = self._connection.scalars(
            sa.select(documents.c.id)
            .where(
                documents.c.index_name == index,
                # Written out: with a parameter the partial index would not be used.
                documents.c.deleted == sa.literal_column("1"),
                documents.c.lsn <= upto,
                documents.c.written_at < written_before,
            )
            .order_by(documents.c.lsn)
            .limit(limit)
        )
        return [DocumentId(document) for document in found]


def _stretch(index: IndexName, above: Lsn, upto: Lsn) -> sa.ColumnElement[bool]:
    return sa.and_(
        documents.c.index_name == index, documents.c.lsn > above, documents.c.lsn <= upto
    )


def _log_row(  # noqa: PLR0913, PLR0917 - one argument a column, called with a whole row
    lsn: int,
    first_lsn: int,
    document: str,
    deleted: int,
    title: str,
    text: str,
    metadata: str,
    content_hash: str,
    source: str,
    version: str,
    written_at: int,
) -> LogRow:
    content = (
        None
        if deleted
        else Document(
            id=DocumentId(document),
            title=title,
            text=text,
            metadata={} if metadata == "{}" else codec.decode(metadata),
            reference=Reference(
                source=SourceName(source), version=version, content_hash=content_hash
            )
            if source
            else None,
        )
    )
    return LogRow(
        lsn=Lsn(lsn),
        first_lsn=Lsn(first_lsn),
        id=DocumentId(document),
        document=content,
        written_at=instant(written_at),
    )
