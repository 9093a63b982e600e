"""Text as PostgreSQL takes it: it has no place for the character NUL.

NUL and the escape character itself become two characters each. Equal stays equal, unequal
unequal, and the order of code points is kept; every other text is stored as it is.
"""

from __future__ import annotations

import re
from typing import Final

_SPECIAL: Final = re.compile("[\x00\x01]")
_ESCAPED: Final = re.compile("\x01([\x01\x02])")
_CODES: Final = {"\x00": "\x01\x01", "\x01": "\x01\x02"}
_PLAIN: Final = {"\x01": "\x00", "\x02": "\x01"}


def escaped(text: str) -> str:
    """Return the text without NUL."""
    if "\x00" not in text and "\x01" not in text:  # nearly always, and sooner seen so
        return text
    return _SPECIAL.sub(lambda found: _CODES[found[0]], text)


def plain(text: str) -> str:
    """Return what ``escaped`` was given."""
    return _ESCAPED.sub(lambda found: _PLAIN[found[1]], text)
