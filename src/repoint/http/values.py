"""The bodies of the HTTP API, as its OpenAPI page shows them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class ModelBody(BaseModel):
    """The query model: give it ``query_prefix`` + the question, after ``query_steps``."""

    model_config = ConfigDict(extra="forbid")

    provider: str
    name: str
    revision: str
    digest: str
    dimensions: int
    normalise: bool
    query_prefix: str
    document_prefix: str
    pooling: str
    max_tokens: int | None
    location: str
    options: dict[str, str | int | float | bool]


class RouteBody(BaseModel):
    """Who answers: collection, query model and epoch as one object. Use it as one."""

    model_config = ConfigDict(extra="forbid")

    index: str
    release: str
    epoch: int
    collection: str
    #: Not null: releases share the collection's objects, so ask this named vector of them.
    vector_field: str | None
    backend: str
    fingerprint: str
    dimensions: int
    model: ModelBody
    distance: str
    query_steps: list[str]
    ann_search: dict[str, int | float]
    hybrid: dict[str, object] | None
    min_score: float | None
    rerank: dict[str, object] | None
    prompt: dict[str, object] | None
    #: Not null: the query model is gone, so ask through repoint, which maps questions.
    bridge: str | None


WatcherName = Annotated[str, Field(pattern="^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


class AckBody(BaseModel):
    """A watcher says which epoch it serves."""

    model_config = ConfigDict(extra="forbid")

    watcher: WatcherName
    epoch: Annotated[int, Field(ge=0, le=2**62)]


class AckedBody(BaseModel):
    """For how long the watcher may serve it, counted from when it sent its request."""

    index: str
    epoch: int
    lease_seconds: float


class HealthBody(BaseModel):
    """That the server answers."""

    status: str


class ProblemBody(BaseModel):
    """What a request that was not answered gets, as ``application/problem+json``."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str
    details: dict[str, object]
