"""The guards of the revision that brings guards and drills; like it, they never change."""

from __future__ import annotations

from typing import Final

#: As ``initial_guards.GUARDS``.
GUARDS: Final = {
    "decision_numbers_rise_by_one": (
        "INSERT ON guard_decisions",
        """NEW.number <> 1 + coalesce(
            (SELECT max(number) FROM guard_decisions WHERE index_name = NEW.index_name), 0)""",
    ),
    "settled_decision_stays_settled": (
        "UPDATE ON guard_decisions",
        "OLD.state <> 'decided'",
    ),
    "decision_keeps_its_grounds": (
        "UPDATE OF epoch, at, actor, act, why, policy, look, content ON guard_decisions",
        """NEW.epoch <> OLD.epoch OR NEW.at <> OLD.at OR NEW.actor <> OLD.actor
            OR NEW.act <> OLD.act OR NEW.why <> OLD.why OR NEW.policy <> OLD.policy
            OR NEW.look <> OLD.look OR NEW.content <> OLD.content""",
    ),
    "decisions_are_never_removed": ("DELETE ON guard_decisions", "1"),
    "looks_are_append_only": ("UPDATE ON guard_looks", "1"),
    "drills_are_append_only": ("UPDATE ON drills", "1"),
    "drills_are_never_removed": ("DELETE ON drills", "1"),
}
