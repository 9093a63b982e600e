"""Values of a team's own fields as literals of Milvus' expressions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from repoint.domain.adoption import Field, FieldKind

#: What a literal escapes: all versions know these, and take any other character as it is.
_ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPED: Final = re.compile(r'[\\"\n\r\t]')
#: A name that stands in an expression as it is.
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def text(value: str) -> str:
    """Return a text as a literal."""
    return f'"{_ESCAPED.sub(lambda found: _ESCAPES[found[0]], value)}"'


def literal(field: Field, value: str) -> str:
    """Return a key, which is always text to repoint, as a literal of its field's type."""
    return value if field.kind is FieldKind.INTEGER else text(value)


def among(field: Field, values: Iterable[str]) -> str:
    """Return the condition that a field has one of these values."""
    return f"{field.name} in [{', '.join(literal(field, one) for one in values)}]"


def is_plain(name: str) -> bool:
    """Return whether a field's name can stand in an expression."""
    return _PLAIN.fullmatch(name) is not None
