"""Bridges of an index: how queries reach a release whose query model is gone."""

from __future__ import annotations

from repoint.domain.bridge import Bridge
from repoint.domain.ids import BridgeId, IndexName, release_name
from repoint.operations.bridge import bridging
from repoint.operations.bridge.bridging import FitOptions
from repoint.operations.session import Session


class Bridging:
    """Fits bridges, and lets queries go over them; for emergencies."""

    def __init__(self, session: Session, name: IndexName) -> None:
        self._session = session
        self._name = name

    def fit(self, release: str, *, source: str, options: FitOptions | None = None) -> Bridge:
        """Fit a map from the source's living model into the release's space, and measure it.

        Nothing is embedded but the queries that it is measured with, and no query goes over
        it until it is enabled.

        Raises:
            RefusedError: too few texts are in both collections, or nothing tells what the
                release answered when its own model lived.
            UnavailableError: a model or database did not answer; nothing was stored.
        """
        return bridging.fit(
            self._session,
            self._name,
            release_name(release),
            release_name(source),
            options=options or FitOptions(),
        )

    def all(self) -> list[Bridge]:
        """Return all bridges, newest first."""
        return bridging.bridges(self._session, self._name)

    def enable(self, bridge: str, *, reason: str) -> Bridge:
        """Let the release's queries go over a bridge, from when it next begins to answer.

        Raises:
            RefusedError: the policy has no floor, the bridge keeps less, or the release
                answers now.
        """
        return bridging.enable(self._session, self._name, BridgeId(bridge), reason=reason)

    def disable(self, release: str, *, reason: str = "") -> Bridge:
        """Let a release's queries go to its own model again; returns what they went over.

        Raises:
            RefusedError: none of its bridges is enabled, or the release answers now.
        """
        return bridging.disable(self._session, self._name, release_name(release), reason=reason)
