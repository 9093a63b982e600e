"""The tables of what candidates are judged with; as ``tables``, whose shorthand they share."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from repoint.stores.sql.tables import _at, _big, _of_index, _of_release, _text, metadata

query_sets: Final = sa.Table(
    "query_sets",
    metadata,
    _text("index_name", key=True),
    _text("name", key=True),
    _big("version", key=True),
    _text("kind"),
    _big("queries"),
    _big("judgements"),
    _big("groups"),
    _text("source"),
    _text("digest"),
    _text("actor"),
    _at("at"),
    _text("content"),
    _of_index(),
    sqlite_strict=True,
)

runs: Final = sa.Table(
    "runs",
    metadata,
    _text("id", key=True),
    _big("ordinal"),
    _text("index_name"),
    _text("release"),
    _text("fingerprint"),
    _text("query_set"),
    _big("version"),
    _big("depth"),
    _big("lsn"),
    _text("actor"),
    _at("at"),
    # NULL: nobody gave it a name.
    _text("name", null=True),
    _text("content"),
    _of_release(),
    sa.ForeignKeyConstraint(
        ["index_name", "query_set", "version"],
        ["query_sets.index_name", "query_sets.name", "query_sets.version"],
    ),
    sa.UniqueConstraint("index_name", "ordinal", name="run_ordinal_unique"),
    sa.UniqueConstraint("index_name", "name", name="run_name_unique"),
    sqlite_strict=True,
)

evaluations: Final = sa.Table(
    "evaluations",
    metadata,
    _text("id", key=True),
    _big("ordinal"),
    _text("index_name"),
    _text("candidate"),
    _text("baseline"),
    _text("candidate_fingerprint"),
    _text("baseline_fingerprint"),
    _text("query_set"),
    _big("version"),
    _text("candidate_run"),
    _text("baseline_run"),
    _big("k"),
    _text("actor"),
    _at("at"),
    _of_index(),
    sa.ForeignKeyConstraint(["candidate_run"], ["runs.id"]),
    sa.ForeignKeyConstraint(["baseline_run"], ["runs.id"]),
    sa.UniqueConstraint("index_name", "ordinal", name="evaluation_ordinal_unique"),
    sqlite_strict=True,
)

policies: Final = sa.Table(
    "policies",
    metadata,
    _text("index_name", key=True),
    _big("version", key=True),
    _text("actor"),
    _text("reason"),
    _at("at"),
    _text("content"),
    _of_index(),
    sqlite_strict=True,
)
