"""The guards of the fourth revision; like it, they never change."""

from __future__ import annotations

from typing import Final

#: As ``initial_guards.GUARDS``.
GUARDS: Final = {
    "adoption_goes_forward": (
        "UPDATE OF state ON adoptions",
        """(OLD.state = 'adopted' AND NEW.state = 'scanning')
            OR (OLD.state = 'let-go' AND NEW.state <> 'let-go')""",
    ),
    "adoption_is_never_removed": ("DELETE ON adoptions", "1"),
}
