"""The driver's own settings: ``[backends.NAME.options]``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from repoint.domain.errors import MissingSettingError
from repoint.ports.settings import BackendSettings

_KNOWN: Final = ("grpc", "tenant", "replicas", "strategy")
#: What ``strategy`` may be: a class a release, or a vector's name in a class for all.
_STRATEGIES: Final = ("collection", "vector_field")
_TENANT: Final = re.compile("[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What they say."""

    #: Where gRPC is; empty for its usual port on the same host.
    grpc: str = ""
    #: Whose share of each class this is; empty where a class has no tenants.
    tenant: str = ""
    #: How many nodes keep each chunk of a new class; 0 leaves it to the server.
    replicas: int = 0
    #: Releases of an index share a class, each under a vector's name of its own.
    shares: bool = False

    @staticmethod
    def of(settings: BackendSettings) -> Options:
        """Return the options of a backend.

        Raises:
            MissingSettingError: one is unknown, or no good.
        """
        given = settings.options
        unknown = sorted(given.keys() - set(_KNOWN))
        if unknown:
            raise _wrong(settings, unknown[0], f"known are {', '.join(_KNOWN)}")
        grpc, tenant = given.get("grpc", ""), given.get("tenant")
        if not isinstance(grpc, str):
            raise _wrong(settings, "grpc", "it is no http(s)://host:port")
        if tenant is not None and not (isinstance(tenant, str) and _TENANT.fullmatch(tenant)):
            raise _wrong(settings, "tenant", "it is no name of at most 64 of A-Za-z0-9_-")
        replicas = given.get("replicas", 0)
        is_whole = isinstance(replicas, int) and not isinstance(replicas, bool)
        if not is_whole or ("replicas" in given and int(replicas) < 1):
            raise _wrong(settings, "replicas", "it is no whole number from 1")
        strategy = given.get("strategy", "collection")
        if strategy not in _STRATEGIES:
            known = ", ".join(_STRATEGIES)
            raise _wrong(settings, "strategy", f"{strategy!r} is none of: {known}")
        shares = strategy == "vector_field"
        if shares and tenant:
            raise _wrong(
                settings, "strategy", "one tenant's releases have classes of their own"
            )
        return Options(grpc=grpc, tenant=tenant or "", replicas=int(replicas), shares=shares)


def _wrong(settings: BackendSettings, option: str, why: str) -> MissingSettingError:
    return MissingSettingError(backend=settings.name, setting=f"options.{option}", why=why)
