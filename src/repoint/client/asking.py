"""Live queries: resolved, answered, confirmed, counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from repoint.domain import filter_syntax
from repoint.domain.errors import UnknownFieldError
from repoint.domain.filters import Filter, Scalar
from repoint.domain.ids import IndexName
from repoint.domain.telemetry import UNKNOWN
from repoint.operations import query
from repoint.operations.query import Answer
from repoint.operations.routing import Router
from repoint.wiring.workspace import Workspace

#: A filter as fields and the values that each may have.
Conditions: TypeAlias = Mapping[str, Scalar | Sequence[Scalar]]


def ask(
    workspace: Workspace,
    index: IndexName,
    text: str,
    *,
    k: int,
    given: str | Conditions | Filter | None,
) -> Answer:
    """Return the answer of whoever answers now, and count it, whatever comes of it."""
    router, clock, live = workspace.router, workspace.session.clock, workspace.live
    meter, shadower = live.meter, live.shadower
    release = UNKNOWN
    shadower.began = began = clock.monotonic()
    try:
        where = checked(router, index, given)
        route = router.resolve(index)
        release = route.release
        answer = query.search(route, text, limit=k, where=where, clock=clock)
        router.confirm(route, since=began)
    except Exception as error:
        meter.failed(error, index=index, release=release)
        raise
    finally:
        shadower.ended = ended = clock.monotonic()
    meter.answered(answer, route.space, text=text, began=began, ended=ended)
    shadow = router.shadow(index)
    if shadow is not None:
        shadower.offer(shadow, answer, text=text, limit=k, where=where)
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
