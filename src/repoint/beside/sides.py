"""The two sides of an adopted collection: a team's rows, and what is known of them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Protocol

from repoint.domain.document import Document, Entry, Metadata
from repoint.domain.filters import Filter
from repoint.domain.ids import DocumentId, Lsn
from repoint.ports.backend import FloatMatrix, FloatVector


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamRow:
    """One row as it stands."""

    #: The row's own primary key, as text.
    key: str
    #: Without an id or a text where the row has none.
    document: Document
    #: Tells whether another content stands there than before.
    state: str
    vector: FloatVector | None = None
    #: The row as the database gave it.
    raw: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """What is known of one document."""

    document: DocumentId
    lsn: Lsn
    #: Its row is found by searches; otherwise it was deleted, or the row is left alone.
    filled: bool
    #: The row's key and state when it was noted; empty where there was none.
    key: str = ""
    state: str = ""
    #: The signature of its vector then.
    made: str = ""
    digest: str = ""
    #: The chunk's text, where it is not the document's own.
    text: str | None = None
    start: int = 0
    end: int = 0
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """A row that a search found."""

    key: str
    text: str
    score: float


class TeamRows(Protocol):
    """A team's own rows. Safe to use from many threads.

    Every read sees every write that was acknowledged before it.
    """

    @property
    def most(self) -> int:
        """How many neighbours one search may ask for."""
        ...

    @property
    def keys_are_made(self) -> bool:
        """Whether documents' ids are keys which the database makes by itself.

        A document that is written again gets a new key there and keeps its id here.
        """
        ...

    def named(
        self,
        documents: Collection[DocumentId],
        keys: Collection[str] = (),
        *,
        with_vectors: bool = False,
    ) -> list[TeamRow]:
        """Return the rows of these documents, by their ids, and of these keys."""
        ...

    def pages(self, *, with_vectors: bool) -> Iterator[Sequence[TeamRow]]:
        """Yield every row once, in bounded pages."""
        ...

    def keys(self) -> Iterator[Sequence[str]]:
        """Yield the key of every row once."""
        ...

    def nearest(
        self, values: FloatVector, *, limit: int, among: Sequence[str] | None
    ) -> list[Near]:
        """Return the nearest rows, best first; of these keys where some are given."""
        ...

    def count(self) -> int:
        """Return how many rows there are."""
        ...

    def write(
        self,
        documents: Sequence[Document],
        vectors: FloatMatrix,
        before: Mapping[DocumentId, Sequence[TeamRow]],
    ) -> list[tuple[str, str]]:
        """Write documents into rows, and return key and state of each.

        What is the team's alone stays as it was in the first row ``before``.
        """
        ...

    def remove(self, keys: Sequence[str]) -> None:
        """Delete rows; gone already is no error."""
        ...


class Notes(Protocol):
    """What is known of rows, beside them. Safe to use from many threads."""

    def require_own(self) -> None:
        """See that it is still this release's.

        Raises:
            CollectionMissingError, FingerprintMismatchError: it is not.
        """
        ...

    def of(self, documents: Sequence[DocumentId]) -> dict[DocumentId, Noted]:
        """Return what is known of documents."""
        ...

    def at(self, keys: Sequence[str]) -> dict[str, Noted]:
        """Return what is known of rows, by their keys."""
        ...

    def matching(self, keys: Sequence[str], where: Filter | None) -> dict[str, Noted]:
        """Return what is known of those rows that searches find and the filter lets pass."""
        ...

    def passing(self, where: Filter, *, most: int) -> list[str] | None:
        """Return the keys of all rows that pass the filter; None if they are more."""
        ...

    def every(self) -> Iterator[Sequence[Noted]]:
        """Yield all that is known, in bounded pages."""
        ...

    def require_fitting(self, notes: Sequence[Noted]) -> None:
        """See that all of these could be written.

        Raises:
            UnsupportedError: one is larger than the database can hold.
        """
        ...

    def write(self, notes: Sequence[Noted]) -> None:
        """Write notes, whatever stood there."""
        ...

    def remove(self, documents: Sequence[DocumentId]) -> None:
        """Forget documents."""
        ...

    def remove_emptied(self, below: Lsn) -> None:
        """Forget what was emptied below an LSN."""
        ...

    def counts(self) -> tuple[int, int]:
        """Return how many documents are found by searches, and how many are emptied."""
        ...


def noted(entry: Entry, *, key: str, state: str, made: str) -> Noted:
    """Return the note of an entry whose row stands."""
    if not entry.chunks:
        return Noted(document=entry.document, lsn=entry.lsn, filled=False, key=key, state=state)
    (chunk,) = entry.chunks
    differs = entry.content is None or chunk.text != entry.content.text
    return Noted(
        document=entry.document,
        lsn=entry.lsn,
        filled=True,
        key=key,
        state=state,
        made=made,
        digest=chunk.digest,
        text=chunk.text if differs else None,
        start=chunk.start,
        end=chunk.end,
        metadata=entry.metadata,
    )


def state_of(content: Mapping[str, object]) -> str:
    """Return what tells whether a row has another content than before."""
    seen = {name: value for name, value in content.items() if value is not None}
    written = json.dumps(seen, sort_keys=True, ensure_ascii=True, default=str)
    return blake2b(written.encode(), digest_size=12).hexdigest()
