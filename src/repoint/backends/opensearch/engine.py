"""The client of one OpenSearch, and its errors as ours."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from http import HTTPStatus
from threading import Lock
from typing import Final, TypeVar

from opensearchpy import OpenSearch
from opensearchpy.exceptions import (
    ConnectionError as NotReachedError,
)
from opensearchpy.exceptions import NotFoundError, OpenSearchException, TransportError

from repoint.backends.opensearch import refusals
from repoint.domain.errors import (
    BackendUnavailableError,
    CollectionMissingError,
    RowsRefusedError,
    UnsupportedError,
)

T = TypeVar("T")

#: Seconds for one call.
TIMEOUT_S: Final = 60

# The library warns of every answer that is an error, also of those that are told by one.
logging.getLogger("opensearch").setLevel(logging.CRITICAL)


class Engine:
    """Opens the client when it is first needed. Safe to use from many threads."""

    def __init__(self, *, url: str, key: str, setting: str = "api_key_env") -> None:
        self._url, self._key = url, key
        #: Where the key comes from, for people.
        self.setting = setting
        self._lock = Lock()
        self._client: OpenSearch | None = None
        self._is_known = False

    def run(self, call: Callable[[OpenSearch], T], *, about: str) -> T:
        """Return what the call returns.

        Raises:
            UnavailableError: the server did not answer, or answers with an error.
            CollectionMissingError: the collection, ``about``, is gone.
        """
        with self._translated(about):
            return call(self._opened())

    def status(self, method: str, path: str, body: object = None) -> tuple[int, object]:
        """Return how the server answers one request, whatever it is.

        The version is not asked before: an application may not be allowed to.

        Raises:
            UnavailableError: the server did not answer.
        """
        with self._translated(path):
            try:
                found = self._made().transport.perform_request(method, path, body=body)
            except TransportError as error:
                if not isinstance(error.status_code, int):
                    raise
                return error.status_code, error.info
            return HTTPStatus.OK, found

    def close(self) -> None:
        """Close the client; the next call opens it again."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client, self._is_known = None, False

    def _opened(self) -> OpenSearch:
        client = self._made()
        with self._lock:
            if not self._is_known:
                version = client.info()["version"]
                if version.get("distribution") != "opensearch":
                    raise UnsupportedError(
                        driver="opensearch",
                        what="a server that is none of OpenSearch",
                        hint=f"it says that its version is {version.get('number')}",
                    )
                self._is_known = True
        return client

    def _made(self) -> OpenSearch:
        with self._lock:
            if self._client is None:
                self._client = OpenSearch(
                    self._url,
                    http_auth=tuple(self._key.split(":", 1)) if self._key else None,
                    timeout=TIMEOUT_S,
                    max_retries=0,
                    maxsize=16,
                )
            return self._client

    @contextlib.contextmanager
    def _translated(self, about: str) -> Iterator[None]:
        try:
            yield
        except NotFoundError as error:
            raise CollectionMissingError(collection=about) from error
        except NotReachedError as error:
            raise BackendUnavailableError(
                f"{about}: the OpenSearch server does not answer ({type(error).__name__})"
            ) from error
        except TransportError as error:
            if error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                why = f"one request holds more than the server takes: {refusals.told(error)}"
                raise RowsRefusedError(driver="opensearch", why=why) from error
            told = f"{error.status_code} {error.error}: {refusals.told(error)}"
            hint = ""
            if error.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
                told = f"{error.status_code} {refusals.told(error)}".strip()
                hint = f"check the user and password in {self.setting}, and its roles"
            raise BackendUnavailableError(
                f"{about}: the server answers {told}", hint=hint
            ) from error
        except OpenSearchException as error:
            raise BackendUnavailableError(f"{about}: {type(error).__name__}") from error
