"""``ports.metrics.Metrics`` by the HTTP API of Prometheus and of what speaks as it does.

One instant query a call, no retries: the guard looks again anyway, and what does not answer
is an outcome of its own. A redirect is an error, for it could carry the token away.
"""

from __future__ import annotations

import json
import math
import os
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
        place = f"{url.rstrip('/')}/api/v1/query"
        host = httpx2.URL(place).host
        try:
            with (
                httpx2.Client(
                    timeout=timeout.total_seconds(), follow_redirects=False
                ) as client,
                client.stream(
                    "GET", place, params={"query": query}, headers=headers
                ) as response,
            ):
                status, body = response.status_code, _body(response, host)
        except httpx2.TimeoutException as error:
            raise UnavailableError(
                f"{host} did not answer within {timeout.total_seconds():g} s"
            ) from error
        except httpx2.HTTPError as error:
            raise UnavailableError(
                f"{host} could not be asked: {type(error).__name__}",
                hint="check that it is up and that this machine may reach it",
            ) from error
        return _value(_answer(status, body, host=host, query=query), host=host, query=query)


def _body(response: httpx2.Response, host: str) -> bytes:
    found = bytearray()
    for part in response.iter_bytes():
        found += part
        if len(found) > _LONGEST:
            raise ProviderAnswerError(f"{host} gave an answer without an end")
    return bytes(found)


def _answer(status: int, body: bytes, *, host: str, query: str) -> dict[str, Json]:
    try:
        answer: Json = json.loads(body)
    except ValueError:
        answer = None
    if status in _REFUSED:
        said = answer.get("error") if isinstance(answer, dict) else None
        raise BadInputError(
            f"{host} refuses the expression {query!r}: {str(said or status)[:_QUOTED]}"
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


def _token(name: str) -> str:
    token = os.environ.get(name, "").strip()
    if not token:
        raise RefusedError(
            f"the environment variable {name} with the token of a metrics server is not set",
            hint=f"export {name}=…",
        )
    return token
