"""What a file format brings: records one after another, whatever is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeAlias

from repoint.domain.errors import BadLineError

#: The line at which a record begins, the record or why it cannot be read, and its bytes.
Row: TypeAlias = tuple[int, object | BadLineError, bytes]


class Reader(Protocol):
    """Reads one file once, in one go."""

    @property
    def position(self) -> int:
        """Bytes of the file that were read."""
        ...

    def rows(self, start_line: int) -> Iterator[Row]:
        """Yield what begins at that line or later; an unreadable record as its error."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...
