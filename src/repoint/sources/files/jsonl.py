"""JSON lines, as in BEIR's ``corpus.jsonl``: one object a line; blank lines are skipped."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

import msgspec

from repoint.domain.errors import BadLineError
from repoint.sources.files.lines import LONGEST_LINE, ByteLines
from repoint.sources.files.reader import Row

_ESCAPED_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")


class JsonLines:
    """Reads documents from JSON lines."""

    def __init__(self, lines: ByteLines, *, source: str) -> None:
        self._lines = lines
        self._source = source

    @property
    def position(self) -> int:
        """Bytes of the file that were read."""
        return self._lines.position

    def rows(self, start_line: int) -> Iterator[Row]:
        """Yield what begins at that line or later; an unreadable record as its error."""
        decode = msgspec.json.Decoder().decode
        for number, line in enumerate(self._lines, start=1):
            if number < start_line:
                continue
            try:
                yield number, decode(line), line
            # UnicodeDecodeError is a ValueError; deep nesting ends in a RecursionError.
            except (msgspec.DecodeError, ValueError, RecursionError) as error:
                if line.isspace():
                    continue
                yield number, self._unreadable(number, line, error), line

    def close(self) -> None:
        """Close the file."""
        self._lines.close()

    def _unreadable(self, number: int, line: bytes, error: Exception) -> BadLineError:
        why, hint = _why(line, error)
        return BadLineError(source=self._source, line=number, why=why, hint=hint)


def _why(line: bytes, error: Exception) -> tuple[str, str]:
    if len(line) >= LONGEST_LINE:
        return f"longer than {LONGEST_LINE:,} bytes", "split the text into several documents"
    try:
        text = line.decode()
    except UnicodeDecodeError as broken:
        return f"byte {broken.start + 1} of the line is no UTF-8", "save the file as UTF-8"
    if isinstance(error, RecursionError):
        return "nested too deeply", ""
    if re.search(r"[:\[,]\s*-?(NaN|Infinity)\b", text):
        return "NaN and Infinity are no JSON", "write null"
    if _ESCAPED_SURROGATE.search(line) and _is_json(text):
        return "half of a surrogate pair (\\uD800 to \\uDFFF) is no text", ""
    said = str(error).removeprefix("JSON is malformed: ")
    return f"no JSON: {said[0].lower()}{said[1:]}", "one whole object stands on a line"


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
