"""Bridges: maps into spaces whose query model is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from repoint.domain.bridge import Bridge
    from repoint.domain.ids import BridgeId, IndexName, ReleaseName


class Bridges(Protocol):
    """Bridges and which of them queries go over; ``Releases`` gives each release with its."""

    def add(self, bridge: Bridge) -> None:
        """Store a bridge, not enabled; it is never changed [bridges-are-immutable].

        Raises:
            NotFoundError: no such index or release.
        """
        ...

    def get(self, index: IndexName, bridge: BridgeId) -> Bridge:
        """Return one bridge.

        Raises:
            NotFoundError: there is none.
        """
        ...

    def all(self, index: IndexName) -> list[Bridge]:
        """Return all bridges of an index, newest first."""
        ...

    def enable(self, index: IndexName, release: ReleaseName, bridge: BridgeId | None) -> None:
        """Let a release's queries go over one of its bridges, or with None over none.

        At most one is enabled at a time [one-bridge-a-release].

        Raises:
            NotFoundError: the release has no such bridge.
        """
        ...
