"""What live queries leave behind: telemetry."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0003"
branch_labels = None
depends_on = None

BIG: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
#: In the order of code points everywhere, whatever language the database was made for.
TEXT: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

_METADATA: Final = sa.MetaData()


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, TEXT, primary_key=key, nullable=False)


def _big(name: str, *, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, BIG, primary_key=key, nullable=False, autoincrement=False)


def _of_index() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["index_name"], ["indexes.name"])


# Made by the first revision; here only what foreign keys point at.
sa.Table("indexes", _METADATA, _text("name", key=True))

TABLES: Final = (
    sa.Table(
        "telemetry",
        _METADATA,
        _text("index_name", key=True),
        _text("release", key=True),
        _text("arm", key=True),
        _big("width", key=True),
        _big("starts_at", key=True),
        _text("process", key=True),
        _text("content"),
        _of_index(),
        sa.Index("telemetry_by_age", "width", "starts_at"),
        sqlite_strict=True,
    ),
)


def upgrade() -> None:
    """Make the tables."""
    connection = op.get_bind()
    for table in TABLES:
        table.create(connection)
