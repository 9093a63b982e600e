"""Texts that PostgreSQL cannot hold as they are.

Its text knows no NUL, which a document's text may contain. A NUL is stored as two other
characters, and so is the first of those two; nothing else is touched, so texts without
control characters are stored as themselves, and ids keep their order.
"""

from __future__ import annotations

from typing import Final

import psycopg
from psycopg.adapt import Buffer, Dumper, Loader

_MARK: Final = "\x10"
_MARKED: Final = ((_MARK, _MARK + "d"), ("\0", _MARK + "n"))


class TextDumper(Dumper):
    """Writes a text as the server can hold it."""

    def dump(self, obj: str) -> bytes:
        """Return the text for the server."""
        if "\0" in obj or _MARK in obj:
            for plain, marked in _MARKED:
                obj = obj.replace(plain, marked)
        return obj.encode()


class TextLoader(Loader):
    """Reads a text as it was before it was stored."""

    def load(self, data: Buffer) -> str:
        """Return the text as it was given."""
        text = bytes(data).decode()
        if _MARK in text:
            for plain, marked in reversed(_MARKED):
                text = text.replace(marked, plain)
        return text


def adapt(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """Let a connection write and read all texts in this way."""
    connection.adapters.register_dumper(str, TextDumper)
    for name in ("text", "varchar"):
        connection.adapters.register_loader(name, TextLoader)
