"""The benchmark: ask whoever answers the questions of a set, and compare with the fallback.

The fallback's answers are a stored run, taken when it was known to be good; it is asked anew
only where there is none, or where so much was written since that it tells of another corpus.
A question that gets no answer from the provider is counted as that, not as a bad answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from repoint.domain.errors import (
    NotFoundError,
    RateLimitedError,
    RepointError,
    UnavailableError,
)
from repoint.domain.evaluation import Run
from repoint.domain.ids import DocumentId, QueryId, query_set_name
from repoint.domain.measures import Measure
from repoint.domain.policy import Policy
from repoint.domain.queries import Query, QuerySet, Questions, groups, relevant
from repoint.domain.release import Release
from repoint.domain.triggers import CitationsTrigger, IndexRecallTrigger, RelevanceTrigger
from repoint.operations.evaluate.asking import Answers, Options, answers_of, run_of
from repoint.operations.evaluate.citing import Quotes
from repoint.operations.evaluate.scoring import Scores, score
from repoint.operations.session import Session

#: After so many questions in a row without an answer the rest are not asked: each may take as
#: long as a provider's patience.
_GIVE_UP: Final = 5
#: Triggers that compare a measure with the fallback's.
_COMPARED: Final = (RelevanceTrigger, CitationsTrigger)


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """What was asked, what came back, and what the fallback answers to the same."""

    queries: QuerySet
    #: Of whoever answers now; questions without an answer are not in it.
    now: Run
    #: None: there is nothing to go back to, so nothing to compare with.
    baseline: Run | None
    #: Why the fallback could not be asked.
    baseline_error: RepointError | None
    #: All questions, answered or not.
    asked: int
    #: Those without an answer; those that were not asked any more count as such.
    failed: int
    rate_limited: int
    now_scores: Scores
    baseline_scores: Scores
    #: The questions whose documents are those of the baseline's day.
    stable: Questions

    def pairs(self, measure: Measure) -> list[Query]:
        """Return the questions that were answered and can be compared by a measure."""
        return [one for one in self.stable.scored_by(measure) if one.id in self.now.ranked]


def ask(
    session: Session, policy: Policy, *, active: Release, fallback: Release | None
) -> Benchmark:
    """Ask the active release the benchmark questions, and find the fallback's baseline.

    Raises:
        NotFoundError: the policy names no query set, or one that there is not.
    """
    queries = queries_of(session, active, policy)
    options = options_of(policy)
    space = session.spaces.open(active)
    quotes = Quotes.read(session, active.index, queries.questions)
    answers = answers_of(session, space, quotes)
    failed, limited = _ask(session, answers, queries, options)
    now = run_of(session, answers, queries, options=options)
    baseline, error = None, None
    if fallback is not None:
        try:
            baseline = _baseline(session, policy, fallback, queries, options)
        except RepointError as raised:
            error = raised  # what answers now is judged all the same
    measures = _measures(policy)
    kept = stable(session, queries, baseline) if baseline is not None else queries
    return Benchmark(
        queries=queries,
        now=now,
        baseline=baseline,
        baseline_error=error,
        asked=len(queries.questions.queries),
        failed=failed,
        rate_limited=limited,
        now_scores=score(queries.questions, now.ranked, measures, astray=now.astray),
        baseline_scores={}
        if baseline is None
        else score(queries.questions, baseline.ranked, measures, astray=baseline.astray),
        stable=kept.questions,
    )


def group_count(session: Session, active: Release, policy: Policy) -> int:
    """Return how many groups a relevance trigger watches, 0 where none watches groups."""
    watched = any(isinstance(o, _COMPARED) and o.groups for o in policy.triggers)
    if not watched:
        return 0
    return len(groups(queries_of(session, active, policy).questions.queries))


def options_of(policy: Policy) -> Options:
    """Return how deeply, and whether exactly too, the policy's triggers want to ask."""
    recalls = [one for one in policy.triggers if isinstance(one, IndexRecallTrigger)]
    depths = [measure.depth or 100 for measure in _measures(policy)]
    depth = max([10, *depths, *(one.k for one in recalls)])
    return Options(k=10, depth=depth, exact=bool(recalls))


def queries_of(session: Session, active: Release, policy: Policy) -> QuerySet:
    """Return the benchmark query set.

    Raises:
        NotFoundError: the policy names none, or one that there is not.
    """
    named = policy.guard.queries or policy.queries
    if not named:
        raise NotFoundError(
            what="benchmark query set of",
            name=active.index,
            hint="name one in the policy: guard: {queries: NAME}",
        )
    with session.store.read() as view:
        return view.query_sets.get(active.index, query_set_name(named))


def _measures(policy: Policy) -> list[Measure]:
    named = [one.measure for one in policy.triggers if isinstance(one, _COMPARED)]
    return [Measure.parse(one) for one in named]


def _ask(
    session: Session, answers: Answers, queries: QuerySet, options: Options
) -> tuple[int, int]:
    """Return how many questions failed, and how many of them by a rate limit."""
    failed = limited = in_a_row = 0
    questions = queries.questions.queries
    for number, query in enumerate(questions):
        if in_a_row >= _GIVE_UP:
            return failed + len(questions) - number, limited
        try:
            answers.ask(session, query, options)
        except UnavailableError as error:
            failed, in_a_row = failed + 1, in_a_row + 1
            limited += isinstance(error, RateLimitedError)
        else:
            in_a_row = 0
    return failed, limited


def _baseline(
    session: Session, policy: Policy, fallback: Release, queries: QuerySet, options: Options
) -> Run:
    stored = _stored(session, policy, fallback, queries, options)
    if stored is not None:
        return stored
    quotes = Quotes.read(session, fallback.index, queries.questions)
    answers = answers_of(session, session.spaces.open(fallback), quotes)
    for query in queries.questions.queries:
        answers.ask(session, query, options)
    run = run_of(session, answers, queries, options=replace(options, exact=False))
    with session.store.begin() as tx:
        tx.runs.add(run)
    return run


def _stored(
    session: Session, policy: Policy, fallback: Release, queries: QuerySet, options: Options
) -> Run | None:
    """Return the run that the policy names, else the newest that still tells of this corpus.

    Raises:
        NotFoundError: the run that the policy names is not one of these questions.
    """
    index = fallback.index
    with session.store.read() as view:
        if policy.guard.baseline:
            named = view.runs.named(index, policy.guard.baseline)
            if named is None or not _is_of(named, queries):
                raise NotFoundError(
                    what=f"run of {queries.name}@{queries.version} named",
                    name=policy.guard.baseline,
                )
            return named
        head = view.log.head(index)
        for summary in view.runs.all(index):
            if summary.fingerprint != fallback.fingerprint:
                continue
            if (summary.query_set, summary.version) != (queries.name, queries.version):
                continue
            rows = view.log.backlog(index, above=summary.lsn, upto=head).rows
            run = view.runs.get(index, summary.id)
            if rows <= policy.max_lag and run.depth >= options.depth:
                return run
    return None


def _is_of(run: Run, queries: QuerySet) -> bool:
    return (run.query_set, run.version) == (queries.name, queries.version)


def stable(session: Session, queries: QuerySet, baseline: Run) -> QuerySet:
    """Leave out the questions whose own documents changed since the baseline was taken.

    Those are the relevant ones, and those that the answer should cite.
    """
    questions = queries.questions
    judged = {doc for query in questions.queries for doc in _own(questions, query.id)}
    with session.store.read() as view:
        rows = view.log.get(queries.index, sorted(judged))
    changed = {
        document
        for document in judged
        if (row := rows.get(document)) is None
        or row.document is None
        or row.written_at >= baseline.at
    }
    kept = [one for one in questions.queries if not _own(questions, one.id) & changed]
    return replace(queries, questions=replace(questions, queries=tuple(kept)))


def _own(questions: Questions, query: QueryId) -> frozenset[DocumentId]:
    expected = questions.expected.get(query)
    cited = () if expected is None else expected.citations
    return relevant(questions.qrels, query).union(cited)
