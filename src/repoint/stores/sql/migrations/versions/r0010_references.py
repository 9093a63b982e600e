"""Content that a source keeps, and pushes that were taken."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

BIG: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
#: In the order of code points everywhere, whatever language the database was made for.
TEXT: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

_METADATA: Final = sa.MetaData()


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, TEXT, primary_key=key, nullable=False)


def _big(name: str) -> sa.Column[int]:
    return sa.Column(name, BIG, nullable=False)


# Made by the first revision; here only what foreign keys point at.
sa.Table("indexes", _METADATA, _text("name", key=True))

PUSHES: Final = sa.Table(
    "pushes",
    _METADATA,
    _text("index_name", key=True),
    _text("actor", key=True),
    _text("key", key=True),
    _text("digest"),
    _big("at"),
    _big("head"),
    _big("written"),
    _big("unchanged"),
    sa.ForeignKeyConstraint(["index_name"], ["indexes.name"]),
    sa.Index("pushes_by_age", "index_name", "at"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

_ELSEWHERE: Final = (
    "CONSTRAINT content_by_reference_is_elsewhere "
    "CHECK (source = '' OR (deleted = 0 AND title = '' AND text = ''))"
)


def upgrade() -> None:
    """Add the columns, which may be missing from an insert, and the table."""
    connection = op.get_bind()
    kind = 'TEXT COLLATE "C"' if connection.dialect.name == "postgresql" else "TEXT"
    for column, rule in (("source", _ELSEWHERE), ("version", "")):
        connection.exec_driver_sql(
            f"ALTER TABLE documents ADD COLUMN {column} {kind} NOT NULL DEFAULT '' {rule}"
        )
    PUSHES.create(connection)
