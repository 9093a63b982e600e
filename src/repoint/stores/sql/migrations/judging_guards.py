"""The guards of the second revision; like it, they never change."""

from __future__ import annotations

from typing import Final

#: As ``initial_guards.GUARDS``.
GUARDS: Final = {
    "query_set_versions_rise_by_one": (
        "INSERT ON query_sets",
        """NEW.version <> 1 + coalesce(
            (SELECT max(version) FROM query_sets
             WHERE index_name = NEW.index_name AND name = NEW.name), 0)""",
    ),
    "query_sets_are_append_only": ("UPDATE ON query_sets", "1"),
    "query_sets_are_never_removed": ("DELETE ON query_sets", "1"),
    "runs_are_append_only": ("UPDATE ON runs", "1"),
    "runs_are_never_removed": ("DELETE ON runs", "1"),
    "evaluations_are_append_only": ("UPDATE ON evaluations", "1"),
    "evaluations_are_never_removed": ("DELETE ON evaluations", "1"),
    "policy_versions_rise_by_one": (
        "INSERT ON policies",
        """NEW.version <> 1 + coalesce(
            (SELECT max(version) FROM policies WHERE index_name = NEW.index_name), 0)""",
    ),
    "policies_are_append_only": ("UPDATE ON policies", "1"),
    "policies_are_never_removed": ("DELETE ON policies", "1"),
    "rollout_keeps_its_policy": ("UPDATE OF policy ON rollouts", "NEW.policy <> OLD.policy"),
    "rollout_begins_with_the_policy_in_force": (
        "INSERT ON rollouts",
        """NEW.policy <> coalesce(
            (SELECT max(version) FROM policies WHERE index_name = NEW.index_name), 0)""",
    ),
}
