"""What a SQLite file still holds of removed rows: overwritten, and searched for.

``secure_delete`` overwrites a row where it is deleted. Left are older pages in the
write-ahead log, which a checkpoint empties once nobody reads them, and copies in the slack of
pages that were split; only ``VACUUM`` removes those, so it runs where something is found.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from repoint.domain.errors import StoreUnavailableError
from repoint.ports.clock import Clock

#: Bytes of a file searched at a time.
_BLOCK: Final = 4 * 1024 * 1024
_PAUSE: Final = 0.05


def scrub(
    connection: sqlite3.Connection,
    path: Path,
    traces: Sequence[str],
    *,
    clock: Clock,
    patience_s: float,
) -> frozenset[str]:
    """Overwrite what can be, and return which of the texts the files still hold.

    Raises:
        StoreUnavailableError: readers kept old pages in use for all that time.
    """
    _empty_log(connection, path, clock=clock, patience_s=patience_s)
    found = _found(path, traces)
    if found:
        connection.execute("VACUUM")
        _empty_log(connection, path, clock=clock, patience_s=patience_s)
        found = _found(path, sorted(found))
    return found


def _empty_log(
    connection: sqlite3.Connection, path: Path, *, clock: Clock, patience_s: float
) -> None:
    deadline = clock.monotonic() + patience_s
    while True:
        busy = 1
        with suppress(sqlite3.OperationalError):
            (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not busy:
            return
        if clock.monotonic() >= deadline:
            raise StoreUnavailableError(
                f"{path}: readers have kept its write-ahead log in use for {patience_s:g} s",
                hint="end what reads for long, then run the same command again",
            )
        clock.sleep(_PAUSE)


def _found(path: Path, traces: Sequence[str]) -> frozenset[str]:
    needles = {trace: trace.encode() for trace in traces}
    overlap = max((len(needle) for needle in needles.values()), default=1) - 1
    found: set[str] = set()
    for file in (path, path.with_name(path.name + "-wal")):
        with suppress(FileNotFoundError), file.open("rb") as opened:
            before = b""
            while block := opened.read(_BLOCK):
                block = before + block
                found |= {
                    trace
                    for trace, needle in needles.items()
                    if trace not in found and needle in block
                }
                before = block[-overlap:] if overlap else b""
    return frozenset(found)
