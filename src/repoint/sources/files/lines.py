"""Byte lines of a file or of standard input, each of bounded length."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, cast

#: Bytes of one line: room for the longest text in any script.
LONGEST_LINE: Final = 70_000_000
_MARK: Final = b"\xef\xbb\xbf"


class ByteLines:
    """Reads lines of bytes and says how far into the file it is."""

    def __init__(self, stream: BinaryIO, *, gzipped: bool) -> None:
        self._raw = stream
        self._stream = (
            cast("BinaryIO", gzip.GzipFile(fileobj=stream, mode="rb")) if gzipped else stream
        )
        self._gzipped = gzipped
        self._read = 0

    @classmethod
    def of(cls, path: Path) -> ByteLines:
        """Open a file, unpacking it if its name ends in ``.gz``."""
        return cls(path.open("rb", buffering=1 << 20), gzipped=path.suffix.lower() == ".gz")

    @property
    def position(self) -> int:
        """Bytes of the file, as it lies on the disk, that were read."""
        return self._raw.tell() if self._gzipped else self._read

    def __iter__(self) -> Iterator[bytes]:
        """Yield lines with their ends, the first without a byte order mark.

        A line of more than ``LONGEST_LINE`` bytes is cut to that length and the rest of it
        skipped.
        """
        readline = self._stream.readline
        mark = _MARK
        while line := readline(LONGEST_LINE):
            self._read += len(line)
            rest = line
            while len(rest) == LONGEST_LINE and not rest.endswith(b"\n"):
                rest = readline(LONGEST_LINE)
                self._read += len(rest)
            yield line.removeprefix(mark)
            mark = b""

    def close(self) -> None:
        """Close the file."""
        self._stream.close()
        self._raw.close()
