"""The guards of live traffic; like their revision, they never change."""

from __future__ import annotations

from typing import Final

#: As ``initial_guards.GUARDS``.
GUARDS: Final = {
    "canary_is_part_of_the_newest_move": (
        "INSERT ON canaries",
        """NEW.epoch <> coalesce(
            (SELECT max(epoch) FROM moves WHERE index_name = NEW.index_name), 0)""",
    ),
    "canary_tries_another_release": (
        "INSERT ON canaries",
        """EXISTS (SELECT 1 FROM moves WHERE index_name = NEW.index_name
            AND epoch = NEW.epoch AND after_active = NEW.release)""",
    ),
    "canaries_are_append_only": ("UPDATE ON canaries", "1"),
    "canaries_are_never_removed": ("DELETE ON canaries", "1"),
    "canary_is_never_dropped": (
        "UPDATE OF state ON releases",
        """NEW.state = 'dropped' AND EXISTS (
            SELECT 1 FROM canaries WHERE index_name = NEW.index_name
            AND release = NEW.name
            AND epoch = (SELECT max(epoch) FROM moves
                         WHERE index_name = NEW.index_name))""",
    ),
    "answer_key_is_kept": ("UPDATE ON answer_keys", "1"),
    "answer_key_is_never_removed": ("DELETE ON answer_keys", "1"),
    "feedback_is_append_only": ("UPDATE ON feedback", "1"),
    "feedback_is_never_removed": ("DELETE ON feedback", "1"),
}
