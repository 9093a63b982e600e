"""Guards, their looks and decisions, alerts that they were told of, and drills."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

from repoint.stores.sql.migrations.guarding import add_guards
from repoint.stores.sql.migrations.guarding_guards import GUARDS

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BIG: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
#: In the order of code points everywhere, whatever language the database was made for.
TEXT: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

_METADATA: Final = sa.MetaData()


def _text(name: str, *, key: bool = False, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, TEXT, primary_key=key, nullable=null)


def _big(name: str, *, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, BIG, primary_key=key, nullable=False, autoincrement=False)


def _flag(name: str) -> sa.Column[int]:
    return sa.Column(
        name, sa.Integer(), sa.CheckConstraint(f"{name} IN (0, 1)"), nullable=False
    )


def _of_index() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["index_name"], ["indexes.name"])


def _of_release(column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["index_name", column], ["releases.index_name", "releases.name"]
    )


# Made by the first revision; here only what foreign keys point at.
sa.Table("indexes", _METADATA, _text("name", key=True))
sa.Table("releases", _METADATA, _text("index_name", key=True), _text("name", key=True))

TABLES: Final = (
    sa.Table(
        "guard_leases",
        _METADATA,
        _text("index_name", key=True),
        _text("owner"),
        _big("until"),
        _of_index(),
        sqlite_strict=True,
    ),
    sa.Table(
        "guard_looks",
        _METADATA,
        _text("index_name", key=True),
        _big("epoch", key=True),
        _big("number", key=True),
        _big("at"),
        _big("policy"),
        _text("active"),
        _text("fallback", null=True),
        _text("process"),
        _text("content"),
        _of_index(),
        sqlite_strict=True,
    ),
    sa.Table(
        "guard_decisions",
        _METADATA,
        _text("index_name", key=True),
        _big("number", key=True),
        _big("epoch"),
        _big("at"),
        _text("actor"),
        _text("act"),
        _text("state"),
        _text("why"),
        _big("policy"),
        _big("look"),
        _text("content"),
        _text("outcome"),
        _of_index(),
        sa.CheckConstraint(
            "state IN ('decided', 'done', 'refused', 'held-back', 'lapsed')",
            name="decision_state_is_known",
        ),
        sa.Index(
            "one_open_decision_per_index",
            "index_name",
            unique=True,
            sqlite_where=sa.text("state = 'decided'"),
            postgresql_where=sa.text("state = 'decided'"),
        ),
        sqlite_strict=True,
    ),
    sa.Table(
        "guard_alerts",
        _METADATA,
        _text("index_name", key=True),
        _text("fingerprint", key=True),
        _text("name"),
        _flag("firing"),
        _big("started_at"),
        _big("received_at"),
        _text("labels"),
        _of_index(),
        sqlite_strict=True,
    ),
    sa.Table(
        "drills",
        _METADATA,
        _text("index_name", key=True),
        _big("number", key=True),
        _big("epoch"),
        _big("at"),
        _text("actor"),
        _text("ahead"),
        _text("ahead_fingerprint"),
        _text("back"),
        _text("back_fingerprint"),
        _flag("ready"),
        _text("content"),
        _of_release("ahead"),
        _of_release("back"),
        sqlite_strict=True,
    ),
)


def upgrade() -> None:
    """Make the tables and their guards."""
    connection = op.get_bind()
    for table in TABLES:
        table.create(connection)
    add_guards(connection, GUARDS)
