"""The client, one call at a time where it is the engine too, and its errors as ours."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import RLock
from typing import Final, TypeVar

from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from repoint.domain.errors import (
    BackendUnavailableError,
    CollectionMissingError,
    RepointError,
    RowsRefusedError,
    UnsupportedError,
)

T = TypeVar("T")

#: The first version that compares before it replaces, and keeps metadata of a collection.
LEAST_VERSION: Final = (1, 16)
#: The first version that adds a named vector to a collection, and takes one away.
FIELDS_VERSION: Final = (1, 18)
#: The first that ranks words.
RANKS_WORDS: Final = (1, 20)
#: Seconds for one call.
TIMEOUT_S: Final = 60
_NOT_FOUND: Final = 404
#: Statuses of a write of which some point is at fault; one request may be too large, too.
_BAD_POINT: Final = frozenset({400, 413, 422})
#: What a server says of the collection and not of a point: as large as its strict mode lets it
#: be, or without the vector that is written.
_OF_COLLECTION: Final = (
    "storage size limit",
    "Not existing vector name",
    "Vector dimension error",
)
_QUOTED: Final = 300


class Engine:
    """Opens the client when it is first needed. Safe to use from many threads."""

    def __init__(
        self,
        *,
        url: str,
        api_key: str,
        folder: Path,
        least_version: tuple[int, int] = LEAST_VERSION,
    ) -> None:
        self._url, self._api_key, self._folder = url, api_key, folder
        self._least_version = least_version
        self._lock = RLock()
        self._client: QdrantClient | None = None
        self._version: tuple[int, ...] = ()

    @property
    def is_local(self) -> bool:
        """Whether the engine runs in this process."""
        return not self._url

    def run(self, call: Callable[[QdrantClient], T], *, about: str) -> T:
        """Return what the call returns.

        Raises:
            UnavailableError: the server did not answer.
            CollectionMissingError: the collection, ``about``, is gone.
        """
        with self._translated(about):
            client = self._opened()
            if not self.is_local:
                return call(client)
            with self._lock, warnings.catch_warnings():
                # The library advises a server for more than 20,000 points; so does the page.
                warnings.simplefilter("ignore", UserWarning)
                return call(client)

    def write(self, call: Callable[[QdrantClient], T], *, about: str) -> T:
        """Return what a call returns that writes points.

        Raises:
            RowsRefusedError: the server will not take one of them, whatever else it takes.
            UnavailableError: the server did not answer.
            CollectionMissingError: the collection, ``about``, is gone.
        """

        def told(client: QdrantClient) -> T:
            try:
                return call(client)
            except UnexpectedResponse as error:
                why = " ".join(error.content.decode(errors="replace").split())[:_QUOTED]
                if error.status_code not in _BAD_POINT:
                    raise
                if any(words in why for words in _OF_COLLECTION):
                    raise
                raise RowsRefusedError(driver="qdrant", why=why) from error

        return self.run(told, about=about)

    def ranks_words(self) -> bool:
        """Return whether it has BM25: the library's own engine has, a server from 1.20 on.

        Raises:
            UnavailableError: the server did not answer.
        """
        if self.is_local:
            return True
        self.run(lambda client: client, about="the server")
        return self._version >= RANKS_WORDS

    def close(self) -> None:
        """Close the client; the next call opens it again."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _opened(self) -> QdrantClient:
        with self._lock:
            if self._client is None:
                self._client = self._local() if self.is_local else self._remote()
            return self._client

    def _local(self) -> QdrantClient:
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            return QdrantClient(path=str(self._folder), force_disable_check_same_thread=True)
        except RuntimeError as error:  # the library's word for a folder that is locked
            raise BackendUnavailableError(
                f"{self._folder} is in use by another process",
                hint="the local mode is for one process; give the backend a url",
            ) from error

    def _remote(self) -> QdrantClient:
        client = QdrantClient(
            url=self._url,
            api_key=self._api_key or None,
            timeout=TIMEOUT_S,
            check_compatibility=False,
        )
        said = str(client.info().version)
        version = tuple(map(int, said.split(".")[:2]))
        if version < self._least_version:
            client.close()
            least = ".".join(map(str, self._least_version))
            with_fields = self._least_version == FIELDS_VERSION
            raise UnsupportedError(
                driver="qdrant",
                what=f"a server of version {said}"
                + (" with strategy = vector_field" if with_fields else ""),
                hint=f"{least} or newer",
            )
        self._version = version
        return client

    @contextlib.contextmanager
    def _translated(self, about: str) -> Iterator[None]:
        try:
            yield
        except RepointError:
            raise
        except UnexpectedResponse as error:
            if error.status_code == _NOT_FOUND:
                raise CollectionMissingError(collection=about) from error
            raise BackendUnavailableError(
                f"{about}: the server answers with status {error.status_code}"
            ) from error
        except ResponseHandlingException as error:
            raise BackendUnavailableError(
                f"{about}: the server does not answer ({type(error.source).__name__})"
            ) from error
