"""Milvus: each release's vectors in a collection of their own, the alias an alias of Milvus'.

A server of version 2.3 or newer, or milvus-lite run as one. It ranks words from 2.5 on. The
library comes with the extra ``milvus``; without it this package can still say what the
backend can do.
"""

from __future__ import annotations

from typing import Final

from repoint.domain.errors import MissingExtraError
from repoint.domain.spec import Distance
from repoint.ports.backend import Backend, Capabilities
from repoint.ports.settings import BackendSettings

CAPABILITIES: Final = Capabilities(
    name="milvus",
    aliases=True,
    lexical=True,  # of a server that is old enough not to, the backend says so
    conditional_writes=False,
    durable=True,
    shared=True,
    approximate=True,
    distances=frozenset(Distance),
    snapshots=False,
    adopts=True,
    privileges=True,  # milvus-lite, which has no users, says that it has none
)


class MilvusDriver:
    """Opens the backend, once its client library is known to be here."""

    capabilities = CAPABILITIES

    @staticmethod
    def from_settings(settings: BackendSettings) -> Backend:
        """Open it; it connects when it is first used.

        Raises:
            MissingExtraError: pymilvus is not installed.
        """
        try:
            from repoint.backends.milvus.backend import MilvusBackend  # noqa: PLC0415
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] not in {"pymilvus", "grpc"}:
                raise
            raise MissingExtraError(driver="milvus", extra="milvus") from error
        return MilvusBackend.from_settings(settings)
