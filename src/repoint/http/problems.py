"""Errors as ``application/problem+json`` (RFC 9457), with repoint's codes."""

from __future__ import annotations

import dataclasses
import math
from datetime import timedelta
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from repoint.domain.document import Json
from repoint.domain.errors import BadInputError, RepointError, UnavailableError

MEDIA_TYPE: Final = "application/problem+json"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What a request that was not answered gets."""

    type: str
    title: str
    status: int
    detail: str
    #: repoint's stable code: see the reference of errors.
    code: str
    hint: str
    #: The error's own fields.
    details: dict[str, object]


def problem(error: RepointError) -> JSONResponse:
    """Return the answer for an error that repoint raised on purpose."""
    headers: dict[str, str] = {}
    if error.http_status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, UnavailableError):
        seconds = (error.retry_after or timedelta(seconds=1)).total_seconds()
        headers["Retry-After"] = str(math.ceil(seconds))
    details: dict[str, object] = {
        name: value if isinstance(value, str | int | float | list | None) else str(value)
        for name, value in error.details().items()
    }
    return _answer(
        error.http_status,
        code=error.code,
        detail=error.message,
        hint=error.hint,
        details=details,
        headers=headers,
    )


def install(app: FastAPI) -> None:
    """Let every error of an application leave as a problem."""

    async def repoints(request: Request, error: Exception) -> JSONResponse:
        del request
        assert isinstance(error, RepointError)  # noqa: S101 - registered for it
        return problem(error)

    async def malformed(request: Request, error: Exception) -> JSONResponse:
        del request
        assert isinstance(error, RequestValidationError)  # noqa: S101 - as above
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return problem(BadInputError(f"{place}: {first['msg']}"))

    async def framework(request: Request, error: Exception) -> JSONResponse:
        del request
        assert isinstance(error, HTTPException)  # noqa: S101 - as above
        phrase = HTTPStatus(error.status_code).phrase
        return _answer(
            error.status_code,
            code=phrase.lower().replace(" ", "-"),
            detail=str(error.detail),
            hint="see /v1/openapi.json",
            details={},
            headers=dict(error.headers or {}),
        )

    async def bug(request: Request, error: Exception) -> JSONResponse:
        del request
        return _answer(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            code="bug",
            detail=f"this is a bug in repoint: {type(error).__name__}",
            hint="the server's own output has the trace",
            details={},
            headers={},
        )

    app.add_exception_handler(RepointError, repoints)
    app.add_exception_handler(RequestValidationError, malformed)
    app.add_exception_handler(HTTPException, framework)
    app.add_exception_handler(Exception, bug)


def _answer(
    status: int,
    *,
    code: str,
    detail: str,
    hint: str,
    details: dict[str, object],
    headers: dict[str, str],
) -> JSONResponse:
    told = Problem(
        type=f"urn:repoint:error:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        hint=hint,
        details=details,
    )
    content: dict[str, Json] | dict[str, object] = dataclasses.asdict(told)
    return JSONResponse(content, status_code=status, headers=headers, media_type=MEDIA_TYPE)
