"""Weaviate: each release's vectors in a class of their own, the alias an alias of Weaviate's.

Or the releases of an index in one class, each under a vector's name of its own.

It needs a server of version 1.33 or newer. The client library comes with the extra
``weaviate``; without it this package can still say what the backend can do.
"""

from __future__ import annotations

from typing import Final

from repoint.domain.errors import MissingExtraError
from repoint.domain.spec import Distance
from repoint.ports.backend import Backend, Capabilities
from repoint.ports.settings import BackendSettings

CAPABILITIES: Final = Capabilities(
    name="weaviate",
    aliases=True,
    lexical=True,
    conditional_writes=False,
    durable=True,
    shared=True,
    approximate=True,
    distances=frozenset(Distance),
    snapshots=False,
    adopts=True,
    privileges=True,
    names=True,
    vector_fields=True,
    own_objects=True,
)


class WeaviateDriver:
    """Opens the backend, once its client library is known to be here."""

    capabilities = CAPABILITIES

    @staticmethod
    def from_settings(settings: BackendSettings) -> Backend:
        """Open it; it connects when it is first used.

        Raises:
            MissingExtraError: weaviate-client is not installed.
            MissingSettingError: there is no URL, or an option is unknown.
        """
        try:
            from repoint.backends.weaviate.backend import WeaviateBackend  # noqa: PLC0415
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] != "weaviate":
                raise
            raise MissingExtraError(driver="weaviate", extra="weaviate") from error
        return WeaviateBackend.from_settings(settings)
