"""Taking everything from one database into another, row by row, and proving it.

The target's guards stand aside meanwhile: they judge each step of a store's life, and a copy
has only its end. In their place every row is compared with its source, which they guarded.
Keys and constraints hold throughout.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Final

import sqlalchemy as sa

from repoint.domain import audit
from repoint.domain.errors import CorruptionError
from repoint.domain.ids import Actor
from repoint.stores.sql.audit import SqlAudit
from repoint.stores.sql.every_table import metadata

_BATCH: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What was copied and checked."""

    #: Rows of each table.
    rows: dict[str, int]
    #: Records of the audit chain, all verified in the copy.
    audit_records: int


def copy_all(source: sa.Connection, target: sa.Connection) -> Copied:
    """Copy every table within both transactions, then compare what is in them.

    Raises:
        CorruptionError: a table of the copy is not that of the source.
        BrokenAuditError: the audit chain does not verify.
    """
    rows: dict[str, int] = {}
    for table in metadata.sorted_tables:
        target.exec_driver_sql(f"ALTER TABLE {table.name} DISABLE TRIGGER USER")
        for batch in _batches(source, table):
            target.execute(sa.insert(table), [dict(row) for row in batch])
        target.exec_driver_sql(f"ALTER TABLE {table.name} ENABLE TRIGGER USER")
        rows[table.name] = _equal_rows(source, target, table)
    verified = audit.verify(SqlAudit(target).records())
    return Copied(rows=rows, audit_records=verified)


def record_copy(
    target: sa.Connection,
    copied: Copied,
    *,
    actor: Actor,
    at: datetime,
    source: str,
    place: str,
) -> None:
    """Write down in the copy's audit chain where it came from."""
    SqlAudit(target).append(
        at=at,
        actor=actor,
        action="migrate-store",
        details={"from": source, "to": place, "rows": dict(copied.rows)},
    )


def is_empty(connection: sa.Connection) -> bool:
    """Return whether no table has a row."""
    return all(
        connection.execute(sa.select(table).limit(1)).first() is None
        for table in metadata.sorted_tables
    )


def _batches(  # type: ignore[explicit-any]  # a table's own default
    connection: sa.Connection, table: sa.Table
) -> Iterator[list[sa.RowMapping]]:
    """Yield the rows in the order of their keys, so that chains are told from the start."""
    ordered = sa.select(table).order_by(*table.primary_key.columns)
    streaming = {"stream_results": True, "yield_per": _BATCH}
    for part in (
        connection.execute(ordered, execution_options=streaming).mappings().partitions()
    ):
        yield list(part)


def _equal_rows(  # type: ignore[explicit-any]  # as above
    source: sa.Connection, target: sa.Connection, table: sa.Table
) -> int:
    (count, digest), (copied, other) = _summary(source, table), _summary(target, table)
    if (count, digest) != (copied, other):
        raise CorruptionError(
            f"table {table.name!r}: {count:,} rows here, {copied:,} in the copy, or another "
            "content",
            hint="nothing was changed here; report this as a bug",
        )
    return count


def _summary(  # type: ignore[explicit-any]  # as above
    connection: sa.Connection, table: sa.Table
) -> tuple[int, bytes]:
    count, digest = 0, blake2b(digest_size=16)
    for batch in _batches(connection, table):
        count += len(batch)
        for row in batch:
            digest.update(repr(tuple(row.values())).encode())
    return count, digest.digest()
