"""The control store's tables, as the code sees them today.

The schema itself is made by the revisions in ``migrations``; a test compares the two.
Invariants that SQL can hold are constraints here and triggers there, each named by its
sentence. Types are those that SQLite's STRICT tables know, so that a wrong value is refused
where it is written.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

#: 64 bits everywhere: SQLite's INTEGER has them, PostgreSQL's has not.
BIG: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
REAL: Final[sa.types.TypeEngine[float]] = sa.Double().with_variant(sa.REAL(), "sqlite")
#: In the order of code points everywhere, whatever language the database was made for.
TEXT: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """Return the instant as microseconds since 1970 in UTC."""
    return (at - _EPOCH) // _MICROSECOND


def instant(value: int) -> datetime:
    """Return the instant that ``micros`` was given, in UTC."""
    return _EPOCH + timedelta(microseconds=value)


class Instant(sa.types.TypeDecorator[datetime]):
    """A moment, kept as whole microseconds so that no zone and no rounding gets lost."""

    impl = sa.BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[int]:
        """Return the 64-bit integer of the database."""
        return dialect.type_descriptor(BIG)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Return what is stored."""
        del dialect
        return None if value is None else micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """Return what was stored."""
        del dialect
        return None if value is None else instant(value)


metadata: Final = sa.MetaData()


def _text(name: str, *, key: bool = False, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, TEXT, primary_key=key, nullable=null)


def _big(name: str, *, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, BIG, primary_key=key, nullable=False, autoincrement=False)


def _flag(name: str) -> sa.Column[int]:
    return sa.Column(
        name, sa.Integer(), sa.CheckConstraint(f"{name} IN (0, 1)"), nullable=False
    )


def _at(name: str, *, key: bool = False, null: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, Instant(), primary_key=key, nullable=null)


def _of_index() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["index_name"], ["indexes.name"])


def _of_release(column: str = "release") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["index_name", column], ["releases.index_name", "releases.name"]
    )


indexes: Final = sa.Table(
    "indexes",
    metadata,
    _text("name", key=True),
    _big("head"),
    _at("created_at"),
    _text("frozen_by", null=True),
    _text("frozen_reason", null=True),
    _at("frozen_at", null=True),
    sqlite_strict=True,
)

# Small columns stand before the texts, so that counting reads no overflow pages.
documents: Final = sa.Table(
    "documents",
    metadata,
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
    # Which source keeps title and text, and under which version; empty: they are here.
    sa.Column("source", TEXT, nullable=False, server_default=""),
    sa.Column("version", TEXT, nullable=False, server_default=""),
    _of_index(),
    sa.UniqueConstraint("index_name", "lsn", name="lsn_unique"),
    sa.CheckConstraint("first_lsn BETWEEN 1 AND lsn", name="first_lsn_is_not_later"),
    sa.CheckConstraint(
        "deleted = 0 OR (title = '' AND text = '' AND metadata = '{}')",
        name="tombstones_are_empty",
    ),
    sa.CheckConstraint(
        "source = '' OR (deleted = 0 AND title = '' AND text = '')",
        name="content_by_reference_is_elsewhere",
    ),
    sa.Index(
        "documents_tombstones",
        "index_name",
        "lsn",
        sqlite_where=sa.text("deleted = 1"),
    ),
    sqlite_strict=True,
)

fields: Final = sa.Table(
    "fields",
    metadata,
    _text("index_name", key=True),
    _text("name", key=True),
    # NULL: only nulls were seen so far, so the next value decides.
    _text("type", null=True),
    _of_index(),
    sqlite_strict=True,
)

releases: Final = sa.Table(
    "releases",
    metadata,
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

baselines: Final = sa.Table(
    "baselines",
    metadata,
    _text("index_name", key=True),
    _text("release", key=True),
    _at("at"),
    _text("content"),
    _of_release(),
    sqlite_strict=True,
)

watermarks: Final = sa.Table(
    "watermarks",
    metadata,
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
windows: Final = sa.Table(
    "windows",
    metadata,
    _text("index_name", key=True),
    _text("release", key=True),
    _big("number"),
    _big("low"),
    _big("high"),
    _of_release(),
    sa.UniqueConstraint("index_name", "release", "number", name="window_number_unique"),
    sqlite_strict=True,
)

ranges: Final = sa.Table(
    "ranges",
    metadata,
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

slots: Final = sa.Table(
    "slots",
    metadata,
    _text("index_name", key=True),
    _text("release", key=True),
    _text("document", key=True),
    _big("slots"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

dead_letters: Final = sa.Table(
    "dead_letters",
    metadata,
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

moves: Final = sa.Table(
    "moves",
    metadata,
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

rollouts: Final = sa.Table(
    "rollouts",
    metadata,
    sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
    _text("index_name"),
    _text("release"),
    _text("phase"),
    _at("opened_at"),
    _at("changed_at"),
    sa.Column("policy", BIG, nullable=False, server_default="0"),
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
    ),
    sqlite_strict=True,
)

operations: Final = sa.Table(
    "operations",
    metadata,
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
    ),
    sqlite_strict=True,
)

processes: Final = sa.Table(
    "processes",
    metadata,
    _text("id", key=True),
    _text("host"),
    _big("pid"),
    _at("started_at"),
    _text("program"),
    _at("lease_until"),
    _text("serves"),
    sqlite_strict=True,
)

audit: Final = sa.Table(
    "audit",
    metadata,
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

grants: Final = sa.Table(
    "grants",
    metadata,
    _text("actor", key=True),
    _text("role", key=True),
    # Empty: on all indexes.
    _text("index_name", key=True),
    sqlite_strict=True,
)

holds: Final = sa.Table(
    "holds",
    metadata,
    _text("index_name", key=True),
    _text("release", key=True),
    _text("reason", key=True),
    _text("actor"),
    _at("at"),
    _of_release(),
    sqlite_strict=True,
)
