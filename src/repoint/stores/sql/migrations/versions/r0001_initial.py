"""The first schema: every table, and the guards that SQL can hold.

The tables are written out again rather than imported: a revision never changes, whatever
``tables.py`` becomes later.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

from repoint.stores.sql.migrations.guarding import add_guards
from repoint.stores.sql.migrations.initial_guards import GUARDS

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
REAL: Final[sa.types.TypeEngine[float]] = sa.Double().with_variant(sa.REAL(), "sqlite")
#: In the order of code points everywhere, whatever language the database was made for.
TEXT: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

#: Of the log in PostgreSQL: each index is in one, and needs none of its own.
PARTITIONS: Final = 16

_METADATA: Final = sa.MetaData()


def _text(name: str, *, key: bool = False, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, TEXT, primary_key=key, nullable=null)


def _big(name: str, *, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, BIG, primary_key=key, nullable=False, autoincrement=False)


def _flag(name: str) -> sa.Column[int]:
    return sa.Column(
        name, sa.Integer(), sa.CheckConstraint(f"{name} IN (0, 1)"), nullable=False
    )


def _at(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, BIG, nullable=null)


def _of_index() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["index_name"], ["indexes.name"])


def _of_release(column: str = "release") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["index_name", column], ["releases.index_name", "releases.name"]
    )


sa.Table(
    "indexes",
    _METADATA,
    _text("name", key=True),
    _big("head"),
    _at("created_at"),
    _text("frozen_by", null=True),
    _text("frozen_reason", null=True),
    _at("frozen_at", null=True),
    sqlite_strict=True,
)

# Small columns stand before the texts, so that counting reads no overflow pages.
sa.Table(
    "documents",
    _METADATA,
    _text("index_name", key=True),
    _text("id", key=True),
    _big("lsn"),
    _big("first_lsn"),
    _flag("deleted"),
    _big("characters"),
    _at("written_at"),
    _text("content_hash"),
    _text("title"),
    _text("text"),
    _text("metadata"),
    _of_index(),
    sa.UniqueConstraint("index_name", "lsn", name="lsn_unique"),
    sa.CheckConstraint("first_lsn BETWEEN 1 AND lsn", name="first_lsn_is_not_later"),
    sa.CheckConstraint(
        "deleted = 0 OR (title = '' AND text = '' AND metadata = '{}')",
        name="tombstones_are_empty",
    ),
    sa.Index(
        "documents_tombstones",
        "index_name",
        "lsn",
        sqlite_where=sa.text("deleted = 1"),
        postgresql_where=sa.text("deleted = 1"),
    ),
    sqlite_strict=True,
    postgresql_partition_by="HASH (index_name)",
)

sa.Table(
    "fields",
    _METADATA,
    _text("index_name", key=True),
    _text("name", key=True),
    # NULL: only nulls were seen so far, so the next value decides.
    _text("type", null=True),
    _of_index(),
    sqlite_strict=True,
)

sa.Table(
    "releases",
    _METADATA,
    _text("index_name", key=True),
    _text("name", key=True),
    _big("ordinal"),
    _text("spec"),
    _text("fingerprint"),
    _text("collection"),
    _text("state"),
    _at("created_at"),
    _flag("paused"),
    sa.Column("throttle", REAL, nullable=True),
    _text("probes", null=True),
    _of_index(),
    sa.UniqueConstraint("index_name", "ordinal", name="ordinal_unique"),
    sqlite_strict=True,
)

sa.Table(
    "baselines",
    _METADATA,
    _text("index_name", key=True),
    _text("release", key=True),
    _at("at"),
    _text("content"),
    _of_release(),
    sqlite_strict=True,
)

sa.Table(
    "watermarks",
    _METADATA,
    _text("index_name", key=True),
    _text("release", key=True),
    _big("watermark"),
    # Rises when a lost collection is made anew: the only way that a watermark falls.
    _big("generation"),
    # How many windows were ever opened.
    _big("windows"),
    _of_release(),
    sqlite_strict=True,
)

# Only open windows have a row, so the primary key is "one open window a release".
sa.Table(
    "windows",
    _METADATA,
    _text("index_name", key=True),
    _text("release", key=True),
    _big("number"),
    _big("low"),
    _big("high"),
    _of_release(),
    sa.UniqueConstraint("index_name", "release", "number", name="window_number_unique"),
    sqlite_strict=True,
)

sa.Table(
    "ranges",
    _METADATA,
    _text("index_name", key=True),
    _text("release", key=True),
    _big("window", key=True),
    _big("number", key=True),
    _big("low"),
    _big("high"),
    _big("attempt"),
    _flag("done"),
    _text("owner", null=True),
    _at("until", null=True),
    sa.ForeignKeyConstraint(
        ["index_name", "release", "window"],
        ["windows.index_name", "windows.release", "windows.number"],
        ondelete="CASCADE",
    ),
    sqlite_strict=True,
)

sa.Table(
    "slots",
    _METADATA,
    _text("index_name", key=True),
    _text("release", key=True),
    _text("document", key=True),
    _big("slots"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

sa.Table(
    "dead_letters",
    _METADATA,
    _text("index_name", key=True),
    _text("release", key=True),
    _text("document", key=True),
    _big("lsn"),
    _text("code"),
    _text("reason"),
    _big("attempts"),
    _at("at"),
    _of_release(),
    sqlite_strict=True,
)

sa.Table(
    "moves",
    _METADATA,
    _text("index_name", key=True),
    _big("epoch", key=True),
    _text("kind"),
    _text("before_active", null=True),
    _text("before_fallback", null=True),
    _text("after_active", null=True),
    _text("after_fallback", null=True),
    _text("actor"),
    _text("reason"),
    _at("at"),
    _text("checked"),
    _of_index(),
    _of_release("after_active"),
    _of_release("after_fallback"),
    sqlite_strict=True,
)

sa.Table(
    "rollouts",
    _METADATA,
    sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
    _text("index_name"),
    _text("release"),
    _text("phase"),
    _at("opened_at"),
    _at("changed_at"),
    _of_release(),
    sa.CheckConstraint(
        "phase IN ('preparing', 'soaking', 'accepted', 'rolled_back', 'aborted')",
        name="phase_is_known",
    ),
    sa.Index(
        "one_open_rollout_per_index",
        "index_name",
        unique=True,
        sqlite_where=sa.text("phase IN ('preparing', 'soaking')"),
        postgresql_where=sa.text("phase IN ('preparing', 'soaking')"),
    ),
    sqlite_strict=True,
)

sa.Table(
    "operations",
    _METADATA,
    _text("id", key=True),
    _text("index_name"),
    _text("kind"),
    _text("release"),
    _text("actor"),
    _text("reason"),
    _text("owner"),
    _text("step"),
    _big("epoch"),
    _at("started_at"),
    _text("notes"),
    _of_index(),
    sa.CheckConstraint(
        "step IN ('intended', 'moved', 'done', 'abandoned')", name="step_is_known"
    ),
    sa.Index(
        "one_open_operation_per_index",
        "index_name",
        unique=True,
        sqlite_where=sa.text("step IN ('intended', 'moved')"),
        postgresql_where=sa.text("step IN ('intended', 'moved')"),
    ),
    sqlite_strict=True,
)

sa.Table(
    "processes",
    _METADATA,
    _text("id", key=True),
    _text("host"),
    _big("pid"),
    _at("started_at"),
    _text("program"),
    _at("lease_until"),
    _text("serves"),
    sqlite_strict=True,
)

sa.Table(
    "audit",
    _METADATA,
    _big("sequence", key=True),
    _at("at"),
    _text("actor"),
    _text("action"),
    _text("index_name"),
    _text("outcome"),
    _text("reason"),
    _text("details"),
    _text("previous"),
    _text("digest"),
    sqlite_strict=True,
)

sa.Table(
    "grants",
    _METADATA,
    _text("actor", key=True),
    _text("role", key=True),
    # Empty: on all indexes.
    _text("index_name", key=True),
    sqlite_strict=True,
)

sa.Table(
    "holds",
    _METADATA,
    _text("index_name", key=True),
    _text("release", key=True),
    _text("reason", key=True),
    _text("actor"),
    _at("at"),
    _of_release(),
    sqlite_strict=True,
)


def upgrade() -> None:
    """Make the tables and their guards."""
    connection = op.get_bind()
    _METADATA.create_all(connection, checkfirst=False)
    if connection.dialect.name == "postgresql":
        for number in range(PARTITIONS):
            connection.exec_driver_sql(
                f"CREATE TABLE documents_{number:02} PARTITION OF documents "
                f"FOR VALUES WITH (MODULUS {PARTITIONS}, REMAINDER {number})"
            )
    add_guards(connection, GUARDS)
