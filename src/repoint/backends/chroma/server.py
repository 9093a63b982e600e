"""Questions to one Chroma server, and its errors as ours.

Chroma's own client waits for an answer without end and gives most failures as a bare
``Exception``; a rollback can afford neither, so the few calls that are needed are made here.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from threading import Lock
from typing import Final, TypeVar
from urllib.parse import quote

import httpx2
import msgspec
import numpy as np

from repoint.domain.errors import (
    AlreadyExistsError,
    BackendUnavailableError,
    CollectionMissingError,
    RepointError,
    RowsRefusedError,
    UnsupportedError,
)
from repoint.ports.backend import FloatMatrix

T = TypeVar("T")

#: Seconds for one call, and for connecting to the server.
TIMEOUT_S: Final = 60.0
CONNECT_S: Final = 10.0
#: Characters of a server's explanation that go into an error.
_QUOTED: Final = 300
#: Statuses of a write of which some record is at fault; one request may be too large, too.
_BAD_RECORD: Final = frozenset({400, 413, 422})
#: Collections of one page of their list.
_PAGE: Final = 500

Value = str | int | float | bool


class Described(msgspec.Struct):
    """A collection, as the server describes it."""

    id: str
    name: str
    metadata: dict[str, Value] | None = None


class Got(msgspec.Struct):
    """Records, column by column."""

    ids: list[str]
    metadatas: list[dict[str, Value] | None] | None = None
    documents: list[str | None] | None = None
    embeddings: list[list[float]] | None = None


class Found(msgspec.Struct):
    """The nearest records of each query."""

    distances: list[list[float]]
    metadatas: list[list[dict[str, Value] | None]]
    documents: list[list[str | None]]


class Shape(msgspec.Struct):
    """How a collection is made."""

    id: str
    configuration_json: dict[str, dict[str, object] | None]
    dimension: int | None = None

    @property
    def space(self) -> str:
        """Return what its graph compares by: ``cosine``, ``ip`` or ``l2``."""
        graphs = (self.configuration_json.get(name) for name in ("hnsw", "spann"))
        return next((str(one["space"]) for one in graphs if one and "space" in one), "l2")


class Foreign(msgspec.Struct):
    """Records that somebody else wrote, column by column."""

    ids: list[str]
    metadatas: list[dict[str, object] | None] | None = None
    documents: list[str | None] | None = None
    embeddings: list[list[float] | None] | None = None


class Nearest(msgspec.Struct):
    """The nearest records of each query, whoever wrote them."""

    ids: list[list[str]]
    distances: list[list[float]]
    documents: list[list[str | None]]
    metadatas: list[list[dict[str, object] | None]]


class _Limits(msgspec.Struct):
    max_batch_size: int = 1000
    supports_base64_encoding: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a server is, and which of its databases."""

    url: str
    api_key: str = field(default="", repr=False)
    tenant: str = "default_tenant"
    database: str = "default_database"


class Server:
    """One database of a server. Safe to use from many threads."""

    def __init__(
        self, address: Address, *, transport: httpx2.BaseTransport | None = None
    ) -> None:
        self.address = address
        self._transport = transport
        self._lock = Lock()
        self._client: httpx2.Client | None = None
        self._limits: _Limits | None = None

    @property
    def most_records(self) -> int:
        """How many records one call may write."""
        return self._known_limits().max_batch_size

    def create(self, name: str, *, metadata: Mapping[str, Value], hnsw: object) -> Described:
        """Make a collection.

        Raises:
            AlreadyExistsError: it is there.
        """
        body = {"name": name, "metadata": metadata, "configuration": {"hnsw": hnsw}}
        return self._ask("POST", "/collections", Described, body, about=name)

    def described(self, name: str) -> Described | None:
        """Return what the server says of the collection of that name, None if none has it."""
        try:
            return self._ask(
                "GET", f"/collections/{quote(name, safe='')}", Described, about=name
            )
        except CollectionMissingError:
            return None

    def collections(self) -> list[Described]:
        """Return every collection of the database."""
        found: list[Described] = []
        while True:
            query = f"/collections?limit={_PAGE}&offset={len(found)}"
            page = self._ask("GET", query, list[Described], about="the collections")
            found += page
            if len(page) < _PAGE:
                return found

    def delete(self, name: str) -> None:
        """Delete the collection of that name; gone already is no error."""
        try:
            path = f"/collections/{quote(name, safe='')}"
            self._ask("DELETE", path, msgspec.Raw, about=name)
        except CollectionMissingError:
            return

    def upsert(
        self,
        collection: str,
        *,
        ids: Sequence[str],
        vectors: FloatMatrix,
        metadatas: Sequence[Mapping[str, Value | None] | None],
        documents: Sequence[str] | None = None,
    ) -> None:
        """Write records, whatever stood there."""
        most = self.most_records
        packed = self._known_limits().supports_base64_encoding
        for start in range(0, len(ids), most):
            part = slice(start, start + most)
            body = {
                "ids": ids[part],
                "embeddings": [_packed(row) for row in vectors[part]]
                if packed
                else vectors[part].tolist(),
                "metadatas": metadatas[part],
                "documents": None if documents is None else documents[part],
            }
            self._ask("POST", f"/collections/{collection}/upsert", msgspec.Raw, body)

    def get(self, collection: str, *, include: Sequence[str], **chosen: object) -> Got:
        """Return the records that ``ids`` or ``where`` choose."""
        body = {"include": include, **chosen}
        return self._ask("POST", f"/collections/{collection}/get", Got, body)

    def shape(self, name: str) -> Shape:
        """Return how the collection of that name is made.

        Raises:
            CollectionMissingError: nothing has that name.
        """
        return self._ask("GET", f"/collections/{quote(name, safe='')}", Shape, about=name)

    def foreign(self, collection: str, *, include: Sequence[str], **chosen: object) -> Foreign:
        """Return records as ``get`` does, with whatever their metadata holds."""
        body = {"include": include, **chosen}
        return self._ask("POST", f"/collections/{collection}/get", Foreign, body)

    def nearest(
        self, collection: str, *, vector: Sequence[float], limit: int, **chosen: object
    ) -> Nearest:
        """Return the nearest records as ``query`` does, with their ids; among ``ids``."""
        body = {
            "query_embeddings": [vector],
            "n_results": limit,
            "include": ["distances", "documents", "metadatas"],
            **chosen,
        }
        return self._ask("POST", f"/collections/{collection}/query", Nearest, body)

    def query(
        self, collection: str, *, vector: Sequence[float], limit: int, where: object
    ) -> Found:
        """Return the nearest records, by the server's graph."""
        body = {
            "query_embeddings": [vector],
            "n_results": limit,
            "where": where,
            "include": ["distances", "metadatas", "documents"],
        }
        return self._ask("POST", f"/collections/{collection}/query", Found, body)

    def remove(self, collection: str, **chosen: object) -> None:
        """Delete the records that ``ids`` or ``where`` choose."""
        self._ask("POST", f"/collections/{collection}/delete", msgspec.Raw, chosen)

    def count(self, collection: str) -> int:
        """Return how many records a collection has."""
        return self._ask("GET", f"/collections/{collection}/count", int)

    def close(self) -> None:
        """Close the connections; the next call opens them again."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = self._limits = None

    def _known_limits(self) -> _Limits:
        limits = self._limits
        if limits is None:
            answer = self._send("GET", "/api/v2/pre-flight-checks", None)
            if answer.status_code == HTTPStatus.NOT_FOUND:
                raise UnsupportedError(
                    driver="chroma",
                    what="a server without version 2 of its API",
                    hint="1.0 or newer",
                )
            if not answer.is_success:
                raise self._failure(answer, "the server")
            limits = self._limits = _decoded(answer, _Limits)
        return limits

    def _ask(
        self,
        method: str,
        path: str,
        kind: type[T],
        body: object = None,
        *,
        about: str = "",
    ) -> T:
        self._known_limits()
        tenant, database = (
            quote(name, safe="") for name in (self.address.tenant, self.address.database)
        )
        place = f"/api/v2/tenants/{tenant}/databases/{database}"
        answer = self._send(method, place + path, body)
        if not answer.is_success:
            writes = path.endswith("/upsert")
            raise self._failure(answer, about or path.split("/")[2], writes=writes)
        return _decoded(answer, kind)

    def _send(self, method: str, path: str, body: object) -> httpx2.Response:
        try:
            content = None if body is None else msgspec.json.encode(body)
        except UnicodeEncodeError as error:
            raise RowsRefusedError(
                driver="chroma",
                why=f"half a surrogate pair is no text ({error.reason})",
            ) from error
        try:
            return self._opened().request(method, path, content=content)
        except httpx2.TimeoutException as error:
            raise BackendUnavailableError(
                f"the Chroma server did not answer within {TIMEOUT_S:g} s"
            ) from error
        except httpx2.HTTPError as error:
            raise BackendUnavailableError(
                f"the Chroma server could not be asked ({type(error).__name__})"
            ) from error

    def _opened(self) -> httpx2.Client:
        with self._lock:
            if self._client is None:
                headers = {"Content-Type": "application/json"}
                if self.address.api_key:
                    # The first is Chroma's own; the second what most proxies before it ask for.
                    headers["X-Chroma-Token"] = self.address.api_key
                    headers["Authorization"] = f"Bearer {self.address.api_key}"
                self._client = httpx2.Client(
                    base_url=self.address.url,
                    headers=headers,
                    timeout=httpx2.Timeout(TIMEOUT_S, connect=CONNECT_S),
                    follow_redirects=False,  # a redirect would carry the key elsewhere
                    transport=self._transport,
                )
            return self._client

    def _failure(
        self, answer: httpx2.Response, about: str, *, writes: bool = False
    ) -> RepointError:
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return CollectionMissingError(collection=about)
        if answer.status_code == HTTPStatus.CONFLICT:
            return AlreadyExistsError(what="collection of Chroma named", name=about)
        said = answer.text[:_QUOTED].strip()
        if self.address.api_key:
            said = said.replace(self.address.api_key, "***")
        if writes and answer.status_code in _BAD_RECORD:
            return RowsRefusedError(driver="chroma", why=said or f"{answer.status_code}")
        if answer.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            said += "; check api_key_env"
        return BackendUnavailableError(
            f"{about}: the server answers {answer.status_code}" + (f": {said}" if said else "")
        )


def _packed(row: FloatMatrix) -> str:
    return base64.b64encode(np.ascontiguousarray(row, dtype="<f4").tobytes()).decode()


def _decoded(answer: httpx2.Response, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(answer.content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BackendUnavailableError(
            f"what answers is no Chroma server of version 1: {error}"
        ) from error
