"""The tables of live queries; as ``tables``, whose shorthand they share."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from repoint.stores.sql.tables import REAL, _at, _big, _of_index, _of_release, _text, metadata

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
