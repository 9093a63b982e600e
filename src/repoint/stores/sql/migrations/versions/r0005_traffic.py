"""Live traffic: telemetry, shadows, canaries, and what came back of their answers.

A process of an earlier version cannot read a pointer with a canary: it stops answering when
its lease runs out. So such processes end before the first canary begins.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

from repoint.stores.sql.migrations.guarding import add_guards
from repoint.stores.sql.migrations.traffic_guards import GUARDS

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BIG: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
REAL: Final[sa.types.TypeEngine[float]] = sa.Double().with_variant(sa.REAL(), "sqlite")
#: In the order of code points everywhere, whatever language the database was made for.
TEXT: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

_METADATA: Final = sa.MetaData()


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, TEXT, primary_key=key, nullable=False)


def _big(name: str, *, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, BIG, primary_key=key, nullable=False, autoincrement=False)


def _of_index() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["index_name"], ["indexes.name"])


def _of_release() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["index_name", "release"], ["releases.index_name", "releases.name"]
    )


# Made by the first revision; here only what foreign keys point at.
sa.Table("indexes", _METADATA, _text("name", key=True))
sa.Table("moves", _METADATA, _text("index_name", key=True), _big("epoch", key=True))
sa.Table("releases", _METADATA, _text("index_name", key=True), _text("name", key=True))

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
    sa.Table(
        "shadows",
        _METADATA,
        _text("index_name", key=True),
        _text("release"),
        sa.Column("share", REAL, nullable=False),
        _text("actor"),
        _text("reason"),
        _big("at"),
        _of_release(),
        sa.CheckConstraint("share > 0 AND share <= 1", name="shadow_share_is_a_share"),
        sqlite_strict=True,
    ),
    sa.Table(
        "canaries",
        _METADATA,
        _text("index_name", key=True),
        _big("epoch", key=True),
        _text("release"),
        sa.Column("share", REAL, nullable=False),
        _text("tenants"),
        _big("since"),
        sa.Column(
            "interleaved",
            sa.Integer(),
            sa.CheckConstraint("interleaved IN (0, 1)"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["index_name", "epoch"], ["moves.index_name", "moves.epoch"]),
        _of_release(),
        sa.CheckConstraint("share BETWEEN 0 AND 1", name="canary_share_is_a_share"),
        sa.CheckConstraint("since BETWEEN 1 AND epoch", name="canary_began_before"),
        sqlite_strict=True,
    ),
    sa.Table(
        "answer_keys",
        _METADATA,
        _text("index_name", key=True),
        _text("secret"),
        _of_index(),
        sqlite_strict=True,
    ),
    sa.Table(
        "feedback",
        _METADATA,
        _text("index_name", key=True),
        _big("since", key=True),
        _text("unit", key=True),
        _big("ordinal"),
        _text("arm"),
        sa.Column("outcome", REAL, nullable=False),
        _big("at"),
        _of_index(),
        sa.UniqueConstraint("index_name", "since", "ordinal", name="feedback_ordinal_unique"),
        sa.CheckConstraint("outcome BETWEEN 0 AND 1", name="outcome_is_between_0_and_1"),
        sqlite_strict=True,
    ),
)


def upgrade() -> None:
    """Make the tables and their guards."""
    connection = op.get_bind()
    for table in TABLES:
        table.create(connection)
    add_guards(connection, GUARDS)
