"""A system of record that documents are read from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from repoint.domain.document import Json
from repoint.domain.ids import DocumentId
from repoint.domain.source import Batch, Record

#: Ids of documents that are there, and where to go on after them.
Keys = tuple[Sequence[DocumentId], Mapping[str, Json]]


class SourceReader(Protocol):
    """Reads one source. For one thread; close it after.

    Everything may raise ``UnavailableError`` (the source did not answer: read on later) and
    ``BadInputError`` (it is not what its settings say). What was yielded before stands.
    """

    def changes(self, position: Mapping[str, Json]) -> Iterator[Batch]:
        """Yield what changed since the position, and perhaps more, never less.

        Once a batch is in the log its position may be stored, and a reader that is given it
        goes on from there. What is read while it is being written is read again the next
        time. The last batch may be empty.
        """
        ...

    def keys(self, position: Mapping[str, Json]) -> Iterator[Keys]:
        """Yield the ids of all documents that are there, from a position of its own on."""
        ...

    def present(self, ids: Sequence[DocumentId]) -> set[DocumentId]:
        """Return those of these documents that are there now."""
        ...

    def fetch(self, ids: Sequence[DocumentId]) -> dict[DocumentId, Record]:
        """Return what the source says of these documents now; absent: it has no such row."""
        ...

    def warnings(self) -> Sequence[str]:
        """Return in words what of the source is not read, and why."""
        ...

    def close(self) -> None:
        """Let go of connections and files."""
        ...
