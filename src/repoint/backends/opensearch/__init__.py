"""OpenSearch: each release's vectors in an index of their own, the alias an alias of its.

A server with the k-NN plugin, whose Lucene engine searches. The library comes with the extra
``opensearch``; without it this package can still say what the backend can do.
"""

from __future__ import annotations

from typing import Final

from repoint.domain.errors import MissingExtraError
from repoint.domain.spec import Distance
from repoint.ports.backend import Backend, Capabilities
from repoint.ports.settings import BackendSettings

CAPABILITIES: Final = Capabilities(
    name="opensearch",
    aliases=True,
    lexical=True,
    conditional_writes=True,
    durable=True,
    shared=True,
    approximate=True,
    distances=frozenset(Distance),
    adopts=True,
    privileges=True,
    names=True,
)


class OpenSearchDriver:
    """Opens the backend, once its client library is known to be here."""

    capabilities = CAPABILITIES

    @staticmethod
    def from_settings(settings: BackendSettings) -> Backend:
        """Open it; it connects when it is first used.

        Raises:
            MissingExtraError: opensearch-py is not installed.
        """
        try:
            from repoint.backends.opensearch.backend import OpenSearchBackend  # noqa: PLC0415
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] != "opensearchpy":
                raise
            raise MissingExtraError(driver="opensearch", extra="opensearch") from error
        return OpenSearchBackend.from_settings(settings)
