"""Chroma: each release's vectors in a collection of their own, on a server.

Spoken to over its HTTP API of version 2, which servers from 1.0 on have; no client library is
needed. There is no alias, no ranking by words, and no write that compares before it replaces.
"""

from __future__ import annotations

from typing import Final

from repoint.domain.spec import Distance
from repoint.ports.backend import Backend, Capabilities
from repoint.ports.settings import BackendSettings

CAPABILITIES: Final = Capabilities(
    name="chroma",
    aliases=False,
    lexical=False,
    conditional_writes=False,
    durable=True,
    shared=True,
    approximate=True,
    distances=frozenset(Distance),
    ordered_text=False,
    snapshots=False,
    adopts=True,
)


class ChromaDriver:
    """Opens the backend, loading what it needs only then."""

    capabilities = CAPABILITIES

    @staticmethod
    def from_settings(settings: BackendSettings) -> Backend:
        """Open it; it connects when it is first used."""
        from repoint.backends.chroma.backend import ChromaBackend  # noqa: PLC0415 - when used

        return ChromaBackend.from_settings(settings)
