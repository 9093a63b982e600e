"""The client of one Milvus server, and its errors as ours."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Callable, Iterator
from threading import RLock
from typing import Final, TypeVar

import grpc
from pymilvus import MilvusClient
from pymilvus.exceptions import DataNotMatchException, MilvusException, ParamError

from repoint.domain.errors import (
    BackendUnavailableError,
    CollectionMissingError,
    RowsRefusedError,
    UnsupportedError,
)

T = TypeVar("T")

#: The first version with filters on JSON fields and changes by upsert.
LEAST_VERSION: Final = (2, 3)
#: The first version that ranks words by itself.
RANKS_WORDS: Final = (2, 5)
#: Seconds for one call, and for connecting.
TIMEOUT_S: Final = 60
CONNECT_S: Final = 10
#: Reads wait until they have seen every write that was acknowledged before them.
STRONG: Final = "Strong"

#: What the library would wait before it tries a server again that was away: a second, then two.
_SOON: Final = {
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.min_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 500,
}
_NO_CONNECTION: Final = 2
_NO_COLLECTION: Final = 100
#: What was given is no row of this collection: too long a text, another type.
_BAD_ROW: Final = frozenset({1100})
_NO_ROW: Final = (DataNotMatchException, ParamError)
#: Codes of an alias that is not there: the server's, and milvus-lite's.
_NO_ALIAS: Final = frozenset({1600, 100})
_LITE: Final = "milvus_lite"
_QUOTED: Final = 300

# The library prints every failure with its traceback, also those that are told by an error.
logging.getLogger("pymilvus").setLevel(logging.CRITICAL)


class Engine:
    """Opens the client when it is first needed. Safe to use from many threads."""

    def __init__(self, *, url: str, token: str, database: str) -> None:
        self.place = (url, database)
        self._token = token
        self._lock = RLock()
        self._client: MilvusClient | None = None
        self._version: tuple[int, ...] | None = None
        self._is_lite = False

    @property
    def user(self) -> str:
        """Return whose the token is; empty for a key that names nobody."""
        name, colon, _ = self._token.partition(":")
        return name if colon else ""

    @property
    def database(self) -> str:
        """Return the database's name; empty for the server's default."""
        return self.place[1]

    def is_lite(self) -> bool:
        """Return whether it is milvus-lite, which has no users.

        Raises:
            UnavailableError: the server did not answer.
        """
        self.run(lambda client: client, about="the server")
        return self._is_lite

    def is_guarded(self) -> bool:
        """Return whether the server asks who somebody is, by coming as nobody.

        Raises:
            UnavailableError: the server did not answer.
        """
        if self.is_lite() or not self._token:
            return False
        try:
            MilvusClient(
                uri=self.place[0],
                db_name=self.database,
                timeout=CONNECT_S,
                grpc_options=_SOON,
                dedicated=True,
            ).close()
        except MilvusException:
            return True  # it just answered to the token
        return False

    def run(self, call: Callable[[MilvusClient], T], *, about: str) -> T:
        """Return what the call returns.

        Raises:
            UnavailableError: the server did not answer.
            CollectionMissingError: the collection, ``about``, is gone.
        """
        with self._translated(about):
            return call(self._opened())

    def write(self, call: Callable[[MilvusClient], T], *, about: str) -> T:
        """Return what a call returns that writes rows.

        Raises:
            RowsRefusedError: a row is not what the collection's fields can hold.
            UnavailableError: the server did not answer.
            CollectionMissingError: the collection, ``about``, is gone.
        """

        def told(client: MilvusClient) -> T:
            try:
                return call(client)
            except MilvusException as error:
                if error.code in _BAD_ROW or isinstance(error, _NO_ROW):
                    why = self._told(error.message)
                    raise RowsRefusedError(driver="milvus", why=why) from error
                raise

        return self.run(told, about=about)

    def ranks_words(self) -> bool:
        """Return whether the server has BM25, by the version that it says it has.

        Raises:
            UnavailableError: the server did not answer.
        """
        self.run(lambda client: client, about="the server")
        return (self._version or ()) >= RANKS_WORDS

    def alias_target(self, alias: str) -> str | None:
        """Return the name of the collection that an alias points at."""

        def read(client: MilvusClient) -> str | None:
            try:
                found = client.describe_alias(alias=alias, timeout=TIMEOUT_S)
            except MilvusException as error:
                if error.code in _NO_ALIAS:
                    return None
                raise
            return str(found["collection_name"]) or None

        return self.run(read, about=alias)

    def close(self) -> None:
        """Close the client; the next call opens it again."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _opened(self) -> MilvusClient:
        with self._lock:
            if self._client is None:
                url, database = self.place
                client = MilvusClient(
                    uri=url,
                    token=self._token,
                    db_name=database,
                    timeout=CONNECT_S,
                    grpc_options=_SOON,
                )
                said = str(client.get_server_version(timeout=CONNECT_S))
                version = _version(said)
                if version < LEAST_VERSION:
                    client.close()
                    raise UnsupportedError(
                        driver="milvus", what=f"a server of version {said}", hint="2.3 or newer"
                    )
                self._client, self._version = client, version
                self._is_lite = said.startswith(_LITE)
            return self._client

    @contextlib.contextmanager
    def _translated(self, about: str) -> Iterator[None]:
        try:
            yield
        except MilvusException as error:
            if error.code == _NO_COLLECTION:
                raise CollectionMissingError(collection=about) from error
            if error.code == _NO_CONNECTION:
                raise BackendUnavailableError(
                    f"{about}: the Milvus server cannot be reached"
                ) from error
            raise BackendUnavailableError(f"{about}: {self._told(error.message)}") from error
        except grpc.RpcError as error:
            code = getattr(error, "code", None)
            status = code().name.lower().replace("_", " ") if callable(code) else "no answer"
            raise BackendUnavailableError(
                f"{about}: the Milvus server does not answer ({status})"
            ) from error

    def _told(self, message: str) -> str:
        told = " ".join(message.split())[:_QUOTED]
        return told.replace(self._token, "***") if self._token else told


def _version(said: str) -> tuple[int, ...]:
    """Return major and minor; milvus-lite counts by itself, and ranks words."""
    found = re.search(r"(\d+)\.(\d+)", said)
    if said.startswith(_LITE):
        return RANKS_WORDS
    return tuple(map(int, found.groups())) if found else LEAST_VERSION
