"""The table of bridges; as ``tables``, whose shorthand it shares."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from repoint.stores.sql.tables import (
    REAL,
    _at,
    _big,
    _flag,
    _of_release,
    _text,
    metadata,
)

bridges: Final = sa.Table(
    "bridges",
    metadata,
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
    _at("at"),
    _flag("enabled"),
    _of_release(),
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
