"""Making deleted rows leave the files, not only the answers.

A deleted row stays where it was written until its file is rewritten; the engine does that
of its own accord only for files of which a tenth is deleted. So as many of a file's rows are
written again as it takes; they come out elsewhere, and what is left is merged into a new
file. Indexes follow a merge by dropping what is gone, but for the text index, whose list of
words only grows: that one is made anew. Then every older version goes, and so do files of
writes that never ended, once they are too old to belong to one that is under way.
"""

from __future__ import annotations

import asyncio
import shutil
import time
import uuid
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from lancedb import AsyncTable
from lancedb.index import FTS

from repoint.backends.lancedb.indexes import merge
from repoint.backends.lancedb.schema import KEY

#: Deletions from which the engine rewrites a file are a tenth; a little more is certain.
_SHARE: Final = 0.12
#: Rows written again together.
_BATCH: Final = 1024
#: How long searches that began before may go on reading the versions that go.
GRACE: Final = timedelta(milliseconds=500)
#: No write is under way for so long.
ABANDONED: Final = timedelta(minutes=10)

#: For the engine, which warns of zero: whoever calls this has waited for readers.
_ANY_AGE: Final = timedelta(milliseconds=1)

#: A row's number is its file's and its place in it.
_PLACE_BITS: Final = 32


async def rewrite_text_index(table: AsyncTable) -> None:
    """Make the text index anew, so that it knows no word of a deleted row."""
    config = FTS(remove_stop_words=False, max_token_length=128)
    await table.create_index("text", config=config, replace=True)


async def rewrite_files(table: AsyncTable, at: Path, *, kept: timedelta) -> None:
    """Let no file that is in use hold a deleted row."""
    await merge(table, older_than=kept)
    for rows in await _with_deletions(table, at):
        await _write_again(table, rows[: int(len(rows) * _SHARE) + 1])
    await merge(table, older_than=kept)


async def prune(table: AsyncTable, at: Path) -> int:
    """Let every older version go; return how many files nobody can say anything about.

    Those are of writes that ended or were killed less than ``ABANDONED`` ago.
    """
    await asyncio.sleep(GRACE.total_seconds())
    await merge(table, older_than=_ANY_AGE)
    young = 0
    for leftover in _unreferenced(at):
        age = time.time() - leftover.stat().st_mtime  # noqa: TID251 - a file's own time
        if age < ABANDONED.total_seconds():
            young += 1
        elif leftover.is_dir():
            shutil.rmtree(leftover)
        else:
            leftover.unlink()
    return young


async def _with_deletions(table: AsyncTable, at: Path) -> list[list[int]]:
    """Return the rows of each file that holds deleted ones, by their numbers."""
    listed = {int(file.name.partition("-")[0]) for file in (at / "_deletions").glob("*")}
    if not listed:
        return []
    numbers = await table.query().select(["slot"]).with_row_id().to_arrow()
    rows = numbers["_rowid"].to_numpy()
    of_file = rows >> _PLACE_BITS
    return [rows[of_file == one].tolist() for one in sorted(listed)]


async def _write_again(table: AsyncTable, chosen: Sequence[int]) -> None:
    for start in range(0, len(chosen), _BATCH):
        rows = await table.take_row_ids(list(chosen[start : start + _BATCH])).to_arrow()
        # Only where the row still stands as it was: an insertion could bring one back.
        again = table.merge_insert(list(KEY))
        await again.when_matched_update_all(where="target.lsn <= source.lsn").execute(rows)


def _unreferenced(at: Path) -> list[Path]:
    """Return data files and indexes that the newest version does not name."""
    versions = sorted((at / "_versions").glob("*.manifest"), key=lambda f: f.stat().st_mtime)
    if not versions:
        return []
    named = versions[-1].read_bytes()
    files = [file for file in (at / "data").glob("*") if file.name.encode() not in named]
    return files + [
        folder
        for folder in (at / "_indices").glob("*")
        if uuid.UUID(folder.name).bytes not in named
    ]
