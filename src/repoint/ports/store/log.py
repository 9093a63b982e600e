"""Documents in order, and the logical names that own them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from repoint.domain.catchup import Backlog
from repoint.domain.document import Document, FieldType, LogRow
from repoint.domain.ids import DocumentId, IndexName, Lsn
from repoint.domain.operation import Freeze


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """What a write to the log did."""

    #: The log's head afterwards: wait for a watermark at or above it.
    head: Lsn
    written: int
    #: Documents whose content was already the newest, and tombstones of what was absent.
    unchanged: int


class DocumentLog(Protocol):
    """The ordered record of the corpus: one row a document, newest content or tombstone."""

    def append(
        self, index: IndexName, changes: Sequence[Document | DocumentId], *, at: datetime
    ) -> Appended:
        """Record documents, or ids to delete, in order [commit-order-is-lsn-order].

        LSNs are taken under the index's row lock, so a reader never sees a gap that is
        filled later [no-gaps]. Content equal to the newest takes no LSN [unchanged].
        Of a document with a reference neither title nor text is kept [by-reference].
        One id may occur several times; the last one stands.

        Raises:
            NotFoundError: no such index.
            FieldTypeError: a field has another type than the index has seen for it.
        """
        ...

    def head(self, index: IndexName) -> Lsn:
        """Return the newest LSN taken; 0 for an empty log."""
        ...

    def rows(
        self, index: IndexName, *, above: Lsn, upto: Lsn, limit: int | None = None
    ) -> list[LogRow]:
        """Return rows with ``above < lsn <= upto`` in LSN order."""
        ...

    def bounds(self, index: IndexName, *, above: Lsn, upto: Lsn, every: int) -> list[Lsn]:
        """Return the LSN of every ``every``-th row in the stretch, the last row included."""
        ...

    def backlog(self, index: IndexName, *, above: Lsn, upto: Lsn) -> Backlog:
        """Return how much there is to apply in the stretch."""
        ...

    def get(self, index: IndexName, ids: Sequence[DocumentId]) -> dict[DocumentId, LogRow]:
        """Return the newest rows of these documents; unknown ones are absent."""
        ...

    def scan(self, index: IndexName, *, after: DocumentId | None, limit: int) -> list[LogRow]:
        """Return the next rows in id order, tombstones included, for a keyset scan."""
        ...

    def fields(self, index: IndexName) -> dict[str, FieldType]:
        """Return the metadata fields seen in this index and their types."""
        ...

    def forget(self, index: IndexName, ids: Sequence[DocumentId]) -> None:
        """Remove rows for good: purge, erasure; the head stays [head-never-falls]."""
        ...

    def tombstones(
        self, index: IndexName, *, upto: Lsn, written_before: datetime, limit: int
    ) -> list[DocumentId]:
        """Return tombstones at or below the LSN whose retention is over."""
        ...


class Indexes(Protocol):
    """The logical names that applications use."""

    def create(self, name: IndexName, *, at: datetime) -> None:
        """Make an empty index with an unset pointer.

        Raises:
            AlreadyExistsError: the name is taken.
        """
        ...

    def names(self) -> list[IndexName]:
        """Return all names, sorted."""
        ...

    def require(self, name: IndexName) -> None:
        """Return if there is such an index.

        Raises:
            NotFoundError: there is none; the error lists those there are.
        """
        ...

    def frozen(self, name: IndexName) -> Freeze | None:
        """Return why nothing moves forward, None when it may."""
        ...

    def freeze(self, name: IndexName, freeze: Freeze | None) -> None:
        """Freeze, replacing an earlier freeze, or with None unfreeze."""
        ...
