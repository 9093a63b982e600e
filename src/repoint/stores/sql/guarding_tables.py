"""The tables of guards and drills; as ``tables``, whose shorthand they share."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from repoint.stores.sql.tables import _at, _big, _flag, _of_index, _of_release, _text, metadata

guard_leases: Final = sa.Table(
    "guard_leases",
    metadata,
    _text("index_name", key=True),
    _text("owner"),
    _at("until"),
    _of_index(),
    sqlite_strict=True,
)

guard_looks: Final = sa.Table(
    "guard_looks",
    metadata,
    _text("index_name", key=True),
    _big("epoch", key=True),
    _big("number", key=True),
    _at("at"),
    _big("policy"),
    _text("active"),
    # NULL: there is nothing to go back to.
    _text("fallback", null=True),
    _text("process"),
    _text("content"),
    _of_index(),
    sqlite_strict=True,
)

guard_decisions: Final = sa.Table(
    "guard_decisions",
    metadata,
    _text("index_name", key=True),
    _big("number", key=True),
    _big("epoch"),
    _at("at"),
    _text("actor"),
    _text("act"),
    _text("state"),
    _text("why"),
    _big("policy"),
    _big("look"),
    _text("content"),
    _text("outcome"),
    _of_index(),
    sa.CheckConstraint(
        "state IN ('decided', 'done', 'refused', 'held-back', 'lapsed')",
        name="decision_state_is_known",
    ),
    sa.Index(
        "one_open_decision_per_index",
        "index_name",
        unique=True,
        sqlite_where=sa.text("state = 'decided'"),
    ),
    sqlite_strict=True,
)

guard_alerts: Final = sa.Table(
    "guard_alerts",
    metadata,
    _text("index_name", key=True),
    _text("fingerprint", key=True),
    _text("name"),
    _flag("firing"),
    _at("started_at"),
    _at("received_at"),
    _text("labels"),
    _of_index(),
    sqlite_strict=True,
)

drills: Final = sa.Table(
    "drills",
    metadata,
    _text("index_name", key=True),
    _big("number", key=True),
    _big("epoch"),
    _at("at"),
    _text("actor"),
    _text("ahead"),
    _text("ahead_fingerprint"),
    _text("back"),
    _text("back_fingerprint"),
    _flag("ready"),
    _text("content"),
    _of_release("ahead"),
    _of_release("back"),
    sqlite_strict=True,
)
