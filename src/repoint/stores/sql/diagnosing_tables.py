"""The table of diagnoses; as ``tables``, whose shorthand it shares."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from repoint.stores.sql.tables import _at, _big, _of_release, _text, metadata

diagnoses: Final = sa.Table(
    "diagnoses",
    metadata,
    _text("id", key=True),
    _big("ordinal"),
    _text("index_name"),
    _text("release"),
    _text("actor"),
    _at("at"),
    _text("content"),
    _of_release(),
    sa.UniqueConstraint("index_name", "ordinal", name="diagnosis_ordinal_unique"),
    sqlite_strict=True,
)
