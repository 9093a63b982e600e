"""Releases, and the document versions that they could not take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from repoint.domain.catchup import DeadLetter
from repoint.domain.ids import DocumentId, IndexName, Lsn, ReleaseName
from repoint.domain.operation import Baseline
from repoint.domain.release import ProbeSet, Release, ReleaseState


class Releases(Protocol):
    """Releases and what was measured of them."""

    def add(self, release: Release) -> None:
        """Store a new release; its spec can never be changed [spec-is-immutable].

        Raises:
            AlreadyExistsError: the name is taken in this index.
        """
        ...

    def get(self, index: IndexName, name: ReleaseName) -> Release:
        """Return one release.

        Raises:
            NotFoundError: there is none; the error lists those there are.
        """
        ...

    def all(self, index: IndexName) -> list[Release]:
        """Return all releases of an index, oldest first."""
        ...

    def set_state(self, index: IndexName, name: ReleaseName, state: ReleaseState) -> None:
        """Change how far a release is in its life."""
        ...

    def set_pace(
        self, index: IndexName, name: ReleaseName, *, paused: bool, throttle: float | None
    ) -> None:
        """Pause or resume a release's sync, or limit its rows a second."""
        ...

    def put_probes(self, index: IndexName, name: ReleaseName, probes: ProbeSet) -> None:
        """Store the sentinels measured when the release was made."""
        ...

    def probes(self, index: IndexName, name: ReleaseName) -> ProbeSet | None:
        """Return the sentinels, None before they were measured."""
        ...

    def put_baseline(self, baseline: Baseline) -> None:
        """Store what a release answers while it is known to be good; the newest stands."""
        ...

    def baseline(self, index: IndexName, name: ReleaseName) -> Baseline | None:
        """Return the newest baseline."""
        ...


class DeadLetters(Protocol):
    """Document versions that a release could not take."""

    def put(self, letters: Iterable[DeadLetter]) -> None:
        """Record them; a newer LSN or another attempt replaces the record of a document."""
        ...

    def all(self, index: IndexName, release: ReleaseName) -> list[DeadLetter]:
        """Return them in LSN order."""
        ...

    def clear(
        self, index: IndexName, release: ReleaseName, ids: Sequence[DocumentId], *, upto: Lsn
    ) -> None:
        """Forget the letters of these documents at or below the LSN."""
        ...
