"""The application: who may ask, what can be asked, and how errors look."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from starlette.requests import Request

from repoint import __version__
from repoint.http.access import Doorkeeper
from repoint.http.hub import Hub
from repoint.http.problems import MEDIA_TYPE, install
from repoint.http.routes import RouteApi
from repoint.http.values import HealthBody, ProblemBody
from repoint.wiring.workspace import Workspace

_PROBLEM = {
    "description": "A problem, with repoint's code",
    "content": {MEDIA_TYPE: {"schema": ProblemBody.model_json_schema()}},
}


class _Running:
    """The hub while the application runs; paths are known before that."""

    def __init__(self) -> None:
        self._hub: Hub | None = None

    def hub(self) -> Hub:
        """Return it."""
        if self._hub is None:
            raise RuntimeError("the application does not run")
        return self._hub

    def run(self, hub: Hub) -> None:
        """Let requests have it from now on."""
        self._hub = hub


def make_app(
    workspace: Workspace, *, program: str, started: Callable[[Hub], None] | None = None
) -> FastAPI:
    """Return the HTTP API of a workspace; ``started`` is given its hub once it runs."""
    config, running = workspace.config, _Running()

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        del app
        hub = Hub(
            workspace.session,
            lease=config.lease,
            most_waiting=config.http.most_waiting,
            program=program,
        )
        running.run(hub)
        if started is not None:
            started(hub)
        try:
            yield
        finally:
            await asyncio.to_thread(hub.close)

    app = FastAPI(
        title="repoint",
        version=__version__,
        summary="Who answers for an index: collection, query model and epoch as one object",
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=life,
    )
    install(app)
    app.include_router(_health())
    api = RouteApi(
        running.hub,
        Doorkeeper(workspace.session, config.http_keys),
        longest_wait=config.http.longest_wait_seconds,
    )
    app.include_router(api.router(), responses={"4XX": _PROBLEM, "5XX": _PROBLEM})
    return app


def _health() -> APIRouter:
    router = APIRouter(tags=["server"])

    @router.get("/v1/health", summary="That the server answers")
    async def health(request: Request) -> HealthBody:
        """Return at once; needs no key, and says nothing about any index."""
        del request
        return HealthBody(status="ok")

    return router
