"""Rendered configurations, the sources that feed an index, and what each of them gave."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BIG: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
#: In the order of code points everywhere, whatever language the database was made for.
TEXT: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

_METADATA: Final = sa.MetaData()


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, TEXT, primary_key=key, nullable=False)


def _big(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, BIG, nullable=null, autoincrement=False)


def _of_index() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["index_name"], ["indexes.name"])


# Made by the first revision; here only what foreign keys point at.
sa.Table("indexes", _METADATA, _text("name", key=True))

TABLES: Final = (
    sa.Table(
        "renderings",
        _METADATA,
        _text("index_name", key=True),
        _text("host", key=True),
        _text("path", key=True),
        _text("format"),
        _text("release"),
        _big("epoch"),
        _text("digest"),
        _text("actor"),
        _big("at"),
        _of_index(),
        sqlite_strict=True,
    ),
    sa.Table(
        "sources",
        _METADATA,
        _text("index_name", key=True),
        _text("name", key=True),
        _text("settings"),
        _text("actor"),
        _big("at"),
        _big("revision"),
        _text("position"),
        _big("polled_at", null=True),
        _text("outcome"),
        _of_index(),
        sqlite_strict=True,
    ),
    sa.Table(
        "source_documents",
        _METADATA,
        _text("index_name", key=True),
        _text("source", key=True),
        _text("id", key=True),
        _big("sweep"),
        sa.ForeignKeyConstraint(
            ["index_name", "source"],
            ["sources.index_name", "sources.name"],
            ondelete="CASCADE",
        ),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    ),
)


def upgrade() -> None:
    """Make the tables."""
    connection = op.get_bind()
    for table in TABLES:
        table.create(connection)
