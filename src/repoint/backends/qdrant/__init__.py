"""Qdrant: each release's vectors in a collection of their own, the alias an alias of Qdrant's.

With the option ``strategy = "vector_field"`` the releases of an index share one collection's
points, each with a named vector of its own on them.

With a URL it is a server, of version 1.16 or newer; without one it is the client library's
own engine in the workspace's folder, for one process. The library comes with the extra
``qdrant``; without it this package can still say what the backend can do.
"""

from __future__ import annotations

from typing import Final

from repoint.domain.errors import MissingExtraError
from repoint.domain.spec import Distance
from repoint.ports.backend import Backend, Capabilities
from repoint.ports.settings import BackendSettings

CAPABILITIES: Final = Capabilities(
    name="qdrant",
    aliases=True,
    lexical=True,  # of a server that is old enough not to, the backend says so
    conditional_writes=True,
    durable=True,
    shared=True,
    approximate=True,
    distances=frozenset(Distance),
    ordered_text=False,
    snapshots=False,
    adopts=True,
    vector_fields=True,
)


class QdrantDriver:
    """Opens the backend, once its client library is known to be here."""

    capabilities = CAPABILITIES

    @staticmethod
    def from_settings(settings: BackendSettings) -> Backend:
        """Open it; it connects when it is first used.

        Raises:
            MissingExtraError: qdrant-client is not installed.
        """
        try:
            from repoint.backends.qdrant.backend import QdrantBackend  # noqa: PLC0415
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] != "qdrant_client":
                raise
            raise MissingExtraError(driver="qdrant", extra="qdrant") from error
        return QdrantBackend.from_settings(settings)
