"""What was taken over from where, and how far a scan is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from repoint.domain.adoption import Adoption, AdoptionState
    from repoint.domain.ids import IndexName, ReleaseName


class Adoptions(Protocol):
    """The records of adoptions, one a release."""

    def begin(self, adoption: Adoption) -> None:
        """Record that a release's collection is being adopted.

        Raises:
            AlreadyExistsError: the release has a record.
        """
        ...

    def get(self, index: IndexName, release: ReleaseName) -> Adoption | None:
        """Return a release's record, None where its collection is repoint's own."""
        ...

    def all(self, index: IndexName) -> list[Adoption]:
        """Return the records of an index, oldest first."""
        ...

    def advance(self, adoption: Adoption) -> None:
        """Store how far the scan is, and by which layout."""
        ...

    def set_state(
        self, index: IndexName, release: ReleaseName, state: AdoptionState, *, at: datetime
    ) -> None:
        """Store what became of it; a state never comes back [forward-only]."""
        ...
