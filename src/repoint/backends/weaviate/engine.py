"""The client, and its errors as ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event, RLock
from typing import Final, TypeVar
from urllib.parse import SplitResult, urlsplit

import grpc
import httpx
from weaviate import WeaviateClient
from weaviate.classes.init import AdditionalConfig, Auth, Timeout
from weaviate.config import GrpcConfig
from weaviate.connect import ConnectionParams
from weaviate.exceptions import (
    InsufficientPermissionsError,
    UnexpectedStatusCodeError,
    WeaviateBaseError,
    WeaviateClosedClientError,
    WeaviateConnectionError,
    WeaviateStartUpError,
    WeaviateTimeoutError,
)

from repoint.domain.errors import (
    BackendUnavailableError,
    CollectionMissingError,
    MissingSettingError,
    RepointError,
    UnsupportedError,
)
from repoint.ports.settings import Option

T = TypeVar("T")

#: The first version whose filters have ``not``.
LEAST_VERSION: Final = (1, 33)
#: Where gRPC is, unless the option ``grpc`` says otherwise.
GRPC_PORT: Final = 50051
#: Seconds for one question, for one write, and for the first sign of life.
QUERY_S, WRITE_S, INIT_S = 30, 120, 5
#: Seconds after which what a healthy class refused is asked again: on a cluster, a node may
#: not know yet what another one made.
PAUSES: Final = (0.1, 0.4, 1.5)

#: The client would ask a server that is away again for a minute; this waits for it once.
_CHANNEL: Final = json.dumps({"methodConfig": [{"name": [{}], "waitForReady": True}]})
_AWAY: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})
_UNAUTHORISED, _NOT_FOUND = 401, 404
_PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the server's two doors are."""

    http: SplitResult
    grpc: SplitResult

    @staticmethod
    def of(url: str, *, grpc_url: Option, backend: str) -> Address:
        """Return both addresses; without one of its own, gRPC is on the same host.

        Raises:
            MissingSettingError: one is no URL of a host.
        """
        http = _parted(url, backend=backend, setting="url")
        other = f"{http.scheme}://{_netloc(http, GRPC_PORT)}"
        return Address(
            http=http,
            grpc=_parted(str(grpc_url) or other, backend=backend, setting="options.grpc"),
        )

    def parameters(self) -> ConnectionParams:
        """Return it as the client takes it."""
        return ConnectionParams.from_params(
            http_host=self.http.hostname or "",
            http_port=self.http.port or _PORTS[self.http.scheme],
            http_secure=self.http.scheme == "https",
            grpc_host=self.grpc.hostname or "",
            grpc_port=self.grpc.port or _PORTS[self.grpc.scheme],
            grpc_secure=self.grpc.scheme == "https",
        )

    @property
    def key(self) -> str:
        """Say which server it is, without a password."""
        return f"{self.http.hostname}:{self.http.port}"


@dataclass(slots=True, kw_only=True)
class Engine:
    """Opens the client when it is first needed. Safe to use from many threads."""

    address: Address
    api_key: str = field(repr=False, default="")
    _lock: RLock = field(default_factory=RLock, repr=False)
    _client: WeaviateClient | None = field(default=None, repr=False)

    def run(
        self,
        call: Callable[[WeaviateClient], T],
        *,
        about: str,
        explain: Callable[[WeaviateClient], None] | None = None,
    ) -> T:
        """Return what the call returns; it is repeated where the server may not know yet.

        ``explain`` looks up why the server may have said no, and raises that; if it finds
        nothing, the call is made again a few times.

        Raises:
            UnavailableError: the server did not answer, or said no.
            CollectionMissingError: the class of ``about`` is gone.
        """
        for pause in (*PAUSES, None):
            try:
                return call(self._opened())
            except _CLIENT_ERRORS as error:
                problem, refused = _translation(error, about)
                if explain is None or not refused:
                    raise problem from error
            self.run(explain, about=about)
            if pause is None:
                raise problem
            Event().wait(pause)
        raise AssertionError("the last attempt returns or raises")

    def close(self) -> None:
        """Close the client; the next call opens it again."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _opened(self) -> WeaviateClient:
        with self._lock:
            if self._client is None:
                self._client = self._connected()
            return self._client

    def _connected(self) -> WeaviateClient:
        client = WeaviateClient(
            self.address.parameters(),
            auth_client_secret=Auth.api_key(self.api_key) if self.api_key else None,
            additional_config=AdditionalConfig(
                timeout=Timeout(query=QUERY_S, insert=WRITE_S, init=INIT_S),
                grpc_config=GrpcConfig(channel_options=[("grpc.service_config", _CHANNEL)]),
            ),
            skip_init_checks=True,  # they ask a package index for the client's newest version
        )
        try:
            client.connect()
            _require_version(str(client.get_meta().get("version", "")))
        except BaseException:
            client.close()
            raise
        return client


def _translation(
    error: httpx.HTTPError | WeaviateBaseError, about: str
) -> tuple[RepointError, bool]:
    """Return our error, and whether the server understood the call and said no."""
    status = _grpc_status(error)
    if isinstance(error, _SILENT) or status in _AWAY:
        silent = BackendUnavailableError(
            f"{about}: the server does not answer",
            hint="check url and options.grpc, and that the server is up",
        )
        return silent, False
    if isinstance(error, InsufficientPermissionsError):
        hint = "grant it to the user of the key"
        return BackendUnavailableError(f"{about}: {_said(error)}", hint=hint), False
    code = error.status_code if isinstance(error, UnexpectedStatusCodeError) else None
    if code == _UNAUTHORISED or status is grpc.StatusCode.UNAUTHENTICATED:
        unknown = BackendUnavailableError(
            f"{about}: the server does not take the key",
            hint="api_key_env names the environment variable with it",
        )
        return unknown, False
    if code == _NOT_FOUND:
        return CollectionMissingError(collection=about), False
    return BackendUnavailableError(f"{about}: the server says: {_said(error)}"), True


_CLIENT_ERRORS: Final = (httpx.HTTPError, WeaviateBaseError)
_SILENT: Final = (
    httpx.HTTPError,
    WeaviateStartUpError,
    WeaviateConnectionError,
    WeaviateTimeoutError,
    WeaviateClosedClientError,
)


def _grpc_status(error: BaseException) -> grpc.StatusCode | None:
    """Return the status that the client leaves out of the errors it makes of gRPC's."""
    cause = error
    while (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
        if isinstance(cause, grpc.RpcError) and isinstance(cause, grpc.Call):
            status: grpc.StatusCode = cause.code()
            return status
    return None


def _said(error: Exception) -> str:
    """Return the server's own words as one line."""
    inner = getattr(error, "error", None)
    if isinstance(inner, dict) and isinstance(inner.get("error"), list) and inner["error"]:
        inner = inner["error"][0].get("message")
    said = inner if isinstance(inner, str) else str(error)
    return " ".join(said.split())[:300].rstrip(".")


def _require_version(version: str) -> None:
    parts = version.split(".")[:2]
    known = tuple(map(int, parts)) if all(part.isdecimal() for part in parts) else (0,)
    if known < LEAST_VERSION:
        least = ".".join(map(str, LEAST_VERSION))
        raise UnsupportedError(
            driver="weaviate",
            what=f"a server of version {version or '(unknown)'}",
            hint=f"{least} or newer",
        )


def _parted(url: str, *, backend: str, setting: str) -> SplitResult:
    why = ""
    parts = urlsplit(url)
    try:
        known = parts.scheme in _PORTS and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        known = False
    if not url:
        why = "there is none"
    elif not known or parts.path.strip("/") or "@" in parts.netloc:
        why = "it is no http(s)://host:port"  # what is wrong with it could be a secret
    if why:
        raise MissingSettingError(backend=backend, setting=setting, why=why)
    return parts


def _netloc(parts: SplitResult, port: int) -> str:
    host = parts.hostname or ""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
