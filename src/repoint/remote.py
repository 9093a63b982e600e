"""One JSON question to a model provider: key, deadline, retries, and whose fault it was.

Every driver that leaves this machine asks through here, so that a status means the same
error everywhere. The key is read from the environment at each call, and is in no error,
log or attribute.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final, TypeVar

import httpx2
import stamina

from repoint.domain.document import Json
from repoint.domain.errors import (
    BadSpecError,
    InputRejectedError,
    MissingModelError,
    ProviderAnswerError,
    RateLimitedError,
    RepointError,
    UnavailableError,
)
from repoint.ports.clock import Clock

T = TypeVar("T")

# Retries are logged for applications that set logging up; where nobody did, Python would
# print the bare record between the lines of a command.
logging.getLogger("stamina").addHandler(logging.NullHandler())

#: The input's fault: asking again with it changes nothing.
_REJECTED: Final = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
#: Nobody's fault that lasts, besides everything from 500 up.
_TRANSIENT: Final = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY}
)
_REFUSED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
#: Characters of a provider's explanation that go into an error.
_QUOTED: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteSettings:
    """How patient a driver is; none of it decides a vector, so no fingerprint has it."""

    #: Seconds for connecting, for sending and for each wait for a piece of the answer.
    timeout: float = 30.0
    #: Times that a question is asked before the error goes to the caller.
    attempts: int = 4
    #: Longest wait between attempts; a provider that asks for more gets its error raised.
    patience: float = 20.0
    #: Texts in one question.
    batch: int = 128
    #: Questions at the same time.
    parallel: int = 4


class RemoteApi:
    """A provider's base URL and how to ask it. Safe to use from many threads."""

    def __init__(
        self,
        *,
        model: str,
        url: str,
        api_key_env: str,
        clock: Clock,
        settings: RemoteSettings,
    ) -> None:
        """Check what can be checked without asking.

        Raises:
            BadSpecError: the URL is none.
            MissingModelError: the variable for the key is not set.
        """
        self._model = model
        self._key_env = api_key_env
        self._clock = clock
        self._settings = settings
        try:
            base = httpx2.URL(url)
        except httpx2.InvalidURL as error:
            raise _bad_url(model, str(error)) from error
        if base.scheme not in {"http", "https"} or not base.host:
            raise _bad_url(model, "not http:// or https:// and a host")
        self._host = base.host
        self._key()
        # A redirect would carry the key to wherever it points; it is an error instead.
        self._client = httpx2.Client(
            base_url=base, timeout=settings.timeout, follow_redirects=False
        )

    def ask(self, path: str, body: Mapping[str, Json], read: Callable[[Json], T]) -> T:
        """Post the body, and return what ``read`` makes of the answer.

        Asked again when the provider is busy, down, or answers what ``read`` refuses with
        ``ProviderAnswerError``; a wait that the provider asks for is kept.

        Raises:
            InputRejectedError: it will never take this body.
            MissingModelError: it does not know the key, the model or the path.
            RateLimitedError: it asks for more patience than there is.
            UnavailableError: no usable answer after all attempts.
        """
        attempts = stamina.retry_context(
            on=self._again,
            attempts=self._settings.attempts,
            timeout=None,
            wait_initial=0.5,
            wait_max=self._settings.patience,
        )
        for attempt in attempts:
            with attempt:
                return read(self._answer(path, body))
        raise UnavailableError(f"{self._host} was not asked")  # pragma: no cover - see stamina

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def unusable(self, why: str) -> ProviderAnswerError:
        """Return the error for an answer that is not what was asked for."""
        return ProviderAnswerError(f"{self._host} gave an unusable answer: {why}")

    def _answer(self, path: str, body: Mapping[str, Json]) -> Json:
        key = self._key()
        headers = {"Content-Type": "application/json"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        try:
            content = json.dumps(body, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            why = "a text is no valid Unicode"
            raise InputRejectedError(model=self._model, why=why) from error
        with self._wrapped():
            response = self._client.post(path, content=content, headers=headers)
        if not response.is_success:
            raise self._failure(response, key)
        try:
            answer: Json = json.loads(response.content)
        except (ValueError, RecursionError) as error:
            raise self.unusable("it is no JSON") from error
        return answer

    @contextmanager
    def _wrapped(self) -> Iterator[None]:
        try:
            yield
        except httpx2.TimeoutException as error:
            raise UnavailableError(
                f"{self._host} did not answer within {self._settings.timeout:g} s"
            ) from error
        except httpx2.HTTPError as error:
            raise UnavailableError(
                f"{self._host} could not be asked: {type(error).__name__}",
                hint="check that it is up and that this machine may reach it",
            ) from error

    def _failure(self, response: httpx2.Response, key: str) -> RepointError:
        status = response.status_code
        said = response.text[:_QUOTED].strip()
        if key:
            said = said.replace(key, "***")  # some providers repeat the key they refuse
        what = f"{self._host} answers {status}" + (f": {said}" if said else "")
        if status in _REJECTED:
            return InputRejectedError(model=self._model, why=what)
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return RateLimitedError(what, retry_after=self._retry_after(response))
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _TRANSIENT:
            return UnavailableError(what, retry_after=self._retry_after(response))
        if status in _REFUSED:
            hint = f"check the key in {self._key_env}" if self._key_env else "set api_key_env"
            return MissingModelError(model=self._model, why=what, hint=hint)
        return MissingModelError(
            model=self._model, why=what, hint="check the model's name and its location"
        )

    def _retry_after(self, response: httpx2.Response) -> timedelta | None:
        given = response.headers.get("retry-after", "").strip()
        if not given:
            return None
        try:
            return timedelta(seconds=max(0.0, float(given)))
        except (ValueError, OverflowError):
            pass
        try:
            until = parsedate_to_datetime(given)
        except ValueError:
            return None
        until = until if until.tzinfo else until.replace(tzinfo=UTC)
        return max(timedelta(0), until - self._clock.now())

    def _again(self, error: Exception) -> bool | float:
        if not isinstance(error, UnavailableError):
            return False
        if error.retry_after is None:
            return True
        wait = error.retry_after.total_seconds()
        return wait if wait <= self._settings.patience else False

    def _key(self) -> str:
        if not self._key_env:
            return ""
        key = os.environ.get(self._key_env, "").strip()
        if not key:
            raise MissingModelError(
                model=self._model,
                why=f"the environment variable {self._key_env} with its key is not set",
                hint=f"export {self._key_env}=…",
            )
        return key


def _bad_url(model: str, why: str) -> BadSpecError:
    return BadSpecError(source=f"model {model}", field="location", why=why)
