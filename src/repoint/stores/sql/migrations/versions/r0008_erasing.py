"""Erasures, the two guards that let them through and nobody else; alarms."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

from repoint.stores.sql.migrations.erasing_guards import GUARDS, REPLACED
from repoint.stores.sql.migrations.guarding import add_guards, remove_guard

revision = "0008"
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


# Made by the first revision; here only what foreign keys point at.
sa.Table("indexes", _METADATA, _text("name", key=True))
sa.Table("releases", _METADATA, _text("index_name", key=True), _text("name", key=True))

ERASURES: Final = sa.Table(
    "erasures",
    _METADATA,
    _text("id", key=True),
    _big("ordinal"),
    _text("index_name"),
    _text("actor"),
    _text("reason"),
    _text("owner"),
    _big("at"),
    _text("stage"),
    _big("documents"),
    _big("unknown"),
    _big("upto"),
    _text("secret"),
    _text("findings"),
    sa.ForeignKeyConstraint(["index_name"], ["indexes.name"]),
    sa.UniqueConstraint("ordinal", name="erasure_ordinal_unique"),
    sa.CheckConstraint("stage IN ('open', 'cleared', 'done')", name="stage_is_known"),
    sa.CheckConstraint(
        "stage = 'open' OR secret = ''", name="finished_erasures_name_no_document"
    ),
    sqlite_strict=True,
)

ALARMS: Final = sa.Table(
    "alarms",
    _METADATA,
    _text("index_name", key=True),
    _text("release", key=True),
    _text("check_name", key=True),
    _text("host", key=True),
    _big("since"),
    _big("at"),
    _text("summary"),
    _text("figures"),
    sa.ForeignKeyConstraint(
        ["index_name", "release"], ["releases.index_name", "releases.name"]
    ),
    sqlite_strict=True,
)


def upgrade() -> None:
    """Make the tables and their guards."""
    connection = op.get_bind()
    ERASURES.create(connection)
    ALARMS.create(connection)
    for name, table in REPLACED.items():
        remove_guard(connection, name, table=table)
    add_guards(connection, GUARDS)
