"""Parquet files: columns ``id``, ``text``, ``title``, ``metadata``; others are metadata too.

Rows are counted from 1. Dates and times become ISO 8601 text; a null is no value.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from repoint.domain.errors import BadInputError
from repoint.sources.files.reader import Row

#: Rows in memory at once; a text may be megabytes.
_BATCH: Final = 256


class ParquetFile:
    """Reads documents from a Parquet file, row group by row group."""

    def __init__(self, path: Path, *, source: str) -> None:
        """Open it.

        Raises:
            BadInputError: it is no Parquet file, or lacks the columns.
        """
        try:
            self._file = pq.ParquetFile(path, pre_buffer=False)
        except pa.ArrowException as error:
            raise BadInputError(f"{source} is no Parquet file: {error}") from error
        names = set(self._file.schema_arrow.names)
        if not names & {"id", "_id"} or not names & {"text", "title"}:
            self._file.close()
            raise BadInputError(
                f"{source} lacks the columns id and text",
                hint=f"its columns: {', '.join(sorted(names))}",
            )
        self._size = path.stat().st_size
        self._rows = max(1, int(self._file.metadata.num_rows))
        self._source = source
        self._read = 0

    @property
    def position(self) -> int:
        """Bytes of the file that were read, taken from the share of its rows."""
        return self._size * self._read // self._rows

    def rows(self, start_line: int) -> Iterator[Row]:
        """Yield the records that begin at that row or later."""
        groups, first = self._groups(start_line)
        self._read = first
        number = first
        try:
            for batch in self._file.iter_batches(batch_size=_BATCH, row_groups=groups):
                for record in batch.to_pylist():
                    number += 1
                    self._read = number
                    if number >= start_line:
                        yield number, _without_nulls(record), _written(record)
        except pa.ArrowException as error:
            why = f"{self._source}, after row {number}: cannot be read on: {error}"
            raise BadInputError(why) from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _groups(self, start_line: int) -> tuple[list[int], int]:
        """Return the row groups from the start on, and how many rows lie before them."""
        before, metadata = 0, self._file.metadata
        for group in range(metadata.num_row_groups):
            rows = int(metadata.row_group(group).num_rows)
            if before + rows >= start_line:
                return list(range(group, metadata.num_row_groups)), before
            before += rows
        return [], before


def _without_nulls(record: dict[str, object]) -> dict[str, object]:
    kept = {name: _plain(value) for name, value in record.items() if value is not None}
    metadata = kept.get("metadata")
    if isinstance(metadata, dict):  # a struct names every field in every row
        kept["metadata"] = {
            name: value for name, value in metadata.items() if value is not None
        }
    return kept


def _plain(value: object) -> object:
    if isinstance(value, dt.date | dt.time):  # a datetime is a date
        return value.isoformat()
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else value


def _written(record: dict[str, object]) -> bytes:
    return msgspec.json.encode(record, enc_hook=repr) + b"\n"
