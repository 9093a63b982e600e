"""Whether a field or column says that what it belongs to is deleted."""

from __future__ import annotations

from typing import Final

_NOT_DELETED: Final = frozenset({"", "0", "f", "false", "n", "no"})


def is_deleted(value: object) -> bool:
    """Return whether it is anything but null, false, 0, or a word for one of them."""
    if isinstance(value, str):
        return value.strip().lower() not in _NOT_DELETED
    return bool(value)
