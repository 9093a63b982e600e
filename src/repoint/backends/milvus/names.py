"""Names as Milvus takes them: letters, digits and underscores."""

from __future__ import annotations

import re


def physical(name: str) -> str:
    """Return a name with every other character by its number, for instance ``a-b``: ``a_2d_b``.

    Two names that meet in one are told apart by the spec that a collection carries.
    """
    return re.sub(r"[^A-Za-z0-9_]", lambda found: f"_{ord(found[0]):x}_", name)
