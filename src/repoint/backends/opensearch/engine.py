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

from repoint.domain.errors import (
    BackendUnavailableError,
    CollectionMissingError,
    UnsupportedError,
)

T = TypeVar("T")

#: Seconds for one call.
TIMEOUT_S: Final = 60
_QUOTED: Final = 300

# The library warns of every answer that is an error, also of those that are told by one.
logging.getLogger("opensearch").setLevel(logging.CRITICAL)


class Engine:
    """Opens the client when it is first needed. Safe to use from many threads."""

    def __init__(self, *, url: str, key: str) -> None:
        self._url, self._key = url, key
        self._lock = Lock()
        self._client: OpenSearch | None = None

    def run(self, call: Callable[[OpenSearch], T], *, about: str) -> T:
        """Return what the call returns.

        Raises:
            UnavailableError: the server did not answer, or answers with an error.
            CollectionMissingError: the collection, ``about``, is gone.
        """
        with self._translated(about):
            return call(self._opened())

    def close(self) -> None:
        """Close the client; the next call opens it again."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _opened(self) -> OpenSearch:
        with self._lock:
            if self._client is None:
                client = OpenSearch(
                    self._url,
                    http_auth=tuple(self._key.split(":", 1)) if self._key else None,
                    timeout=TIMEOUT_S,
                    max_retries=0,
                    maxsize=16,
                )
                try:
                    version = client.info()["version"]
                except BaseException:
                    client.close()
                    raise
                if version.get("distribution") != "opensearch":
                    client.close()
                    raise UnsupportedError(
                        driver="opensearch",
                        what="a server that is none of OpenSearch",
                        hint=f"it says that its version is {version.get('number')}",
                    )
                self._client = client
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
            told = f"{error.status_code} {error.error}: {_reason(error)}"
            hint = ""
            if error.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
                told, hint = (
                    f"{error.status_code}",
                    "check the user and password in api_key_env",
                )
            raise BackendUnavailableError(
                f"{about}: the server answers {told}", hint=hint
            ) from error
        except OpenSearchException as error:
            raise BackendUnavailableError(f"{about}: {type(error).__name__}") from error


def _reason(error: TransportError) -> str:
    told = error.info.get("error", "") if isinstance(error.info, dict) else error.info
    if isinstance(told, dict):
        causes = told.get("root_cause") or [told]
        told = causes[0].get("reason") or told.get("reason")
    return " ".join(str(told).split())[:_QUOTED]
