"""PostgreSQL's errors in repoint's words, told apart by their codes and never by their text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import MappingProxyType
from typing import Final

import psycopg

from repoint.domain.errors import (
    BadInputError,
    CorruptionError,
    RepointError,
    StoreUnavailableError,
)
from repoint.stores.sql.postgres_url import Place

#: A write where only reading is allowed.
READ_ONLY: Final = "25006"

#: What to do about a server that does not answer, by code; a class of codes has two letters.
_HINTS: Final = MappingProxyType(
    {
        "25006": "the server is a standby: name the primary in the store's URL",
        "25P02": "nothing was written; try again",
        "25P03": "this process held a transaction open for too long; try again",
        "28": "check the user and the password: REPOINT_STORE_URL, PGPASSWORD or ~/.pgpass",
        "3D000": "make the database first; see the page on PostgreSQL",
        "40": "another transaction stood in the way; try again",
        "42501": "grant the rights that the page on PostgreSQL lists",
        "53100": "free some disk space on the server, then try again",
        "53300": "let the server have more connections, or use fewer processes",
        "53": "the server has too little of something; try again",
        "55P03": "another process is writing; try again",
        "57014": "the server stopped the statement; try again",
        "57": "the server is going down or coming up; try again",
        "58": "check the server's disk, then try again",
        "08": "check that the server runs and is within reach, then try again",
    }
)
#: What the driver itself found out has no code.
_UNREACHED: Final = (
    "check that the server runs and is within reach, and the user and the password "
    "(REPOINT_STORE_URL, PGPASSWORD or ~/.pgpass), then try again"
)


@contextmanager
def in_our_words(place: Place) -> Iterator[None]:
    """Raise repoint's error for what the driver raises in the block; pass on what is a bug.

    Raises:
        StoreUnavailableError: unreachable, locked, full, not permitted.
        CorruptionError: damaged, tables missing, or an invariant stopped the write.
        BadInputError: a text that no database can hold.
    """
    try:
        yield
    except psycopg.Error as problem:
        found = _ours(problem, place)
        if found is None:
            raise
        # The driver's own message may name more of the URL than may be seen.
        raise found from (None if problem.sqlstate is None else problem)
    except UnicodeEncodeError as problem:
        raise BadInputError(
            f"half a surrogate pair is no character: "
            f"{problem.object[problem.start : problem.end]!r}"
        ) from problem


def _ours(problem: psycopg.Error, place: Place) -> RepointError | None:
    code, text = problem.sqlstate or "", place.cleaned(_said(problem))
    hint = _HINTS.get(code) or _HINTS.get(code[:2])
    if not code and isinstance(problem, psycopg.OperationalError | psycopg.InterfaceError):
        hint = _UNREACHED
    if hint:
        return StoreUnavailableError(
            f"the control store {place.shown} did not answer: {text}", hint=hint
        )
    if code[:2] == "23":
        broken = problem.diag.constraint_name or text
        return CorruptionError(
            f"the control store {place.shown} refused a write that breaks: {broken}",
            hint="nothing was written; report this as a bug",
        )
    if code[:2] == "XX" or code in {"42P01", "3F000"}:
        return CorruptionError(
            f"the control store {place.shown} is damaged: {text}",
            hint="stop writing, and restore it from a backup",
        )
    if code[:2] in {"22", "54"}:
        return BadInputError(f"the control store cannot hold this: {text}")
    return None


def _said(problem: psycopg.Error) -> str:
    """Return what happened in one line: the driver tells of every address that it tried."""
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    return problem.diag.message_primary or (lines[0] if lines else type(problem).__name__)
