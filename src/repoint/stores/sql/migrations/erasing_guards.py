"""The guards of the revision that brings erasures; like it, they never change."""

from __future__ import annotations

from typing import Final

_NOBODY_ERASES: Final = """NOT EXISTS (SELECT 1 FROM erasures
    WHERE index_name = OLD.index_name AND stage = 'open')"""

#: As ``initial_guards.GUARDS``. The first two take the place of those of the same names:
#: what is erased is rewritten in its place, and nothing else ever is.
GUARDS: Final = {
    "query_sets_are_append_only": (
        "UPDATE ON query_sets",
        f"""{_NOBODY_ERASES} OR NEW.index_name <> OLD.index_name OR NEW.name <> OLD.name
        OR NEW.version <> OLD.version OR NEW.kind <> OLD.kind OR NEW.actor <> OLD.actor
        OR NEW.at <> OLD.at OR NEW.queries > OLD.queries
        OR NEW.judgements > OLD.judgements""",
    ),
    "runs_are_append_only": (
        "UPDATE ON runs",
        f"""{_NOBODY_ERASES} OR NEW.id <> OLD.id OR NEW.ordinal <> OLD.ordinal
        OR NEW.index_name <> OLD.index_name OR NEW.release <> OLD.release
        OR NEW.fingerprint <> OLD.fingerprint OR NEW.query_set <> OLD.query_set
        OR NEW.version <> OLD.version OR NEW.depth <> OLD.depth OR NEW.lsn <> OLD.lsn
        OR NEW.actor <> OLD.actor OR NEW.at <> OLD.at OR NEW.name IS NOT OLD.name""",
    ),
    "erasures_never_go_back": (
        "UPDATE ON erasures",
        """OLD.stage = 'done' OR (OLD.stage = 'cleared' AND NEW.stage = 'open')
        OR NEW.documents <> OLD.documents OR NEW.upto <> OLD.upto""",
    ),
    "erasures_are_never_removed": ("DELETE ON erasures", "1"),
}

#: Those whose place they take, and the tables that these stand before.
REPLACED: Final = {"query_sets_are_append_only": "query_sets", "runs_are_append_only": "runs"}
