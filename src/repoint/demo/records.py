"""What the demo writes down while it runs: every write, every answer, every watermark.

Times are seconds of the machine's monotonic clock, which all its processes share.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from repoint.domain.document import Document
from repoint.domain.ids import DocumentId


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One hit of an answer: which version of which document, and how near."""

    document: DocumentId
    lsn: int
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question that a reader asked, and what came back."""

    reader: str
    #: The question's number.
    question: int
    began: float
    ended: float
    #: Who answered, by the answer's own stamp; empty and 0 when nobody did.
    release: str = ""
    epoch: int = 0
    hits: Sequence[Seen] = ()
    #: Why there was no answer.
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One write that was acknowledged."""

    document: DocumentId
    lsn: int
    #: None for a delete.
    content: Document | None
    acknowledged: float
    #: ``add``, ``edit`` or ``delete``.
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """How far every live release was when it was looked at."""

    at: float
    active: str
    watermarks: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A move of the pointer as its caller saw it."""

    epoch: int
    release: str
    what: str
    began: float
    #: When every live process had acknowledged it.
    done: float


class Ledger:
    """The writes that were acknowledged, in order. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._writes: list[Written] = []

    def note(self, write: Written) -> None:
        """Keep a write."""
        with self._lock:
            self._writes.append(write)

    def writes(self) -> Sequence[Written]:
        """Return all writes so far."""
        with self._lock:
            return tuple(self._writes)

    def newest(self) -> dict[DocumentId, Written]:
        """Return what stands of every document that was written."""
        return {write.document: write for write in self.writes()}


def save(path: Path, asked: Iterable[Asked]) -> None:
    """Write answers to a file, one a line."""
    with path.open("w", encoding="utf-8") as file:
        for one in asked:
            file.write(json.dumps(asdict(one), ensure_ascii=False) + "\n")


def load(path: Path) -> list[Asked]:
    """Read what ``save`` wrote."""
    asked: list[Asked] = []
    with path.open(encoding="utf-8") as file:
        for line in file:
            fields = json.loads(line)
            fields["hits"] = tuple(Seen(**hit) for hit in fields["hits"])
            asked.append(Asked(**fields))
    return asked
