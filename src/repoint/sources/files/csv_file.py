"""CSV files with a header: ``id``, ``text``, ``title``; other columns are metadata.

CSV has no types, so metadata is text unless a column's name says otherwise:
``year:number``, ``open:boolean``. An empty cell is no value.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from repoint.domain.errors import BadLineError
from repoint.sources.files.lines import ByteLines
from repoint.sources.files.reader import Row
from repoint.sources.files.record import LONGEST_TEXT

_WHOLE: Final = re.compile(r"[+-]?\d{1,18}")
_OWN: Final = frozenset({"_id", "id", "title", "text"})
_SURROGATE: Final = re.compile("[\udc80-\udcff]")
_BOOLEANS: Final = {
    "true": True,
    "1": True,
    "yes": True,
    "false": False,
    "0": False,
    "no": False,
}


def _number(text: str) -> float | int:
    return int(text) if _WHOLE.fullmatch(text) else float(text)


def _boolean(text: str) -> bool:
    return _BOOLEANS[text.lower()]


_TYPES: Final[Mapping[str, Callable[[str], str | float | int | bool]]] = {
    "text": str,
    "number": _number,
    "boolean": _boolean,
}


class CsvFile:
    """Reads documents from a CSV file."""

    def __init__(self, lines: ByteLines, *, source: str) -> None:
        self._lines = lines
        self._source = source

    @property
    def position(self) -> int:
        """Bytes of the file that were read."""
        return self._lines.position

    def rows(self, start_line: int) -> Iterator[Row]:
        """Yield what begins at that line or later; an unreadable record as its error.

        Raises:
            BadLineError: the header is no header.
        """
        # The module has one limit for the process; nothing else here reads CSV.
        csv.field_size_limit(2 * LONGEST_TEXT)
        raw: list[bytes] = []
        reader = csv.reader(self._texts(raw), strict=True)
        columns = self._header(reader)
        while True:
            begins = reader.line_num + 1
            raw.clear()
            found: object
            try:
                cells = next(reader)
                found = self._record(columns, cells, begins) if cells else None
            except StopIteration:
                return
            except csv.Error as error:
                found = self._bad(begins, f"no CSV: {error}", "quote cells with , or line ends")
            if found is not None and begins >= start_line:
                yield begins, found, b"".join(raw)

    def close(self) -> None:
        """Close the file."""
        self._lines.close()

    def _texts(self, raw: list[bytes]) -> Iterator[str]:
        """Yield lines as text, keeping the bytes: a record may be several lines."""
        for line in self._lines:
            raw.append(line)
            # What is no UTF-8 is found in its cell, where it can be named.
            yield line.decode("utf-8", "surrogateescape")

    def _header(self, reader: Iterator[list[str]]) -> Sequence[tuple[str, str]]:
        try:
            names = next(reader, [])
        except csv.Error as error:
            raise self._bad(1, f"no CSV: {error}") from error
        columns = [_column(name.strip()) for name in names]
        known = [name for name, _ in columns]
        if not {"id", "_id"} & set(known) or not {"text", "title"} & set(known):
            raise self._bad(
                1,
                "the header lacks the columns id and text",
                "write for instance: id,title,text,year:number",
            )
        if len(set(known)) < len(known) or "" in known:
            raise self._bad(1, "a column of the header has no name, or two have the same")
        return columns

    def _record(
        self, columns: Sequence[tuple[str, str]], cells: Sequence[str], line: int
    ) -> object | BadLineError:
        if len(cells) != len(columns):
            return self._bad(line, f"{len(cells)} cells, not {len(columns)} as in the header")
        record: dict[str, object] = {}
        metadata: dict[str, object] = {}
        for (name, kind), cell in zip(columns, cells, strict=True):
            broken = None if cell.isascii() else _SURROGATE.search(cell)
            if broken:
                byte = ord(broken.group()) - 0xDC00
                why = f"column {name!r}: byte 0x{byte:02x} is no UTF-8"
                return self._bad(line, why, "save the file as UTF-8")
            if name in _OWN:
                record[name] = cell
            elif cell:
                try:
                    metadata[name] = _TYPES[kind](cell)
                except (ValueError, KeyError):
                    return self._bad(line, f"column {name!r}: {cell[:40]!r} is no {kind}")
        record["metadata"] = metadata
        return record

    def _bad(self, line: int, why: str, hint: str = "") -> BadLineError:
        return BadLineError(source=self._source, line=line, why=why, hint=hint)


def _column(name: str) -> tuple[str, str]:
    stem, _, kind = name.rpartition(":")
    return (stem, kind) if stem and kind in _TYPES else (name, "text")
