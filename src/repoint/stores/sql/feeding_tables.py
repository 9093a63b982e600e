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
