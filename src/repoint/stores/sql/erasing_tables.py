"""The tables of erasures and alarms; as ``tables``, whose shorthand they share."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from repoint.stores.sql.tables import (
    _at,
    _big,
    _of_index,
    _of_release,
    _text,
    metadata,
)

erasures: Final = sa.Table(
    "erasures",
    metadata,
    _text("id", key=True),
    _big("ordinal"),
    _text("index_name"),
    _text("actor"),
    _text("reason"),
    _text("owner"),
    _at("at"),
    _text("stage"),
    _big("documents"),
    _big("unknown"),
    _big("upto"),
    # What is to be erased; empty from stage 'cleared' on.
    _text("secret"),
    _text("findings"),
    _of_index(),
    sa.UniqueConstraint("ordinal", name="erasure_ordinal_unique"),
    sa.CheckConstraint("stage IN ('open', 'cleared', 'done')", name="stage_is_known"),
    sa.CheckConstraint(
        "stage = 'open' OR secret = ''", name="finished_erasures_name_no_document"
    ),
    sqlite_strict=True,
)

alarms: Final = sa.Table(
    "alarms",
    metadata,
    _text("index_name", key=True),
    _text("release", key=True),
    _text("check_name", key=True),
    _text("host", key=True),
    _at("since"),
    _at("at"),
    _text("summary"),
    _text("figures"),
    _of_release(),
    sqlite_strict=True,
)
