"""Where in its file each document stands, so that one is read without the rest of the file.

Kept in memory for as long as a process reads by id, 24 bytes a document, and made again for
a file whose size or modification time is another. It is no promise: whoever reads at a place
looks whether the document stands there, and its hash tells whether the content is the log's.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from repoint.domain.document import Json
from repoint.domain.ids import DocumentId

#: An id with the line at which its record begins, and the byte before which the last ended.
Standing: TypeAlias = tuple[DocumentId, int, int]

_WORD: Final = (1 << 64) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a document's record begins."""

    document: DocumentId
    line: int
    #: Only blank lines lie between it and the record; of no use where a file is compressed.
    byte: int


class FilePlaces:
    """The places of one file's documents; of one that stands twice, the last."""

    def __init__(self, standing: Iterable[Standing]) -> None:
        keys, lines, bytes_ = array("Q"), array("q"), array("q")
        for document, line, byte in standing:
            keys.append(_key(document))
            lines.append(line)
            bytes_.append(byte)
        found = np.frombuffer(keys, dtype=np.uint64) if keys else np.empty(0, np.uint64)
        order = np.argsort(found, kind="stable")
        self._keys: npt.NDArray[np.uint64] = found[order]
        self._lines: npt.NDArray[np.int64] = np.array(lines, dtype=np.int64)[order]
        self._bytes: npt.NDArray[np.int64] = np.array(bytes_, dtype=np.int64)[order]

    def of(self, documents: Sequence[DocumentId]) -> list[Place]:
        """Return the places of those that may stand in the file, in its order."""
        if not len(self._keys) or not documents:
            return []
        wanted = np.array([_key(one) for one in documents], dtype=np.uint64)
        at = np.searchsorted(self._keys, wanted, side="right") - 1
        there = np.flatnonzero((at >= 0) & (self._keys[at] == wanted))
        found = [
            Place(
                document=documents[n],
                line=int(self._lines[at[n]]),
                byte=int(self._bytes[at[n]]),
            )
            for n in there.tolist()
        ]
        return sorted(found, key=lambda one: one.line)


class Places:
    """The places of the files that a process reads by id. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: dict[tuple[Path, str], tuple[list[Json], FilePlaces]] = {}

    def of(
        self,
        path: Path,
        deleted: str,
        *,
        stamp: list[Json],
        read: Callable[[], Iterator[Standing]],
        afresh: bool = False,
    ) -> FilePlaces:
        """Return a file's places, from one reading of it if it is not as it was.

        ``deleted`` is the field that tells deleted documents, which decides what stands.
        """
        with self._lock:  # whoever else wants them waits, and need not read
            known = self._known.get((path, deleted))
            if known is None or known[0] != stamp or afresh:
                known = stamp, FilePlaces(read())
                self._known[path, deleted] = known
            return known[1]


def _key(document: DocumentId) -> int:
    return hash(document) & _WORD
