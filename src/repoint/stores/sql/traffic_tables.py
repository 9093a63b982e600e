"""The tables of live queries; as ``tables``, whose shorthand they share."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from repoint.stores.sql.tables import (
    REAL,
    _at,
    _big,
    _flag,
    _of_index,
    _of_release,
    _text,
    metadata,
)

telemetry: Final = sa.Table(
    "telemetry",
    metadata,
    _text("index_name", key=True),
    # Empty: an error came before it was known who answers.
    _text("release", key=True),
    _text("arm", key=True),
    # In microseconds; 0 is the period without an end.
    _big("width", key=True),
    _at("starts_at", key=True),
    # Empty: several processes, added up.
    _text("process", key=True),
    _text("content"),
    _of_index(),
    sa.Index("telemetry_by_age", "width", "starts_at"),
    sqlite_strict=True,
)

shadows: Final = sa.Table(
    "shadows",
    metadata,
    _text("index_name", key=True),
    _text("release"),
    sa.Column("share", REAL, nullable=False),
    _text("actor"),
    _text("reason"),
    _at("at"),
    _of_release(),
    sa.CheckConstraint("share > 0 AND share <= 1", name="shadow_share_is_a_share"),
    sqlite_strict=True,
)

canaries: Final = sa.Table(
    "canaries",
    metadata,
    _text("index_name", key=True),
    # The move that it is a part of.
    _big("epoch", key=True),
    _text("release"),
    sa.Column("share", REAL, nullable=False),
    _text("tenants"),
    _big("since"),
    _flag("interleaved"),
    sa.ForeignKeyConstraint(["index_name", "epoch"], ["moves.index_name", "moves.epoch"]),
    _of_release(),
    sa.CheckConstraint("share BETWEEN 0 AND 1", name="canary_share_is_a_share"),
    sa.CheckConstraint("since BETWEEN 1 AND epoch", name="canary_began_before"),
    sqlite_strict=True,
)

answer_keys: Final = sa.Table(
    "answer_keys",
    metadata,
    _text("index_name", key=True),
    _text("secret"),
    _of_index(),
    sqlite_strict=True,
)

feedback: Final = sa.Table(
    "feedback",
    metadata,
    _text("index_name", key=True),
    # The epoch at which the canary began.
    _big("since", key=True),
    # An answer, or the key that it was given to: whatever may be counted once.
    _text("unit", key=True),
    _big("ordinal"),
    _text("arm"),
    sa.Column("outcome", REAL, nullable=False),
    _at("at"),
    _of_index(),
    sa.UniqueConstraint("index_name", "since", "ordinal", name="feedback_ordinal_unique"),
    sa.CheckConstraint("outcome BETWEEN 0 AND 1", name="outcome_is_between_0_and_1"),
    sqlite_strict=True,
)
