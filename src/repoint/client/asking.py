"""Live queries: resolved, answered, confirmed, counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from repoint.domain import filter_syntax
from repoint.domain.errors import UnknownFieldError
from repoint.domain.filters import Filter, Scalar
from repoint.domain.ids import IndexName
from repoint.domain.telemetry import UNKNOWN, Arm
from repoint.operations import query, trying
from repoint.operations.query import Answer
from repoint.operations.routing import Router
from repoint.operations.spaces import Space
from repoint.wiring.workspace import Workspace

#: A filter as fields and the values that each may have.
Conditions: TypeAlias = Mapping[str, Scalar | Sequence[Scalar]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A live query as it was asked."""

    text: str
    limit: int
    filter: str | Conditions | Filter | None
    #: Whose it is, so that one is always answered by the same release while a canary is on.
    key: str | None
    tenant: str | None


def ask(workspace: Workspace, index: IndexName, asked: Question) -> Answer:
    """Return the answer of whoever answers now, and count it, whatever comes of it."""
    router, session, live = workspace.router, workspace.session, workspace.live
    clock, meter, shadower = session.clock, live.meter, live.shadower
    release, arm = UNKNOWN, Arm.ACTIVE
    shadower.began = began = clock.monotonic()
    try:
        where = checked(router, index, asked.filter)
        route = router.resolve(index)
        arms = route.arms
        if arms is None:
            release = route.release
            answer = query.search(
                route, asked.text, limit=asked.limit, where=where, clock=clock
            )
            parts: Sequence[tuple[Answer, Space]] = ((answer, route.space),)
        else:
            key = asked.text if asked.key is None else str(asked.key)
            release, arm = arms.canary.release, Arm.CANARY
            route = arms.route(key, asked.tenant)
            release, arm = route.release, route.arm
            tried = trying.search(
                route,
                arms,
                asked.text,
                limit=asked.limit,
                where=where,
                key=key,
                clock=clock,
                ids=session.ids,
            )
            answer, parts = tried.answer, tried.parts
        router.confirm(route, since=began)
    except Exception as error:
        meter.failed(error, index=index, release=release, arm=arm)
        raise
    finally:
        shadower.ended = ended = clock.monotonic()
    for part, space in parts:
        meter.answered(part, space, text=asked.text, began=began, ended=ended)
    shadow = router.shadow(index)
    if shadow is not None and answer.interleaved_with is None:
        shadower.offer(shadow, answer, text=asked.text, limit=asked.limit, where=where)
    return answer


def checked(
    router: Router, index: IndexName, given: str | Conditions | Filter | None
) -> Filter | None:
    """Return the filter as a tree whose fields the index has.

    Raises:
        BadFilterError, UnknownFieldError: it cannot be applied.
    """
    if given is None:
        return None
    if isinstance(given, str):
        where = filter_syntax.parse(given)
    elif isinstance(given, Mapping):
        where = filter_syntax.from_mapping(given)
    else:
        where = given
    try:
        filter_syntax.check(where, router.fields(index), index=index)
    except UnknownFieldError:  # a field that came after this process last looked
        filter_syntax.check(where, router.fields(index, fresh=True), index=index)
    return where
