"""Judge whether answers rest on what a release retrieved.

The answers are the query set's own, or are made from the passages with the release's prompt.
An answer that could not be made or judged is kept as failed, with its reason, and counts as
neither supported nor unsupported. After a few failures in a row, over all releases, the rest is
not asked any more: each may take as long as a server's patience.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Final

from repoint.domain.errors import (
    BadInputError,
    InputRejectedError,
    RefusedError,
    RepointError,
    UnavailableError,
)
from repoint.domain.grounding import Grounding, Passage, Support
from repoint.domain.ids import QueryId
from repoint.domain.prompt import filled, require_places
from repoint.domain.queries import Query, QuerySet
from repoint.domain.release import Release
from repoint.operations.session import Session
from repoint.ports.backend import Hit
from repoint.ports.judge import Answered, Answerer, Judge

#: After so many failures in a row the rest is not asked.
GIVE_UP: Final = 5

Found = Mapping[QueryId, Sequence[Passage]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Who is to judge what."""

    judge: str
    #: What makes the answers; empty: the query set has them.
    answer_with: str = ""
    #: How many of the first retrieved passages an answer is held against.
    passages: int


@dataclass(slots=True)
class Streak:
    """Failures in a row, over everything that one evaluation asks a judge."""

    length: int = 0
    #: Why the newest failed.
    why: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def failed(self, why: str) -> None:
        """Count a failure."""
        with self.lock:
            self.length, self.why = self.length + 1, why

    def ended(self) -> None:
        """Begin anew."""
        with self.lock:
            self.length = 0

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be asked."""
        return self.length >= GIVE_UP


def passages_of(hits: Sequence[Hit], *, limit: int) -> tuple[Passage, ...]:
    """Return the first hits as passages."""
    return tuple(Passage(hit.document, hit.text) for hit in hits[:limit])


def require_answers(queries: QuerySet, wish: Wish, releases: Sequence[Release]) -> None:
    """Refuse, before anything is asked, what cannot be judged.

    Raises:
        BadInputError: the query set has no answers, and nothing is to make them.
        RefusedError: a release has no prompt to make answers with.
        BadSpecError: its prompt has no place for the question or the passages.
    """
    if not wish.answer_with:
        if not queries.questions.answered():
            raise BadInputError(
                f"query set {queries.name}@{queries.version} has no answers to judge",
                hint='give its lines an "answer", or have answers made: --answer-with NAME',
            )
        return
    for release in releases:
        prompt = release.spec.prompt
        if prompt is None:
            raise RefusedError(
                f"release {release.name!r} has no prompt to make answers with",
                hint="put one into its spec: prompt: {template: …, version: …}; or judge the "
                "query set's own answers, without --answer-with",
            )
        require_places(prompt.template, source=f"release {release.name}")


def ground(  # noqa: PLR0913 - who judges what of whom
    session: Session,
    release: Release,
    queries: Sequence[Query],
    asked: QuerySet,
    found: Found,
    *,
    wish: Wish,
    streak: Streak,
    progress: Callable[[], None] | None = None,
) -> Grounding:
    """Return the verdicts on the answers to these queries.

    Raises:
        NotFoundError: nobody is configured under a name.
        MissingModelError: a key, a model or a path is wrong; no verdict would come.
    """
    judge = session.judges.judge(wish.judge)
    answerer = session.judges.answerer(wish.answer_with) if wish.answer_with else None
    work = _Work(release, asked, found, judge=judge, answerer=answerer, streak=streak)
    verdicts: dict[QueryId, Support] = {}
    failed: dict[QueryId, str] = {}
    tokens = 0
    with closing(work.all(queries)) as outcomes:
        for outcome in outcomes:
            tokens += outcome.tokens
            if outcome.support is None:
                failed[outcome.query] = outcome.why
            else:
                verdicts[outcome.query] = outcome.support
            if progress is not None:
                progress()
    return Grounding(
        judge=wish.judge,
        identity=judge.identity,
        answered_by=_made_by(release, answerer),
        passages=wish.passages,
        verdicts=verdicts,
        failed=failed,
        tokens=tokens,
    )


def to_judge(queries: QuerySet, wish: Wish) -> list[Query]:
    """Return the queries whose answers are to be judged."""
    questions = queries.questions
    return list(questions.queries) if wish.answer_with else questions.answered()


def _made_by(release: Release, answerer: Answerer | None) -> str:
    if answerer is None:
        return ""
    prompt = release.spec.prompt
    version = "" if prompt is None else prompt.version
    return f"{answerer.identity}, prompt {version!r} of {release.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    query: QueryId
    support: Support | None
    why: str = ""
    tokens: int = 0


class _Work:
    """Answers and verdicts of one release, some at a time."""

    def __init__(
        self,
        release: Release,
        asked: QuerySet,
        found: Found,
        *,
        judge: Judge,
        answerer: Answerer | None,
        streak: Streak,
    ) -> None:
        self._release, self._asked, self._found = release, asked, found
        self._judge, self._answerer, self._streak = judge, answerer, streak
        self._stopped = False

    def all(self, queries: Sequence[Query]) -> Generator[_Outcome, None, None]:
        """Yield the outcomes in the order of the queries."""
        parallel = self._judge.parallel
        if self._answerer is not None:
            parallel = max(parallel, self._answerer.parallel)
        if parallel == 1:
            yield from map(self._one, queries)
            return
        with self._pool(parallel) as pool:
            yield from pool.map(self._one, queries)

    @contextmanager
    def _pool(self, parallel: int) -> Iterator[ThreadPoolExecutor]:
        pool = ThreadPoolExecutor(parallel, thread_name_prefix="repoint-judge")
        try:
            yield pool
        finally:
            # What is in hand ends by its own timeout; nothing else begins.
            self._stopped = True
            pool.shutdown(cancel_futures=True)

    def _one(self, query: Query) -> _Outcome:
        if self._stopped or self._streak.is_over:
            why = f"not asked after {GIVE_UP} failures in a row: {self._streak.why}"
            return _Outcome(query=query.id, support=None, why=why)
        tokens = 0
        try:
            answered = self._answer(query)
            tokens = answered.tokens
            passages = self._found.get(query.id, ())
            verdict = self._judge.judge(query.text, answered.text, passages)
        except (BadInputError, InputRejectedError, UnavailableError) as error:
            if not isinstance(error, BadInputError):  # which is the answer's own fault
                self._streak.failed(_why(error))
            return _Outcome(query=query.id, support=None, why=_why(error), tokens=tokens)
        self._streak.ended()
        return _Outcome(query=query.id, support=verdict.support, tokens=tokens + verdict.tokens)

    def _answer(self, query: Query) -> Answered:
        if self._answerer is None:
            return Answered(text=self._asked.questions.expected[query.id].answer)
        if query.id not in self._found:
            raise BadInputError("the release did not take the question, so there is no answer")
        prompt = self._release.spec.prompt
        assert prompt is not None  # noqa: S101 - require_answers refuses otherwise
        passages = [one.text for one in self._found[query.id]]
        return self._answerer.answer(
            filled(prompt.template, question=query.text, passages=passages)
        )


def _why(error: RepointError) -> str:
    return f"{error.code}: {error.message}"
