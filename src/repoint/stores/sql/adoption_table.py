"""The table of adoptions; as ``tables``, whose shorthand it shares."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from repoint.stores.sql.tables import _at, _big, _of_release, _text, metadata

adoptions: Final = sa.Table(
    "adoptions",
    metadata,
    _text("index_name", key=True),
    _text("release", key=True),
    _text("backend"),
    _text("layout"),
    _text("state"),
    _text("cursor"),
    _big("rows"),
    _big("without_text"),
    _big("total"),
    _text("actor"),
    _at("started_at"),
    _at("finished_at", null=True),
    _text("proof"),
    _of_release(),
    sa.CheckConstraint(
        "state IN ('scanning', 'adopted', 'let-go')", name="adoption_state_is_known"
    ),
    sqlite_strict=True,
)
