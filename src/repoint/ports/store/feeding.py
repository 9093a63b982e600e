"""Where the pointer is written to, and where documents are read from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from repoint.domain.ids import Actor, DocumentId, IndexName, SourceName
    from repoint.domain.push import Push
    from repoint.domain.rendering import Rendering
    from repoint.domain.source import Source, SourceState


class Renderings(Protocol):
    """Files that hold a route."""

    def put(self, rendering: Rendering) -> None:
        """Record what a file holds now, by its host and path [rendering-by-place]."""
        ...

    def all(self, index: IndexName) -> list[Rendering]:
        """Return the files of an index, by host and path."""
        ...

    def forget(self, index: IndexName, *, host: str, path: str) -> bool:
        """Forget a file; False when there was no record of it."""
        ...


class Sources(Protocol):
    """Systems of record that feed an index, and how far each was read."""

    def add(self, source: Source) -> None:
        """Store a source that nothing was read of yet [sources-are-kept].

        Raises:
            NotFoundError: no such index.
            AlreadyExistsError: the name is taken in this index.
        """
        ...

    def get(self, index: IndexName, name: SourceName) -> tuple[Source, SourceState]:
        """Return one source, and how far it was read.

        Raises:
            NotFoundError: there is none; the error lists those there are.
        """
        ...

    def all(self, index: IndexName) -> list[tuple[Source, SourceState]]:
        """Return all sources by name."""
        ...

    def remove(self, index: IndexName, name: SourceName) -> None:
        """Forget a source and what it gave; the documents stay in the log."""
        ...

    def advance(self, index: IndexName, name: SourceName, state: SourceState) -> SourceState:
        """Store how far a source was read; return it with its new revision.

        One compare-and-set on the revision [position-is-fenced].

        Raises:
            ConflictError: somebody else advanced it since ``state`` was read.
        """
        ...

    def note(
        self, index: IndexName, name: SourceName, ids: Iterable[DocumentId], *, sweep: int
    ) -> None:
        """Record that the source has these documents, seen in this sweep [sweeps]."""
        ...

    def unnote(self, index: IndexName, name: SourceName, ids: Sequence[DocumentId]) -> None:
        """Record that the source has these documents no longer."""
        ...

    def given(
        self, index: IndexName, name: SourceName, ids: Sequence[DocumentId]
    ) -> set[DocumentId]:
        """Return those of these documents that the source gave."""
        ...

    def unseen(
        self, index: IndexName, name: SourceName, *, sweep: int, limit: int
    ) -> list[DocumentId]:
        """Return documents that the source gave and that no sweep since has seen."""
        ...

    def count(self, index: IndexName, name: SourceName, *, unseen_in: int | None = None) -> int:
        """Return how many documents the source gave, or how many a sweep has not seen."""
        ...

    def kept(self, index: IndexName, name: SourceName) -> int:
        """Return how many documents have their content in this source alone [by-reference]."""
        ...

    def polled(self, index: IndexName, name: SourceName, *, at: datetime, outcome: str) -> None:
        """Record how the newest poll ended; its position stays."""
        ...


class Pushes(Protocol):
    """What became of pushes that carried a key."""

    def find(self, index: IndexName, actor: Actor, key: str) -> Push | None:
        """Return the push that this actor sent under this key, None when there is none."""
        ...

    def add(self, push: Push) -> None:
        """Record a push, in the transaction that takes it [pushes-once].

        Raises:
            AlreadyExistsError: the key is taken.
        """
        ...

    def forget(self, index: IndexName, *, before: datetime) -> int:
        """Forget pushes that are older; return how many those were."""
        ...
