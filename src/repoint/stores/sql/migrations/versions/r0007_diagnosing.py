"""Diagnoses of releases."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

from repoint.stores.sql.migrations.diagnosing_guards import GUARDS
from repoint.stores.sql.migrations.guarding import add_guards

revision = "0007"
down_revision = "0003"
branch_labels = None
depends_on = None

BIG: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
#: In the order of code points everywhere, whatever language the database was made for.
TEXT: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

_METADATA: Final = sa.MetaData()


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, TEXT, primary_key=key, nullable=False)


def _big(name: str) -> sa.Column[int]:
    return sa.Column(name, BIG, nullable=False, autoincrement=False)


# Made by the first revision; here only what the foreign key points at.
sa.Table("releases", _METADATA, _text("index_name", key=True), _text("name", key=True))

TABLE: Final = sa.Table(
    "diagnoses",
    _METADATA,
    _text("id", key=True),
    _big("ordinal"),
    _text("index_name"),
    _text("release"),
    _text("actor"),
    _big("at"),
    _text("content"),
    sa.ForeignKeyConstraint(
        ["index_name", "release"], ["releases.index_name", "releases.name"]
    ),
    sa.UniqueConstraint("index_name", "ordinal", name="diagnosis_ordinal_unique"),
    sqlite_strict=True,
)


def upgrade() -> None:
    """Make the table and its guards."""
    connection = op.get_bind()
    TABLE.create(connection)
    add_guards(connection, GUARDS)
