"""The route over HTTP: read at once, by waiting for a change, or as a stream of events.

With ``watcher=NAME`` a request also says which epoch that client serves, so a move waits for
it or names it. Its answer says for how long it may go on (``Repoint-Lease-Seconds``).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Header, Path, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from repoint.domain.errors import RepointError, StaleEpochError
from repoint.domain.ids import Epoch, IndexName, index_name
from repoint.domain.service_route import ServiceRoute
from repoint.http.access import Caller, Doorkeeper
from repoint.http.hub import Hub
from repoint.http.pushes import Intake
from repoint.http.values import AckBody, AckedBody, RouteBody, WatcherName
from repoint.operations.watchers import Watcher

#: How often a stream without news shows that it is alive.
_KEEP_ALIVE_S: Final = 10.0
#: A stream ends after so long, and its client connects anew: none is held for ever.
_STREAM_S: Final = 3600.0
#: Another server may have told a client of a move before this one heard of it.
_BEHIND_S: Final = 1.0

#: No epoch has as many.
_DIGITS: Final = 19

_AFTER = Annotated[
    int | None, Query(ge=0, le=2**62, description="Answer once the epoch is above this one.")
]
_WAIT = Annotated[float, Query(ge=0, le=600, description="For so many seconds at most.")]
_WATCHER = Annotated[
    WatcherName | None,
    Query(description="The client's own name, one a process: it serves `after_epoch` now."),
]
_ETAG = Annotated[
    str | None, Header(alias="If-None-Match", description="Answer once it is another one.")
]
_LAST_ID = Annotated[
    str | None,
    Header(alias="Last-Event-ID", description="The epoch seen last; it is not sent again."),
]
_INDEX = Annotated[str, Path(description="The index's name.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What requests are answered with."""

    hub: Hub
    door: Doorkeeper
    longest_wait: float
    intake: Intake


class RouteApi:
    """The requests about routes, on one hub."""

    def __init__(self, serving: Callable[[], Serving]) -> None:
        self._serving = serving

    @property
    def _hub(self) -> Hub:
        return self._serving().hub

    def router(self) -> APIRouter:
        """Return the paths."""
        router = APIRouter(prefix="/v1/indexes/{index}", tags=["route"])
        router.get(
            "/route",
            summary="Who answers, now or once that changes",
            responses={
                200: {"model": RouteBody, "description": "The route"},
                204: {"description": "Nothing changed while waiting"},
                304: {"description": "The route is the one that If-None-Match names"},
            },
        )(self.read)
        router.get(
            "/route/events",
            summary="Every route from now on, as server-sent events",
            responses={200: {"content": {"text/event-stream": {}}}},
        )(self.events)
        router.post("/route/ack", summary="Say which epoch a watcher serves")(self.acknowledge)
        router.delete(
            "/route/watchers/{watcher}",
            summary="Say that a watcher has ended",
            status_code=HTTPStatus.NO_CONTENT,
        )(self.leave)
        return router

    async def read(
        self,
        request: Request,
        index: _INDEX,
        *,
        after_epoch: _AFTER = None,
        wait: _WAIT = 0.0,
        watcher: _WATCHER = None,
        if_none_match: _ETAG = None,
    ) -> Response:
        """Return collection, query model and epoch as one object.

        With `after_epoch` or `If-None-Match` the answer waits for a change, `wait` seconds at
        most. With `watcher` the request also says that the client serves `after_epoch` now.
        """
        name, caller = await self._enter(request, index)
        wait = min(wait, self._serving().longest_wait)
        headers: dict[str, str] = {}
        if watcher is not None:
            known = self._hub.epoch(name)
            served = known if after_epoch is None else min(Epoch(after_epoch), known)
            lease = await self._hub.confirm(_watcher(caller, watcher, name), served, wait=wait)
            headers["Repoint-Lease-Seconds"] = f"{lease:g}"
        after = after_epoch
        if after is None and if_none_match is not None:
            current = self._hub.current(name)
            after = current.epoch if if_none_match == current.etag else None
        if after is not None and not await self._changed(request, name, after, wait):
            return self._unchanged(name, Epoch(after), if_none_match, headers)
        return _route(self._hub.current(name), headers)

    async def events(
        self,
        request: Request,
        index: _INDEX,
        *,
        watcher: _WATCHER = None,
        last_event_id: _LAST_ID = None,
    ) -> StreamingResponse:
        """Send the route now and after every move; an event's id is its epoch.

        An event `unconfirmed` says that no route may be used until the next one. A watcher
        acknowledges each event with POST /route/ack, and again before its lease ends.
        """
        name, caller = await self._enter(request, index)
        headers = {"Cache-Control": "no-store"}
        if watcher is not None:
            lease = await self._hub.confirm(
                _watcher(caller, watcher, name), self._hub.epoch(name), wait=0.0
            )
            headers["Repoint-Lease-Seconds"] = f"{lease:g}"
        stream = self._events(name, _event_id(last_event_id))
        return _Stream(stream, self._hub, headers=headers)

    async def acknowledge(self, request: Request, index: _INDEX, ack: AckBody) -> AckedBody:
        """Record that a watcher serves an epoch, and for how long it may.

        Refused with `stale-epoch` when the pointer has moved on: read the route again.
        """
        name, caller = await self._enter(request, index)
        watcher = _watcher(caller, ack.watcher, name)
        await self._hub.wait(name, after=Epoch(ack.epoch - 1), seconds=_BEHIND_S)
        known = self._hub.epoch(name)
        lease = await self._hub.confirm(watcher, Epoch(min(ack.epoch, known)), wait=0.0)
        self._hub.require_confirmed(name)
        if ack.epoch != known:
            raise StaleEpochError(index=name, expected=ack.epoch, found=known)
        return AckedBody(index=name, epoch=ack.epoch, lease_seconds=lease)

    async def leave(self, request: Request, index: _INDEX, watcher: WatcherName) -> Response:
        """Take a watcher out of the registry, so that no move waits for it."""
        name, caller = await self._enter(request, index)
        await self._hub.leave(_watcher(caller, watcher, name))
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def _enter(self, request: Request, index: str) -> tuple[IndexName, Caller]:
        name = index_name(index)
        caller = await self._serving().door.admit(request, name)
        await self._hub.join(name)
        return name, caller

    async def _changed(
        self, request: Request, name: IndexName, after: int, wait: float
    ) -> bool:
        known = self._hub.epoch(name)
        if after > known:
            wait = max(wait, _BEHIND_S)
        if wait == 0 or known > after:
            return known > after
        with self._hub.place():
            return await self._hub.wait(
                name, after=Epoch(after), seconds=wait, gone=request.is_disconnected
            )

    def _unchanged(
        self, name: IndexName, after: Epoch, etag: str | None, headers: dict[str, str]
    ) -> Response:
        self._hub.require_confirmed(name)
        known = self._hub.epoch(name)
        if after > known:
            raise StaleEpochError(index=name, expected=after, found=known)
        if etag is not None and etag == self._hub.current(name).etag:
            return Response(
                status_code=HTTPStatus.NOT_MODIFIED, headers={**headers, "ETag": etag}
            )
        return Response(
            status_code=HTTPStatus.NO_CONTENT,
            headers={**headers, "Repoint-Epoch": str(known), "Cache-Control": "no-store"},
        )

    async def _events(self, name: IndexName, seen: Epoch) -> AsyncIterator[str]:
        """Yield events; a client that reads slowly gets the newest route, never a backlog."""
        yield "retry: 1000\n\n"
        rounds = int(_STREAM_S / _KEEP_ALIVE_S)
        lost = False
        for _ in range(rounds):
            try:
                changed = await self._hub.wait(name, after=seen, seconds=_KEEP_ALIVE_S)
                self._hub.require_confirmed(name)
                route = self._hub.current(name) if changed or lost else None
            except RepointError as error:
                if self._hub.ending:
                    return
                if error.retryable and not lost:
                    yield f'event: unconfirmed\ndata: {{"code":"{error.code}"}}\n\n'
                lost = True
                continue
            lost = False
            if route is None:
                yield ": nothing new\n\n"
                continue
            seen = route.epoch
            yield f"event: route\nid: {route.epoch}\ndata: {route.line()}\n\n"


def _event_id(text: str | None) -> Epoch:
    """Return the epoch that a client saw last; -1 where it says none that can be one."""
    return Epoch(
        int(text)
        if text and text.isascii() and text.isdecimal() and len(text) < _DIGITS
        else -1
    )


class _Stream(StreamingResponse):
    """Events, sent from a place that is taken before the first byte and given back after."""

    def __init__(
        self, events: AsyncIterator[str], hub: Hub, *, headers: dict[str, str]
    ) -> None:
        super().__init__(events, media_type="text/event-stream", headers=headers)
        self._hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the client goes away or the events end.

        Raises:
            TooManyWaitingError: no place is free; nothing was sent.
        """
        with self._hub.place():
            await super().__call__(scope, receive, send)


def _watcher(caller: Caller, name: str, index: IndexName) -> Watcher:
    return Watcher(actor=caller.actor, name=name, index=index, address=caller.address)


def _route(route: ServiceRoute, headers: dict[str, str]) -> Response:
    return Response(
        route.line(),
        media_type="application/json",
        headers={
            **headers,
            "ETag": route.etag,
            "Repoint-Epoch": str(route.epoch),
            "Cache-Control": "no-cache",
        },
    )
