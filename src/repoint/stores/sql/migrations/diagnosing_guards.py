"""The guards of diagnoses; like their revision, they never change."""

from __future__ import annotations

from typing import Final

#: As ``initial_guards.GUARDS``.
GUARDS: Final = {
    "diagnoses_are_append_only": ("UPDATE ON diagnoses", "1"),
    "diagnoses_are_never_removed": ("DELETE ON diagnoses", "1"),
}
