"""The tables of rendered files and of sources; as ``tables``, whose shorthand they share."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from repoint.stores.sql.tables import _at, _big, _of_index, _text, metadata

renderings: Final = sa.Table(
    "renderings",
    metadata,
    _text("index_name", key=True),
    _text("host", key=True),
    _text("path", key=True),
    _text("format"),
    _text("release"),
    _big("epoch"),
    _text("digest"),
    _text("actor"),
    _at("at"),
    _of_index(),
    sqlite_strict=True,
)

sources: Final = sa.Table(
    "sources",
    metadata,
    _text("index_name", key=True),
    _text("name", key=True),
    _text("settings"),
    _text("actor"),
    _at("at"),
    # Rises with every change of the position: who read an older one changes nothing.
    _big("revision"),
    _text("position"),
    _at("polled_at", null=True),
    _text("outcome"),
    _of_index(),
    sqlite_strict=True,
)

# What a source gave and has not taken back, and the sweep in which it was last seen.
source_documents: Final = sa.Table(
    "source_documents",
    metadata,
    _text("index_name", key=True),
    _text("source", key=True),
    _text("id", key=True),
    _big("sweep"),
    sa.ForeignKeyConstraint(
        ["index_name", "source"],
        ["sources.index_name", "sources.name"],
        ondelete="CASCADE",
    ),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

# Answers to pushes that carried a key, so that a push sent twice is taken once.
pushes: Final = sa.Table(
    "pushes",
    metadata,
    _text("index_name", key=True),
    _text("actor", key=True),
    _text("key", key=True),
    # Of the request's body: a key is used for one body only.
    _text("digest"),
    _at("at"),
    _big("head"),
    _big("written"),
    _big("unchanged"),
    _of_index(),
    sa.Index("pushes_by_age", "index_name", "at"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)
