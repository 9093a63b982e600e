"""How names and texts of ours are written in Weaviate, so that no two become one.

A class begins with a capital letter, and has letters, digits and underscores. A text that a
filter looks for is one token, from whose ends Weaviate takes white space away. Both spellings
leave alone what needs no change.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b
from types import MappingProxyType
from typing import Final
from uuid import UUID, uuid5

from repoint.domain.document import FieldType
from repoint.domain.errors import RowsRefusedError
from repoint.domain.ids import Fingerprint

_SPACE: Final = UUID("a5b0c1f4-2f0e-5a0b-9a55-0c6c0f5f4d11")

#: What a name cannot hold, and an underscore that would look like our own.
_ESCAPED: Final = re.compile("[^A-Za-z0-9_]|_(?=X[0-9A-F]{2})")
#: A field whose name Weaviate takes as it is: it sees no difference of case, and keeps some
#: endings for itself.
_PLAIN: Final = re.compile(
    "[a-z][a-z0-9_]{0,99}(?<!_searchable)(?<!_rangeable)(?<!_temp)(?<!__meta_count)"
)
#: The most bytes of a field's name that are written out in hexadecimal.
_LONGEST: Final = 100
_KINDS: Final[Mapping[FieldType, str]] = MappingProxyType(
    {FieldType.TEXT: "t_", FieldType.NUMBER: "n_", FieldType.BOOLEAN: "b_"}
)
#: What Weaviate takes for white space: the first and last character of each run.
_RUNS: Final = (
    *("\t\r", "\x20\x20", "\x85\x85", "\xa0\xa0", "\u1680\u1680"),
    *("\u2000\u200a", "\u2028\u2029", "\u202f\u202f", "\u205f\u205f", "\u3000\u3000"),
)
#: White space to the character before its run.
_BEFORE: Final[Mapping[str, str]] = MappingProxyType(
    {
        chr(space): chr(ord(first) - 1)
        for first, last in _RUNS
        for space in range(ord(first), ord(last) + 1)
    }
)
_FIRST, _LAST = "\x00", "\U0010ffff"
_TRIMMED: Final = frozenset(_BEFORE) | {_FIRST}


def class_name(name: str) -> str:
    """Return a collection's or an alias's name as a class's.

    Only the case of the first letter is lost.
    """
    spelled = _ESCAPED.sub(lambda found: f"_X{ord(found[0]):02X}", name)
    return spelled[:1].upper() + spelled[1:]


def vector_name(fingerprint: Fingerprint) -> str:
    """Return the name of a space's vectors: no class of another space has it (INV-1)."""
    return f"s_{fingerprint}"


def field_name(field: str) -> str:
    """Return the name of a release's vectors in a class that releases share."""
    return _ESCAPED.sub(lambda found: f"_X{ord(found[0]):02X}", field)


def object_id(document: str, slot: int, *, field: str = "") -> UUID:
    """Return the id of a slot, the same whoever writes it; each field has ids of its own."""
    space = uuid5(_SPACE, field) if field else _SPACE
    return uuid5(space, f"{slot}:{sound(document)}")


def document_key(document: str) -> UUID:
    """Return what all slots of a document share, exact where its text would be trimmed."""
    return uuid5(_SPACE, sound(document))


def property_name(field: str, kind: FieldType) -> str:
    """Return the property that holds a field's values of one type."""
    if _PLAIN.fullmatch(field):
        return _KINDS[kind] + field
    raw = field.encode("utf-8", "surrogatepass")
    if len(raw) <= _LONGEST:
        return f"{_KINDS[kind]}_x{raw.hex()}"
    return f"{_KINDS[kind]}_z{blake2b(raw, digest_size=32).hexdigest()}"


def kind_of(name: str) -> FieldType | None:
    """Return which type a property holds; None if it is none of a field."""
    return next((kind for kind, prefix in _KINDS.items() if name.startswith(prefix)), None)


def term(text: str) -> str:
    """Return a text as the one token that stands for it.

    Equal stays equal, unequal unequal, and the order of code points is kept.
    """
    spelled = sound(text)
    before = _BEFORE.get(text[:1])
    if before is not None:  # just after everything that begins with that character
        spelled = f"{before}{_LAST}\x01{text}"
    elif text[1:2] == _LAST:
        spelled = f"{text[:2]}{_FIRST}{text[2:]}"
    return spelled + _FIRST if not text or text[-1] in _TRIMMED else spelled


def sound(text: str) -> str:
    """Return the text, once it is known to be valid Unicode.

    Raises:
        RowsRefusedError: it has half a surrogate pair.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RowsRefusedError(
            driver="weaviate",
            why=f"half a surrogate pair is no text ({error.reason})",
        ) from error
    return text
