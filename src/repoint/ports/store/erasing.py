"""What erasures need of the store beyond its other areas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from repoint.domain.erasure import Erasure
    from repoint.domain.evaluation import Run
    from repoint.domain.ids import IndexName
    from repoint.domain.queries import QuerySet


class Erasures(Protocol):
    """Requests to erase, and the rewriting that only they may do."""

    def begin(self, erasure: Erasure) -> None:
        """Record a request at stage OPEN."""
        ...

    def all(self, index: IndexName) -> list[Erasure]:
        """Return the requests of an index, oldest first."""
        ...

    def count(self) -> int:
        """Return how many there ever were, over all indexes: rises with each."""
        ...

    def advance(self, erasure: Erasure) -> None:
        """Store the stage and the findings; the secret is dropped with stage CLEARED.

        Raises:
            ConflictError: it is further already [erasures-never-go-back].
        """
        ...

    def rewrite_query_set(self, queries: QuerySet) -> None:
        """Put a version in its own place; refused while nothing is being erased [guarded]."""
        ...

    def rewrite_run(self, run: Run) -> None:
        """Put a run's answers in their own place; refused as above."""
        ...

    def records(self) -> Iterator[tuple[str, str]]:
        """Yield every text of every record as ``table.column`` and the text.

        But for the documents themselves, what guards their deletes, and erasures.
        """
        ...

    def shared(self, traces: Sequence[str]) -> frozenset[str]:
        """Return those of the texts that stand in a document of some index now."""
        ...
