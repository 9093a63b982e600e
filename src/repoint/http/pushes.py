"""Pushes: changes that a team's own system sends, and its word that a source has changed.

A push is written whole or not at all, and under a key it is taken once. Only so many are
taken at a time, each of bounded size, so that a flood waits at its sender.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Final, Literal

import msgspec
from fastapi import APIRouter, Header, Path, Query
from pydantic import ValidationError
from starlette.requests import Request

from repoint.client.feeding import Feeding
from repoint.client.keeping import Keeper
from repoint.client.pushing import read
from repoint.domain.access import Action
from repoint.domain.errors import (
    BadInputError,
    BadLineError,
    PushTooLargeError,
    RepointError,
    TooManyPushesError,
)
from repoint.domain.ids import IndexName, index_name
from repoint.http.access import Doorkeeper
from repoint.http.values import ChangedBody, PolledBody, PushedBody
from repoint.operations import push
from repoint.operations.feeding import PollReport
from repoint.operations.push import Changes, Pushed
from repoint.operations.session import Session

#: How often a waiting push looks whether it can be found.
_LOOK_S: Final = 0.05
#: A thousand ids of the longest kind, written as JSON escapes.
_NAMES_BYTES: Final = 4_000_000
_LINES: Final = frozenset({"application/x-ndjson", "application/jsonl", "application/ndjson"})

Which = Literal["active", "all"]

_INDEX = Annotated[str, Path(description="The index's name.")]
_SOURCE = Annotated[str, Path(description="The source's name.")]
_WAIT = Annotated[
    Which | None,
    Query(description="Answer once the release that answers, or every live one, has it."),
]
_SECONDS = Annotated[float, Query(ge=0, le=600, description="Wait for so long at most.")]
_KEY = Annotated[
    str | None,
    Header(alias="Idempotency-Key", description="Names this push: sent again, it is no other."),
]
_NAMED: Final = {
    "description": "Which documents have changed; left out: poll the source.",
    "content": {"application/json": {"schema": ChangedBody.model_json_schema()}},
}
_CHANGES: Final = {
    "description": "A JSON array, or JSON lines (`application/x-ndjson`): documents "
    '`{"id", "text", "title", "metadata"}` and deletes '
    '`{"id", "delete": true}`.',
    "required": True,
    "content": {
        "application/json": {"schema": {"type": "array", "items": {"type": "object"}}},
        "application/x-ndjson": {"schema": {"type": "string"}},
    },
}


class Intake:
    """Takes pushes for one server."""

    def __init__(
        self, session: Session, door: Doorkeeper, *, most: int, largest: int, longest: float
    ) -> None:
        self._session = session
        self._taking = 0
        self._most = most
        self._keepers: dict[IndexName, Keeper] = {}
        self._turns: dict[tuple[IndexName, str], asyncio.Lock] = {}
        self.door = door
        #: Bytes of a push, and seconds that one waits.
        self.largest = largest
        self.longest = longest

    @contextmanager
    def place(self) -> Iterator[None]:
        """Take one of the places for pushes.

        Raises:
            TooManyPushesError: all are taken.
        """
        if self._taking >= self._most:
            raise TooManyPushesError(most=self._most)
        self._taking += 1
        try:
            yield
        finally:
            self._taking -= 1

    def keeper(self, index: IndexName) -> Keeper:
        """Return what brings an index into step for those who wait. For the event loop."""
        if index not in self._keepers:
            self._keepers[index] = Keeper(self._session, index, enabled=False)
        return self._keepers[index]

    def turn(self, index: IndexName, source: str) -> asyncio.Lock:
        """Return what lets one poll of a source run at a time."""
        return self._turns.setdefault((index, source), asyncio.Lock())

    def close(self) -> None:
        """End the workers; what they had in hand is finished."""
        for keeper in self._keepers.values():
            keeper.close(settle_seconds=0.0)


class PushApi:
    """The requests that bring changes."""

    def __init__(self, intake: Callable[[], Intake]) -> None:
        self._intake = intake

    def router(self) -> APIRouter:
        """Return the paths."""
        router = APIRouter(prefix="/v1/indexes/{index}", tags=["changes"])
        router.post(
            "/documents",
            summary="Write documents and deletes as one",
            openapi_extra={"requestBody": _CHANGES},
        )(self.push)
        router.post(
            "/sources/{source}/changed",
            summary="Say that a source has changed: poll it now",
            openapi_extra={"requestBody": _NAMED},
        )(self.changed)
        return router

    async def push(
        self,
        request: Request,
        index: _INDEX,
        *,
        wait: _WAIT = None,
        seconds: _SECONDS = 30.0,
        key: _KEY = None,
    ) -> PushedBody:
        """Write a push to the document log: all of it is durable, or none is.

        With `Idempotency-Key` a push is taken once: sent again within seven days it gets the
        answer that it got, and what others wrote since stays. With `wait` the server brings
        the index into step as well; when the time is over before, `searchable` is false.
        """
        intake, name = self._intake(), index_name(index)
        caller = await intake.door.admit(request, name, action=Action.WRITE)
        session = intake.door.session(caller)
        with intake.place():
            body = await _bounded(request, intake.largest)
            kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            changes = await asyncio.to_thread(_read, body, kind)
            if wait is not None:  # before the write: refused means that nothing was done
                await asyncio.to_thread(intake.keeper(name).require_waitable, wait)
            done = await asyncio.to_thread(push.take, session, name, changes, key=key or "")
        if wait is None:
            return _pushed(done)
        longest = min(seconds, intake.longest)
        return await self._awaited(intake.keeper(name), done, wait, longest)

    async def changed(self, request: Request, index: _INDEX, source: _SOURCE) -> PolledBody:
        """Take what changed at a source into the log now, or what is named in `ids` alone.

        What is named and has no row there any more is deleted, where the source gave it.
        """
        intake, name = self._intake(), index_name(index)
        caller = await intake.door.admit(request, name, action=Action.WRITE)
        feeding = Feeding(intake.door.session(caller), name)
        with intake.place():
            ids = _named(await _bounded(request, _NAMES_BYTES))
            async with intake.turn(name, source):
                if ids:
                    report = await asyncio.to_thread(feeding.changed, source, ids)
                else:
                    report = await asyncio.to_thread(feeding.poll, source)
        return _polled(report)

    async def _awaited(
        self, keeper: Keeper, done: Pushed, which: Which, seconds: float
    ) -> PushedBody:
        loop = asyncio.get_running_loop()
        until, why = loop.time() + seconds, ""
        while True:
            try:
                if await asyncio.to_thread(keeper.has, which, done.head):
                    return _pushed(done, searchable=True)
                why = ""
            except RepointError as error:
                # The log has the push, so this is no failure of it; the worker tries again.
                why = f"{error.code}: {error.message}"
            if loop.time() >= until:
                return _pushed(done, searchable=False, why=why)
            await asyncio.sleep(_LOOK_S)


async def _bounded(request: Request, largest: int) -> bytes:
    said = request.headers.get("content-length", "")
    if said.isdecimal() and int(said) > largest:
        raise PushTooLargeError(what="bytes", most=largest)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > largest:
            raise PushTooLargeError(what="bytes", most=largest)
    return bytes(body)


def _named(body: bytes) -> list[str]:
    if not body.strip():
        return []
    try:
        return list(ChangedBody.model_validate_json(body).ids)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the body"
        raise BadInputError(
            f"{place}: {first['msg']}", hint='send {"ids": ["7"]}, or nothing to poll it all'
        ) from error


def _read(body: bytes, kind: str) -> Changes:
    return read(_lines(body) if kind in _LINES else _array(body))


def _lines(body: bytes) -> Iterator[object]:
    for number, line in enumerate(body.split(b"\n"), start=1):
        if line.strip():
            try:
                yield msgspec.json.decode(line)
            except (msgspec.DecodeError, ValueError, RecursionError) as error:
                raise BadLineError(source="the push", line=number, why="no JSON") from error


def _array(body: bytes) -> list[object]:
    try:
        tree = msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BadInputError(
            "the push is no JSON",
            hint="send an array, or JSON lines with Content-Type: application/x-ndjson",
        ) from error
    if not isinstance(tree, list):
        raise BadInputError("the push is no array", hint="put even one change into [ ]")
    return tree


def _pushed(done: Pushed, *, searchable: bool | None = None, why: str = "") -> PushedBody:
    return PushedBody(
        index=done.index,
        first_lsn=done.first,
        head=done.head,
        written=done.written,
        unchanged=done.unchanged,
        repeated=done.repeated,
        searchable=searchable,
        why=why,
    )


def _polled(report: PollReport) -> PolledBody:
    return PolledBody(
        index=report.index,
        source=report.source,
        read=report.read,
        written=report.written,
        unchanged=report.unchanged,
        deleted=report.deleted,
        bad=report.bad,
        problems=report.problems,
    )
