"""Answering while a canary is on: by one arm, or by both releases in one list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from repoint.domain.answer_id import AnswerId, key_mark, marked
from repoint.domain.filters import Filter
from repoint.domain.interleaving import Team, coins, team_draft
from repoint.domain.telemetry import Arm
from repoint.operations import query
from repoint.operations.query import Answer, Timings
from repoint.operations.route import Arms, Route
from repoint.operations.spaces import Space
from repoint.ports.clock import Clock, Ids

#: Arms that are compared, so that their answers have an id and feedback on them counts.
_COMPARED: Final = frozenset({Arm.CANARY, Arm.BASELINE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """An answer, and what each release that took part contributed, to be counted."""

    answer: Answer
    parts: Sequence[tuple[Answer, Space]]


def search(  # noqa: PLR0913 - a question, how to ask it, and whose it is
    route: Route,
    arms: Arms,
    text: str,
    *,
    limit: int,
    where: Filter | None,
    key: str,
    clock: Clock,
    ids: Ids,
) -> Tried:
    """Answer a question by the route of its key's arm."""
    nonce = bytes.fromhex(ids.new())
    if route.arm is Arm.INTERLEAVED:
        return _interleaved(
            route, arms, text, limit=limit, where=where, key=key, nonce=nonce, clock=clock
        )
    answer = query.search(route, text, limit=limit, where=where, clock=clock)
    if route.arm in _COMPARED:
        written = _written(route, arms, key=key, nonce=nonce, documents=(), teams=())
        answer = replace(answer, id=written)
    return Tried(answer=answer, parts=[(answer, route.space)])


def _interleaved(  # noqa: PLR0913 - as ``search``
    route: Route,
    arms: Arms,
    text: str,
    *,
    limit: int,
    where: Filter | None,
    key: str,
    nonce: bytes,
    clock: Clock,
) -> Tried:
    """Ask both releases, each with its own model and collection (INV-1), and pick in turns."""
    other = arms.candidate()
    active = query.search(route, text, limit=limit, where=where, clock=clock)
    candidate = replace(
        query.search(other, text, limit=limit, where=where, clock=clock), arm=route.arm
    )
    hits = {
        (team, hit.document): hit
        for team, side in ((Team.ACTIVE, active), (Team.CANDIDATE, candidate))
        for hit in side.hits
    }
    picks = team_draft(
        [hit.document for hit in active.hits],
        [hit.document for hit in candidate.hits],
        limit=limit,
        coin=coins(nonce),
    )
    chosen = [
        hits.get((pick.team, pick.document))
        or hits.get((Team.ACTIVE, pick.document))
        or hits[Team.CANDIDATE, pick.document]
        for pick in picks
    ]
    written = _written(
        route,
        arms,
        key=key,
        nonce=nonce,
        documents=[pick.document for pick in picks],
        teams=[pick.team for pick in picks],
    )
    answer = replace(
        active,
        hits=chosen,
        timings=_sum(active.timings, candidate.timings),
        id=written,
        interleaved_with=other.release,
    )
    return Tried(answer=answer, parts=[(active, route.space), (candidate, other.space)])


def _written(
    route: Route,
    arms: Arms,
    *,
    key: str,
    nonce: bytes,
    documents: Sequence[str],
    teams: Sequence[Team],
) -> str:
    made = AnswerId(
        index=route.index,
        since=arms.canary.since,
        arm=route.arm,
        nonce=nonce,
        key=key_mark(key),
        teams=marked(documents, teams),
    )
    return made.written(arms.secret)


def _sum(one: Timings, other: Timings) -> Timings:
    return Timings(
        embed_ms=one.embed_ms + other.embed_ms,
        search_ms=one.search_ms + other.search_ms,
        rerank_ms=one.rerank_ms + other.rerank_ms,
        embedded=one.embedded or other.embedded,
    )
