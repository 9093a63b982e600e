"""Query sets, runs, evaluations and policies; and the policy that a rollout began with."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

from repoint.stores.sql.migrations.guarding import add_guards
from repoint.stores.sql.migrations.judging_guards import GUARDS

revision = "0002"
down_revision = "0001"
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


def _of_index() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["index_name"], ["indexes.name"])


# Made by the first revision; here only what foreign keys point at.
sa.Table("indexes", _METADATA, _text("name", key=True))
sa.Table("releases", _METADATA, _text("index_name", key=True), _text("name", key=True))

TABLES: Final = (
    sa.Table(
        "query_sets",
        _METADATA,
        _text("index_name", key=True),
        _text("name", key=True),
        _big("version", key=True),
        _text("kind"),
        _big("queries"),
        _big("judgements"),
        _big("groups"),
        _text("source"),
        _text("digest"),
        _text("actor"),
        _big("at"),
        _text("content"),
        _of_index(),
        sqlite_strict=True,
    ),
    sa.Table(
        "runs",
        _METADATA,
        _text("id", key=True),
        _big("ordinal"),
        _text("index_name"),
        _text("release"),
        _text("fingerprint"),
        _text("query_set"),
        _big("version"),
        _big("depth"),
        _big("lsn"),
        _text("actor"),
        _big("at"),
        _text("name", null=True),
        _text("content"),
        sa.ForeignKeyConstraint(
            ["index_name", "release"], ["releases.index_name", "releases.name"]
        ),
        sa.ForeignKeyConstraint(
            ["index_name", "query_set", "version"],
            ["query_sets.index_name", "query_sets.name", "query_sets.version"],
        ),
        sa.UniqueConstraint("index_name", "ordinal", name="run_ordinal_unique"),
        sa.UniqueConstraint("index_name", "name", name="run_name_unique"),
        sqlite_strict=True,
    ),
    sa.Table(
        "evaluations",
        _METADATA,
        _text("id", key=True),
        _big("ordinal"),
        _text("index_name"),
        _text("candidate"),
        _text("baseline"),
        _text("candidate_fingerprint"),
        _text("baseline_fingerprint"),
        _text("query_set"),
        _big("version"),
        _text("candidate_run"),
        _text("baseline_run"),
        _big("k"),
        _text("actor"),
        _big("at"),
        _of_index(),
        sa.ForeignKeyConstraint(["candidate_run"], ["runs.id"]),
        sa.ForeignKeyConstraint(["baseline_run"], ["runs.id"]),
        sa.UniqueConstraint("index_name", "ordinal", name="evaluation_ordinal_unique"),
        sqlite_strict=True,
    ),
    sa.Table(
        "policies",
        _METADATA,
        _text("index_name", key=True),
        _big("version", key=True),
        _text("actor"),
        _text("reason"),
        _big("at"),
        _text("content"),
        _of_index(),
        sqlite_strict=True,
    ),
)


def upgrade() -> None:
    """Make the tables, the column and their guards."""
    connection = op.get_bind()
    for table in TABLES:
        table.create(connection)
    kind = BIG.compile(dialect=connection.dialect)
    connection.exec_driver_sql(
        f"ALTER TABLE rollouts ADD COLUMN policy {kind} DEFAULT '0' NOT NULL"
    )
    add_guards(connection, GUARDS)
