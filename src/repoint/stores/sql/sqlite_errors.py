"""SQLite's errors in repoint's words, told apart by their codes and never by their text."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from repoint.domain.errors import BadInputError, CorruptionError, StoreUnavailableError

#: What to do about a store that does not answer, by SQLite's primary result code.
_HINTS: Final = {
    sqlite3.SQLITE_BUSY: "another process is writing; try again",
    sqlite3.SQLITE_LOCKED: "another connection is writing; try again",
    sqlite3.SQLITE_FULL: "free some disk space, then try again",
    sqlite3.SQLITE_READONLY: "make the file and its folder writable for this user",
    sqlite3.SQLITE_CANTOPEN: "make the folder, or make it writable for this user",
    sqlite3.SQLITE_PERM: "make the file and its folder writable for this user",
    sqlite3.SQLITE_AUTH: "make the file and its folder writable for this user",
    sqlite3.SQLITE_IOERR: "check the disk, then try again",
    sqlite3.SQLITE_NOMEM: "free some memory, then try again",
    sqlite3.SQLITE_NOLFS: "put the control store on another file system",
    sqlite3.SQLITE_PROTOCOL: "too many processes open it at once; try again",
    sqlite3.SQLITE_INTERRUPT: "try again",
}
_DAMAGED: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


@contextmanager
def in_our_words(path: Path) -> Iterator[None]:
    """Raise repoint's error for what SQLite raises in the block; pass on what is a bug.

    Raises:
        StoreUnavailableError: locked, full, read-only, unreadable.
        CorruptionError: no database, a damaged one, or an invariant stopped the write.
        BadInputError: a text that no database can hold.
    """
    try:
        yield
    except sqlite3.Error as problem:
        code = getattr(problem, "sqlite_errorcode", None)
        if code is None:
            raise
        primary = code & 0xFF
        if primary in _HINTS:
            raise StoreUnavailableError(
                f"the control store {path} did not answer: {problem}", hint=_HINTS[primary]
            ) from problem
        if primary in _DAMAGED:
            raise CorruptionError(
                f"the control store {path} is damaged: {problem}",
                hint="stop writing, and restore it from a backup",
            ) from problem
        if primary == sqlite3.SQLITE_CONSTRAINT:
            raise CorruptionError(
                f"the control store {path} refused a write that breaks: {problem}",
                hint="nothing was written; report this as a bug",
            ) from problem
        if primary == sqlite3.SQLITE_TOOBIG:
            raise BadInputError(
                f"a text is too long for the control store: {problem}"
            ) from problem
        raise
    except UnicodeEncodeError as problem:
        raise BadInputError(
            f"half a surrogate pair is no character: "
            f"{problem.object[problem.start : problem.end]!r}"
        ) from problem
