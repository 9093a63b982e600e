"""Bridges, and which of them queries go over."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

from repoint.stores.sql.migrations.bridge_guards import GUARDS
from repoint.stores.sql.migrations.guarding import add_guards

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BIG: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
REAL: Final[sa.types.TypeEngine[float]] = sa.Double().with_variant(sa.REAL(), "sqlite")
#: In the order of code points everywhere, whatever language the database was made for.
TEXT: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

_METADATA: Final = sa.MetaData()


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, TEXT, primary_key=key, nullable=False)


def _big(name: str) -> sa.Column[int]:
    return sa.Column(name, BIG, nullable=False)


# Made by the first revision; here only what foreign keys point at.
sa.Table("releases", _METADATA, _text("index_name", key=True), _text("name", key=True))

BRIDGES: Final = sa.Table(
    "bridges",
    _METADATA,
    _text("id", key=True),
    _big("ordinal"),
    _text("index_name"),
    _text("release"),
    _text("source"),
    _text("source_fingerprint"),
    _text("method"),
    _big("fitted"),
    _big("held_out"),
    sa.Column("cosine", REAL, nullable=False),
    _text("retention"),
    sa.Column("weights", sa.LargeBinary(), nullable=False),
    _text("actor"),
    _big("at"),
    sa.Column("enabled", sa.Integer(), sa.CheckConstraint("enabled IN (0, 1)"), nullable=False),
    sa.ForeignKeyConstraint(
        ["index_name", "release"], ["releases.index_name", "releases.name"]
    ),
    sa.ForeignKeyConstraint(["index_name", "source"], ["releases.index_name", "releases.name"]),
    sa.UniqueConstraint("index_name", "ordinal", name="bridge_ordinal_unique"),
    sa.Index(
        "one_bridge_a_release",
        "index_name",
        "release",
        unique=True,
        sqlite_where=sa.text("enabled = 1"),
        postgresql_where=sa.text("enabled = 1"),
    ),
    sqlite_strict=True,
)


def upgrade() -> None:
    """Make the table and its guards."""
    connection = op.get_bind()
    BRIDGES.create(connection)
    add_guards(connection, GUARDS)
