"""Ask releases the questions of a set, side by side, and keep what each answered.

The releases take turns, question by question, so that what else the machine does falls on
all of them alike. Query vectors are paid for anew, past the cache: their time is part of
what is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from repoint.domain.errors import BadInputError, InputRejectedError
from repoint.domain.evaluation import Ranking, Run, RunCost, Stages
from repoint.domain.grounding import Grounding, Passage
from repoint.domain.ids import DocumentId, Lsn, QueryId, RunId
from repoint.domain.measures import DEEPEST
from repoint.domain.queries import Query, QuerySet
from repoint.operations.evaluate.citing import Quotes
from repoint.operations.evaluate.grounding import Streak, Wish, ground, passages_of, to_judge
from repoint.operations.query import Question, find, prepare
from repoint.operations.session import Session
from repoint.operations.spaces import Space
from repoint.ports.backend import Hit

#: Bytes of one number of a vector, as every backend here stores it.
_NUMBER_BYTES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How an evaluation asks and counts."""

    #: The depth that counts most.
    k: int = 10
    #: How many documents are asked for.
    depth: int = 100
    #: Whether exact search is asked beside the approximate index.
    exact: bool = True
    #: Of the resampling: the same runs and seed give the same figures.
    seed: int = 0
    #: The name that the candidate's run is kept under, as a baseline for later; empty: none.
    save_as: str = ""
    #: How many of the first are sources of an answer: citations and judges look at those.
    passages: int = 5
    #: Who judges whether answers rest on their passages; empty: nobody.
    judge: str = ""
    #: What makes the answers that are judged; empty: the query set has them.
    answer_with: str = ""

    @property
    def wish(self) -> Wish | None:
        """Who is to judge what; None: nobody."""
        if not self.judge:
            return None
        return Wish(judge=self.judge, answer_with=self.answer_with, passages=self.passages)

    def checked(self) -> Options:
        """Return the options if they fit together.

        Raises:
            BadInputError: a depth is out of bounds, or answers are made that nobody judges.
        """
        if self.answer_with and not self.judge:
            raise BadInputError(
                "answers would be made and judged by nobody",
                hint="name a judge: --judge lexical, or one of [chat.NAME] in repoint.toml",
            )
        if not 1 <= self.passages <= self.depth:
            raise BadInputError(
                f"{self.passages} passages and a depth of {self.depth} do not fit together",
                hint="1 <= passages <= depth",
            )
        if not 1 <= self.k <= self.depth <= DEEPEST:
            raise BadInputError(
                f"k of {self.k} and a depth of {self.depth} do not fit together",
                hint=f"1 <= k <= depth <= {DEEPEST}",
            )
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How far the asking has come."""

    questions: int
    total: int
    what: str = "questions"


@dataclass(slots=True)
class Answers:
    """What one release answered so far; ``run_of`` makes a run of it."""

    space: Space
    lsn: Lsn
    quotes: Quotes
    ranked: dict[QueryId, Ranking] = field(default_factory=dict)
    exact: dict[QueryId, Ranking] = field(default_factory=dict)
    stages: dict[QueryId, Stages] = field(default_factory=dict)
    refused: dict[QueryId, str] = field(default_factory=dict)
    prepared: list[str] = field(default_factory=list)
    astray: dict[QueryId, frozenset[DocumentId]] = field(default_factory=dict)
    #: What the answers are judged by; kept only where somebody judges.
    found: dict[QueryId, tuple[Passage, ...]] = field(default_factory=dict)
    grounding: Grounding | None = None

    def ask(self, session: Session, query: Query, options: Options) -> None:
        """Ask one question; one that the release cannot take has an empty answer."""
        clock = session.clock
        began = clock.monotonic()
        try:
            question = prepare(self.space, query.text, cached=False)
        except (BadInputError, InputRejectedError) as error:
            self.ranked[query.id] = ()
            self.refused[query.id] = error.message
            return
        embedded = clock.monotonic()
        hits, timings = find(self.space, question, limit=options.depth, clock=clock)
        self.ranked[query.id] = _ranking(hits)
        self.stages[query.id] = Stages(
            embed_ms=(embedded - began) * 1000,
            search_ms=timings.search_ms,
            rerank_ms=timings.rerank_ms,
        )
        self.prepared.append(question.prepared)
        astray = self.quotes.astray(self.space, query, hits)
        if astray:
            self.astray[query.id] = astray
        if options.judge:
            self.found[query.id] = passages_of(hits, limit=options.passages)
        if options.exact:
            self.exact[query.id] = self._exactly(session, question, options)

    def _exactly(self, session: Session, question: Question, options: Options) -> Ranking:
        hits, _ = find(
            self.space, question, limit=options.depth, clock=session.clock, exact=True
        )
        return _ranking(hits)


def ask_all(
    session: Session,
    spaces: Sequence[Space],
    queries: QuerySet,
    *,
    options: Options,
    progress: Callable[[Asked], None] | None = None,
) -> list[Run]:
    """Return each release's run, not yet stored.

    Raises:
        UnavailableError: a model or database did not answer; nothing is kept.
    """
    quotes = Quotes.read(session, queries.index, queries.questions)
    asked = [answers_of(session, space, quotes) for space in spaces]
    questions = queries.questions.queries
    for one in asked:
        _warm_up(session, one, questions, options)
    for number, query in enumerate(questions):
        for one in asked if number % 2 else reversed(asked):
            one.ask(session, query, options)
        if progress is not None:
            progress(Asked(questions=number + 1, total=len(questions)))
    _ground(session, asked, queries, options, progress)
    return [run_of(session, one, queries, options=options) for one in asked]


def _ground(
    session: Session,
    asked: Sequence[Answers],
    queries: QuerySet,
    options: Options,
    progress: Callable[[Asked], None] | None,
) -> None:
    """Have every release's answers judged, where somebody is to judge."""
    wish = options.wish
    if wish is None:
        return
    judged, streak = to_judge(queries, wish), Streak()
    counted, total = count(1), len(judged) * len(asked)

    def tell() -> None:
        if progress is not None:
            progress(Asked(questions=next(counted), total=total, what="answers"))

    for one in asked:
        one.grounding = ground(
            session,
            one.space.release,
            judged,
            queries,
            one.found,
            wish=wish,
            streak=streak,
            progress=tell,
        )


def answers_of(session: Session, space: Space, quotes: Quotes) -> Answers:
    """Return a release that was asked nothing yet."""
    return Answers(space, _watermark(session, space), quotes)


def _warm_up(
    session: Session, one: Answers, questions: Sequence[Query], options: Options
) -> None:
    """Ask until the first answer, and forget it: it takes as long as loading the model."""
    first = Answers(one.space, one.lsn, one.quotes)
    for query in questions:
        first.ask(session, query, options)
        if first.stages:
            break


def _watermark(session: Session, space: Space) -> Lsn:
    with session.store.read() as view:
        return view.catchup.watermark(space.release.index, space.release.name)


def _ranking(hits: Sequence[Hit]) -> Ranking:
    return tuple(hit.document for hit in hits)


def run_of(session: Session, one: Answers, queries: QuerySet, *, options: Options) -> Run:
    """Return what a release answered as a run, not yet stored."""
    space, release = one.space, one.space.release
    counts = space.collection.counts()
    model = release.spec.model
    return Run(
        id=RunId(f"r-{session.ids.new()[-10:]}"),
        index=queries.index,
        release=release.name,
        fingerprint=release.fingerprint,
        query_set=queries.name,
        version=queries.version,
        depth=options.depth,
        lsn=one.lsn,
        at=session.clock.now(),
        actor=session.actor,
        ranked=one.ranked,
        exact=one.exact,
        stages=one.stages,
        refused=one.refused,
        cost=RunCost(
            tokens=space.embedding.count_query_tokens(one.prepared),
            price_per_million_tokens=model.price_per_million_tokens,
            chunks=counts.chunks,
            vector_bytes=counts.chunks * model.dimensions * _NUMBER_BYTES,
            bytes_on_disk=counts.bytes_on_disk,
        ),
        passages=options.passages,
        astray=one.astray,
        grounding=one.grounding,
    )
