"""Groundedness under guard: some answers are judged at each look, all of them in turns.

A verdict counts for the trigger's window, so that a judge that costs money is asked little
and a look still rests on many answers. What the fallback is compared by is a run of it that
the same judge judged, as an evaluation with a judge stores one; a guard makes none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from repoint.domain.document import Json
from repoint.domain.evaluation import Run
from repoint.domain.grounding import Grounding
from repoint.domain.guarding import Look
from repoint.domain.ids import QueryId
from repoint.domain.policy import Policy
from repoint.domain.queries import Query, QuerySet
from repoint.domain.release import Release
from repoint.domain.triggers import GroundednessTrigger
from repoint.operations.evaluate.asking import Options, answers_of
from repoint.operations.evaluate.citing import Quotes
from repoint.operations.evaluate.grounding import Streak, ground, require_answers, to_judge
from repoint.operations.guard import benchmark
from repoint.operations.session import Session

#: Looks that are read for verdicts that still count, at most.
_LOOKS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounded:
    """What a look knows of its answers."""

    #: Of this look.
    made: Grounding
    #: The verdicts that count, those of earlier looks among them: the supported share.
    shares: Mapping[QueryId, float]
    #: The fallback's, for the questions whose documents are still those of its day; None:
    #: there is no such run of the fallback.
    before: Mapping[QueryId, float] | None
    query_set: str

    def figures(self) -> dict[str, Json]:
        """Return what later looks read back."""
        return {
            "judged": {query: round(one.share, 6) for query, one in self.made.verdicts.items()},
            "judged_by": self.made.identity,
            "judged_of": self.query_set,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """Whose answers are judged, and what was seen of them before."""

    policy: Policy
    active: Release
    fallback: Release | None
    #: Counts the looks, from 1: it says whose turn it is.
    look: int
    #: Earlier looks at this release whose verdicts still count, newest first.
    earlier: Sequence[Look]


def look(session: Session, watched: Watched, trigger: GroundednessTrigger) -> Grounded:
    """Judge some answers, and gather what still counts.

    Raises:
        NotFoundError: the policy names no query set, or nobody is configured as the judge.
        BadInputError: the query set has no answers.
        UnavailableError: the release's model or database did not answer.
    """
    queries = benchmark.queries_of(session, watched.active, watched.policy)
    options = Options(
        k=1,
        depth=trigger.passages,
        passages=trigger.passages,
        exact=False,
        judge=trigger.judge,
        answer_with=trigger.answer_with,
    )
    wish = options.wish
    assert wish is not None  # noqa: S101 - it names a judge
    require_answers(queries, wish, [watched.active])
    asked = _turn(to_judge(queries, wish), look=watched.look, sample=trigger.sample)
    quotes = Quotes(of={}, outside=0)  # citations are another trigger's
    answers = answers_of(session, session.spaces.open(watched.active), quotes)
    for query in asked:
        answers.ask(session, query, options)
    made = ground(
        session, watched.active, asked, queries, answers.found, wish=wish, streak=Streak()
    )
    named = f"{queries.name}@{queries.version}"
    shares = _earlier(watched.earlier, trigger, made.identity, named)
    shares |= {query: one.share for query, one in made.verdicts.items()}
    return Grounded(
        made=made,
        shares=shares,
        before=_before(session, watched, queries, made),
        query_set=named,
    )


def _turn(queries: Sequence[Query], *, look: int, sample: int) -> list[Query]:
    """Return those whose turn it is: all of them are asked before one is asked again."""
    count = len(queries)
    if count <= sample:
        return list(queries)
    start = (look - 1) * sample % count
    return [queries[(start + place) % count] for place in range(sample)]


def _earlier(
    looks: Sequence[Look], trigger: GroundednessTrigger, identity: str, query_set: str
) -> dict[QueryId, float]:
    found: dict[QueryId, float] = {}
    for seen in reversed(looks):  # oldest first, so that newer verdicts stand
        for one in seen.results:
            judged = one.figures.get("judged")
            if one.trigger.partition(":")[0] != trigger.id or not isinstance(judged, Mapping):
                continue
            by, of = one.figures.get("judged_by"), one.figures.get("judged_of")
            if (by, of) == (identity, query_set):
                found |= {QueryId(name): float(str(share)) for name, share in judged.items()}
    return found


def looks_read(trigger: GroundednessTrigger, policy: Policy) -> int:
    """Return how many looks to read for those within the trigger's window."""
    every = max(policy.guard.every.total_seconds(), 1.0)
    return min(_LOOKS, 10 + 4 * math.ceil(trigger.window.total_seconds() / every))


def _before(
    session: Session, watched: Watched, queries: QuerySet, made: Grounding
) -> dict[QueryId, float] | None:
    run = _judged_run(session, watched, queries, made)
    if run is None or run.grounding is None:
        return None
    stable = benchmark.stable(session, queries, run)
    kept = {query.id for query in stable.questions.queries}
    return {query: one.share for query, one in run.grounding.verdicts.items() if query in kept}


def _judged_run(
    session: Session, watched: Watched, queries: QuerySet, made: Grounding
) -> Run | None:
    """Return the newest run of the fallback, or the one the policy names, judged alike."""
    fallback = watched.fallback
    if fallback is None:
        return None
    wanted = watched.policy.guard.baseline
    with session.store.read() as view:
        for summary in view.runs.all(fallback.index):
            same = (
                summary.fingerprint == fallback.fingerprint
                and (summary.query_set, summary.version) == (queries.name, queries.version)
                and (not wanted or summary.name == wanted)
            )
            if not same:
                continue
            run = view.runs.get(fallback.index, summary.id)
            if run.grounding is not None and made.comparable(run.grounding):
                return run
    return None
