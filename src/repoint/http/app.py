"""The application: who may ask, what can be asked, and how errors look."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.types import Lifespan

from repoint import __version__
from repoint.http.access import Doorkeeper
from repoint.http.hub import Hub
from repoint.http.problems import MEDIA_TYPE, install
from repoint.http.pushes import Intake, PushApi
from repoint.http.routes import RouteApi, Serving
from repoint.http.values import HealthBody, ProblemBody
from repoint.wiring.workspace import Workspace

_PROBLEM = {
    "description": "A problem, with repoint's code",
    "content": {MEDIA_TYPE: {"schema": ProblemBody.model_json_schema()}},
}


class Running:
    """What requests are answered with while the application runs; none of it is before."""

    def __init__(self) -> None:
        self._serving: Serving | None = None

    def serving(self) -> Serving:
        """Return it."""
        if self._serving is None:
            raise RuntimeError("the application does not run")
        return self._serving

    def run(self, serving: Serving) -> None:
        """Let requests have it from now on."""
        self._serving = serving


def make_app(
    workspace: Workspace, *, program: str, started: Callable[[Hub], None] | None = None
) -> FastAPI:
    """Return the HTTP API of a workspace; ``started`` is given its hub once it runs."""
    config, running = workspace.config, Running()

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        del app
        hub = Hub(
            workspace.session,
            lease=config.lease,
            most_waiting=config.http.most_waiting,
            program=program,
        )
        door = Doorkeeper(workspace.session, config.http_keys)
        longest = config.http.longest_wait_seconds
        intake = Intake(
            workspace.session,
            door,
            most=config.http.most_pushes,
            largest=config.http.push_bytes,
            longest=longest,
        )
        running.run(Serving(hub=hub, door=door, longest_wait=longest, intake=intake))
        if started is not None:
            started(hub)
        try:
            yield
        finally:
            await asyncio.to_thread(hub.close)
            await asyncio.to_thread(intake.close)

    return described_app(running, lifespan=life)


def described_app(running: Running, *, lifespan: Lifespan[FastAPI] | None = None) -> FastAPI:
    """Return the API's paths and shapes; what answers them comes with its life."""
    app = FastAPI(
        title="repoint",
        version=__version__,
        summary="Who answers for an index: collection, query model and epoch as one object",
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    install(app)
    app.include_router(_health())
    routes = RouteApi(running.serving).router()
    changes = PushApi(lambda: running.serving().intake).router()
    for router in (routes, changes):
        app.include_router(router, responses={"4XX": _PROBLEM, "5XX": _PROBLEM})
    return app


def _health() -> APIRouter:
    router = APIRouter(tags=["server"])

    @router.get("/v1/health", summary="That the server answers")
    async def health(request: Request) -> HealthBody:
        """Return at once; needs no key, and says nothing about any index."""
        del request
        return HealthBody(status="ok")

    return router
