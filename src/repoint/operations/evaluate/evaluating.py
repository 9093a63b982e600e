"""Evaluate a candidate beside a baseline, and keep both runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from repoint.domain.access import Action
from repoint.domain.errors import ConflictError, NotFoundError, RefusedError
from repoint.domain.evaluation import Evaluation, Run
from repoint.domain.ids import EvaluationId, IndexName, QuerySetName, ReleaseName, release_name
from repoint.domain.policy import PolicyVersion
from repoint.domain.queries import QuerySet
from repoint.domain.release import Release, ReleaseState
from repoint.operations.evaluate.asking import Asked, Options, ask_all
from repoint.operations.evaluate.comparing import compare
from repoint.operations.evaluate.comparison import Comparison
from repoint.operations.evaluate.gating import judge, measures_of
from repoint.operations.evaluate.grounding import require_answers
from repoint.operations.evaluate.values import Report
from repoint.operations.in_force import policy_for
from repoint.operations.session import Session, authorise
from repoint.ports.store import Transaction

#: The baseline that means whoever answers now.
ACTIVE = "active"


def evaluate(  # noqa: PLR0913 - what is asked, of whom, beside whom
    session: Session,
    index: IndexName,
    candidate: ReleaseName,
    *,
    baseline: str,
    queries: QuerySetName,
    version: int | None = None,
    options: Options,
    progress: Callable[[Asked], None] | None = None,
) -> Report:
    """Ask both releases all questions, store both runs, and return what they say.

    ``baseline`` is ``active``, a release, or the name of a stored run, which is not asked
    again. ``version`` is of the query set; None is its newest.

    Raises:
        NotFoundError: there is no such release, run or query set.
        RefusedError: a release has no collection, or nothing was promoted yet.
        ConflictError: the stored run was asked other questions, or less deeply.
        BadInputError: answers are to be judged, and there are none.
        UnavailableError: a model or database did not answer; nothing was stored.
    """
    authorise(session, Action.EVALUATE, index)
    options = options.checked()
    with session.store.read() as view:
        asked = view.query_sets.get(index, queries, version=version)
        release = _live(view, index, candidate)
        other, stored = _baseline(view, index, baseline)
        if options.save_as and view.runs.named(index, options.save_as) is not None:
            raise ConflictError(
                f"a run is named {options.save_as!r} already", hint="choose another name"
            )
    if stored is not None:
        _require_comparable(stored, asked, options)
    releases = [release] if other is None else [release, other]
    if options.wish is not None:
        session.judges.judge(options.judge)  # before hours of asking, not after
        if options.answer_with:
            session.judges.answerer(options.answer_with)
        require_answers(asked, options.wish, releases)
    spaces = [session.spaces.open(one) for one in releases]
    runs = ask_all(session, spaces, asked, options=options, progress=progress)
    mine = replace(runs[0], name=options.save_as)
    theirs = stored or runs[-1]
    evaluation = Evaluation(
        id=EvaluationId(f"e-{session.ids.new()[-10:]}"),
        index=index,
        candidate=mine.release,
        baseline=theirs.release,
        candidate_fingerprint=mine.fingerprint,
        baseline_fingerprint=theirs.fingerprint,
        query_set=asked.name,
        version=asked.version,
        candidate_run=mine.id,
        baseline_run=theirs.id,
        k=options.k,
        at=session.clock.now(),
        actor=session.actor,
    )
    _keep(session, evaluation, [mine] if stored else [mine, theirs])
    return report(session, evaluation, seed=options.seed)


def report(session: Session, evaluation: Evaluation, *, seed: int = 0) -> Report:
    """Return what a stored evaluation says, judged by the policy that counts for it."""
    authorise(session, Action.READ, evaluation.index)
    comparison, policy = read(session, evaluation)
    gates = judge(comparison, policy.policy, seed=seed)
    return compare(comparison, policy_version=policy.version, gates=gates, seed=seed)


def read(session: Session, evaluation: Evaluation) -> tuple[Comparison, PolicyVersion]:
    """Return a stored evaluation scored, and the policy that its candidate is judged by."""
    index = evaluation.index
    with session.store.read() as view:
        asked = view.query_sets.get(index, evaluation.query_set, version=evaluation.version)
        baseline = view.runs.get(index, evaluation.baseline_run)
        candidate = view.runs.get(index, evaluation.candidate_run)
        policy = policy_for(view, index, evaluation.candidate)
    comparison = Comparison.of(
        evaluation, asked, baseline, candidate, measures=measures_of(policy.policy)
    )
    return comparison, policy


def _live(view: Transaction, index: IndexName, name: ReleaseName) -> Release:
    release = view.releases.get(index, name)
    if release.state is not ReleaseState.LIVE:
        raise RefusedError(
            f"release {name!r} of index {index!r} is {release.state}: it cannot be asked",
            hint=f"repoint sync {index} {name}"
            if release.state is ReleaseState.CREATED
            else "create a new one of the same spec",
        )
    if release.bridge is not None:
        raise RefusedError(
            f"queries of {name!r} go over bridge {release.bridge.id}: a run of it would stand "
            "as what its own model answers",
            hint=f"what the bridge keeps is measured already: repoint bridge list {index}",
        )
    return release


def _baseline(
    view: Transaction, index: IndexName, name: str
) -> tuple[Release | None, Run | None]:
    """Return the release to ask, or the run that was stored under this name."""
    if name == ACTIVE:
        active = view.pointers.pointer(index).active
        if active is None:
            raise RefusedError(
                f"nothing answers for {index!r} yet, so there is nothing to compare with",
                hint="name a release: --baseline RELEASE",
            )
        return view.releases.get(index, active), None
    stored = view.runs.named(index, name)
    if stored is not None:
        return None, stored
    known = [release.name for release in view.releases.all(index)]
    named = [run.name for run in view.runs.all(index) if run.name]
    if name not in known:
        raise NotFoundError(
            what="release or named run", name=name, known=[ACTIVE, *known, *named]
        )
    return _live(view, index, release_name(name)), None


def _require_comparable(stored: Run, asked: QuerySet, options: Options) -> None:
    if (stored.query_set, stored.version) != (asked.name, asked.version):
        raise ConflictError(
            f"run {stored.name!r} was asked {stored.query_set}@{stored.version}, not "
            f"{asked.name}@{asked.version}",
            hint=f"ask the same: --queries {stored.query_set}@{stored.version}; or name a "
            "release as the baseline, so that it is asked anew",
        )
    if stored.depth < options.depth:
        raise ConflictError(
            f"run {stored.name!r} holds {stored.depth} documents a question, not "
            f"{options.depth}",
            hint=f"ask for fewer: --depth {stored.depth}",
        )


def _keep(session: Session, evaluation: Evaluation, runs: list[Run]) -> None:
    with session.store.begin() as tx:
        for run in runs:
            tx.runs.add(run)
        tx.runs.add_evaluation(evaluation)
        tx.audit.append(
            at=evaluation.at,
            actor=session.actor,
            action=Action.EVALUATE,
            index=evaluation.index,
            details={
                "evaluation": evaluation.id,
                "candidate": evaluation.candidate,
                "baseline": evaluation.baseline,
                "query_set": f"{evaluation.query_set}@{evaluation.version}",
            },
        )
