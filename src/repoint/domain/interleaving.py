"""Team-draft interleaving: two rankings in one list, so that one reader judges both.

As two captains pick their teams: in each round a coin says who picks first, and each picks
its best document that is not in the list yet. Source: Radlinski, Kurup and Joachims, "How
Does Clickthrough Data Reflect Retrieval Quality?", CIKM 2008. Where one ranking has come to
its end, what the other one adds belongs to no team: more is not better.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from itertools import count
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Team(StrEnum):
    """Whose pick a document was."""

    ACTIVE = "active"
    CANDIDATE = "candidate"
    #: The other ranking had come to its end.
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Pick(Generic[K]):
    """One place of the list: the document, and whose pick it was."""

    document: K
    team: Team


def coins(seed: bytes) -> Iterator[bool]:
    """Yield fair coins without end, always the same for a seed."""
    for block in count():
        digest = blake2b(seed, salt=block.to_bytes(8, "big")).digest()
        for byte in digest:
            for bit in range(8):
                yield bool(byte >> bit & 1)


def team_draft(
    active: Sequence[K], candidate: Sequence[K], *, limit: int, coin: Iterator[bool]
) -> list[Pick[K]]:
    """Return the list; each ranking holds a document once."""
    rankings = {Team.ACTIVE: iter(active), Team.CANDIDATE: iter(candidate)}
    picked: set[K] = set()
    order: list[Pick[K]] = []
    while len(order) < limit:
        first, second = (Team.ACTIVE, Team.CANDIDATE)
        if next(coin):
            first, second = second, first
        found: list[Pick[K]] = []
        for team in (first, second):
            document = _next(rankings[team], picked)
            if document is not None:
                picked.add(document)
                found.append(Pick(document, team))
        if not found:
            break
        if len(found) == 1:
            found = [Pick(found[0].document, Team.NOBODY)]
        order += found[: limit - len(order)]
    return order


def _next(ranking: Iterator[K], picked: set[K]) -> K | None:
    return next((document for document in ranking if document not in picked), None)


def preference(teams: Mapping[K, Team], credits_: Mapping[K, float]) -> float:
    """Return 1 where the candidate's picks got more credit, 0 where less, 0.5 where equal."""
    totals = dict.fromkeys(Team, 0.0)
    for document, credit in credits_.items():
        totals[teams.get(document, Team.NOBODY)] += credit
    ahead = totals[Team.CANDIDATE] - totals[Team.ACTIVE]
    return 0.5 if ahead == 0 else float(ahead > 0)
