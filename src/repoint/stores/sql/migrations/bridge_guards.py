"""The guards of the third revision; like it, they never change."""

from __future__ import annotations

from typing import Final

#: As ``initial_guards.GUARDS``.
GUARDS: Final = {
    "bridges_are_immutable": (
        "UPDATE ON bridges",
        """NEW.id IS NOT OLD.id OR NEW.ordinal IS NOT OLD.ordinal
        OR NEW.index_name IS NOT OLD.index_name OR NEW.release IS NOT OLD.release
        OR NEW.source IS NOT OLD.source
        OR NEW.source_fingerprint IS NOT OLD.source_fingerprint
        OR NEW.method IS NOT OLD.method OR NEW.fitted IS NOT OLD.fitted
        OR NEW.held_out IS NOT OLD.held_out OR NEW.cosine IS NOT OLD.cosine
        OR NEW.retention IS NOT OLD.retention OR NEW.weights IS NOT OLD.weights
        OR NEW.actor IS NOT OLD.actor OR NEW.at IS NOT OLD.at""",
    ),
    "bridges_are_never_removed": ("DELETE ON bridges", "1"),
    "bridges_begin_disabled": ("INSERT ON bridges", "NEW.enabled <> 0"),
}
