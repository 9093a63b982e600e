"""``ports.metrics.Metrics`` by the HTTP API of Prometheus and of what speaks as it does.

One instant query a call, no retries: the guard looks again anyway, and what does not answer
is an outcome of its own. A redirect is an error, for it could carry the token away. The time
for an answer is for all of it: a server that trickles holds no look up.
"""

from __future__ import annotations

import json
import math
import os
import threading
import time
from datetime import timedelta
from http import HTTPStatus
from typing import Final

import httpx2

from repoint.domain.document import Json
from repoint.domain.errors import (
    BadInputError,
    ProviderAnswerError,
    RefusedError,
    UnavailableError,
)

#: An answer with one number is far shorter.
_LONGEST: Final = 1_000_000
#: Characters of a server's own words that an error repeats.
_QUOTED: Final = 200
#: What the server answers to an expression that it cannot take.
_REFUSED: Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})


class Prometheus:
    """Asks any number of servers; each call opens its own connection."""

    def value(
        self, url: str, query: str, *, token_env: str, timeout: timedelta
    ) -> float | None:
        """Return what the expression gives now; None when it gives nothing, or no number."""
        headers = {"Accept": "application/json"}
        if token_env:
            headers["Authorization"] = f"Bearer {_token(token_env)}"
        try:
            place = httpx2.URL(f"{url.rstrip('/')}/api/v1/query", params={"query": query})
        except httpx2.InvalidURL as error:
            raise BadInputError(f"{url!r} is no address of a metrics server") from error
        host = place.host
        status, body = _Asking(place, headers, timeout=timeout).answer()
        return _value(_answer(status, body, host=host, query=query), host=host, query=query)


class _Asking:
    """One request in a thread of its own: its client bounds each wait, and not their sum."""

    def __init__(
        self, place: httpx2.URL, headers: dict[str, str], *, timeout: timedelta
    ) -> None:
        self._place = place
        self._headers = headers
        self._seconds = timeout.total_seconds()
        self._until = time.monotonic() + self._seconds
        self._answer: tuple[int, bytes] | None = None
        self._error: Exception | None = None

    def answer(self) -> tuple[int, bytes]:
        """Return the status and the body.

        Raises:
            ProviderAnswerError: the body has no end.
            UnavailableError: there is no whole answer within the time.
        """
        thread = threading.Thread(target=self._run, name="repoint-metrics", daemon=True)
        thread.start()
        thread.join(self._seconds)
        if self._answer is not None:
            return self._answer
        host, error = self._place.host, self._error
        if isinstance(error, ProviderAnswerError):
            raise error
        if error is None or isinstance(error, httpx2.TimeoutException):
            raise UnavailableError(
                f"{host} did not answer within {self._seconds:g} s"
            ) from error
        raise UnavailableError(
            f"{host} could not be asked: {type(error).__name__}",
            hint="check that it is up and that this machine may reach it",
        ) from error

    def _run(self) -> None:
        try:
            with (
                httpx2.Client(timeout=self._seconds, follow_redirects=False) as client,
                client.stream("GET", self._place, headers=self._headers) as response,
            ):
                self._answer = response.status_code, self._body(response)
        except Exception as error:  # noqa: BLE001 - raised where the answer is waited for
            self._error = error

    def _body(self, response: httpx2.Response) -> bytes:
        found = bytearray()
        for part in response.iter_bytes():
            found += part
            if len(found) > _LONGEST:
                raise ProviderAnswerError(f"{self._place.host} gave an answer without an end")
            if time.monotonic() > self._until:
                raise httpx2.ReadTimeout("the time for the whole answer is over")
        return bytes(found)


def _answer(status: int, body: bytes, *, host: str, query: str) -> dict[str, Json]:
    try:
        answer: Json = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if status in _REFUSED:
        said = answer.get("error") if isinstance(answer, dict) else None
        raise BadInputError(
            f"{host} refuses the expression {query!r}: {_quoted(str(said or status))}"
        )
    if status != HTTPStatus.OK:
        raise UnavailableError(f"{host} answers {status}")
    if not isinstance(answer, dict) or answer.get("status") != "success":
        raise ProviderAnswerError(f"{host} gave no answer of the Prometheus API")
    data = answer.get("data")
    if not isinstance(data, dict):
        raise ProviderAnswerError(f"{host} gave no answer of the Prometheus API")
    return data


def _value(data: dict[str, Json], *, host: str, query: str) -> float | None:
    kind, result = data.get("resultType"), data.get("result")
    if not isinstance(result, list):
        raise ProviderAnswerError(f"{host} gave no answer of the Prometheus API")
    if kind == "scalar":
        return _number(result, host)
    if kind != "vector" or len(result) > 1:
        raise BadInputError(
            f"the expression {query!r} gives {len(result)} series or no instant ones",
            hint="let it give one number: sum(…), max(…), scalar(…)",
        )
    if not result:
        return None
    one = result[0]
    sample = one.get("value") if isinstance(one, dict) else None
    return _number(sample, host)


def _number(sample: Json, host: str) -> float | None:
    match sample:
        case [_, str(text)]:
            try:
                value = float(text)
            except ValueError:
                pass
            else:
                return None if math.isnan(value) else value
        case _:
            pass
    raise ProviderAnswerError(f"{host} gave a sample that is no number")


def _quoted(said: str) -> str:
    """Return a server's own words as one line that any store and terminal takes."""
    shown = "".join(char if char.isprintable() else " " for char in said[:_QUOTED])
    return " ".join(shown.split())


def _token(name: str) -> str:
    token = os.environ.get(name, "").strip()
    if not token:
        raise RefusedError(
            f"the environment variable {name} with the token of a metrics server is not set",
            hint=f"export {name}=…",
        )
    if not (token.isascii() and token.isprintable()):
        raise RefusedError(f"the environment variable {name} holds no token of one line")
    return token
