"""Judging releases: query sets, evaluations, stored runs, the policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from repoint.domain.access import Action
from repoint.domain.evaluation import Evaluation, Run, RunSummary
from repoint.domain.ids import (
    DocumentId,
    EvaluationId,
    IndexName,
    QueryId,
    ReleaseName,
    RunId,
    query_set_name,
    query_set_version,
    release_name,
)
from repoint.domain.policy import Policy, PolicyVersion
from repoint.domain.queries import QuerySet, QuerySetSummary, Questions
from repoint.operations import policies, query_sets
from repoint.operations.evaluate import (
    Asked,
    Options,
    Report,
    evaluate,
    report,
    spans_outside,
)
from repoint.operations.session import Session, authorise

if TYPE_CHECKING:
    from repoint.client.diagnosing import Source, Subject
    from repoint.domain.diagnosis import Diagnosis
    from repoint.operations.diagnose import Estimate, Step
    from repoint.operations.diagnose import Options as DiagnosisOptions


class Judging:
    """What an index's candidates are measured with, and what came of it."""

    def __init__(self, session: Session, name: IndexName) -> None:
        self._session = session
        self._name = name

    # Query sets

    def add_queries(
        self,
        name: str,
        source: Questions | Path | str,
        *,
        qrels: Path | str | None = None,
        group_field: str = "group",
    ) -> tuple[QuerySet, bool]:
        """Store a query set's next version; the same questions again store nothing.

        ``source`` is a value, a BEIR folder, a ``.jsonl`` file of queries, or a ``.txt``
        file with one query a line. Returns the version that stands, and whether it is new.

        Raises:
            BadInputError: a file is malformed; the error names the line.
        """
        if not isinstance(source, Questions):
            from repoint.sources.queries import read_questions  # noqa: PLC0415 - only for files

            source = read_questions(
                Path(source),
                qrels=None if qrels is None else Path(qrels),
                group_field=group_field,
            )
        return query_sets.add(self._session, self._name, query_set_name(name), source)

    def known_items(
        self, name: str, *, count: int = 200, seed: int = 0
    ) -> tuple[QuerySet, bool]:
        """Store a set made from the corpus: first sentences that ask for their documents."""
        return query_sets.known_items(
            self._session, self._name, query_set_name(name), count=count, seed=seed
        )

    def judge(
        self, name: str, judgements: Mapping[str, Mapping[str, int]]
    ) -> tuple[QuerySet, bool]:
        """Store a version with more judgements: query to document to grade, 0 is not relevant.

        Raises:
            NotFoundError: no such set, or a judged query is not in it; nothing was stored.
        """
        qrels = {
            QueryId(query): {DocumentId(document): grade for document, grade in grades.items()}
            for query, grades in judgements.items()
        }
        return query_sets.judge(self._session, self._name, query_set_name(name), qrels)

    def query_set(self, name: str, *, version: int | None = None) -> QuerySet:
        """Return one version of a set, named with it or by default the newest."""
        named, own = query_set_version(name)
        wanted = own if version is None else version
        return query_sets.get(self._session, self._name, named, version=wanted)

    def unknown_documents(self, questions: Questions) -> int:
        """Return how many judged or cited documents the log does not hold, or has deleted."""
        return query_sets.unknown_documents(self._session, self._name, questions)

    def spans_outside(self, questions: Questions) -> int:
        """Return how many cited spans lie outside their documents' texts."""
        return spans_outside(self._session, self._name, questions)

    def query_sets(self) -> list[QuerySetSummary]:
        """Return every version of every set."""
        return query_sets.all_(self._session, self._name)

    # Evaluations

    def evaluate(
        self,
        candidate: str,
        *,
        queries: str,
        baseline: str = "active",
        options: Options | None = None,
        progress: Callable[[Asked], None] | None = None,
    ) -> Report:
        """Ask a candidate and a baseline all questions of a set, and compare the answers.

        ``queries`` names the set, its newest version or one of its own: ``garden@1``.
        ``baseline`` is ``active``, a release, or the name that a run was kept under.
        ``Options(judge=…)`` also has a judge say whether answers rest on their passages. Both
        runs are stored, and the newest evaluation is what a promotion rests on.

        Raises:
            NotFoundError: there is no such release, run or query set.
            UnavailableError: a model or database did not answer; nothing was stored.
        """
        name, version = query_set_version(queries)
        return evaluate(
            self._session,
            self._name,
            release_name(candidate),
            baseline=baseline,
            queries=name,
            version=version,
            options=options or Options(),
            progress=progress,
        )

    def report(self, evaluation: str) -> Report:
        """Return what a stored evaluation says, judged by the policy that counts now."""
        with self._session.store.read() as view:
            found = view.runs.evaluation(self._name, EvaluationId(evaluation))
        return report(self._session, found)

    def evaluations(self) -> Sequence[Evaluation]:
        """Return all stored evaluations, newest first."""
        authorise(self._session, Action.READ, self._name)
        with self._session.store.read() as view:
            return view.runs.evaluations(self._name)

    def runs(self) -> Sequence[RunSummary]:
        """Return all stored runs, newest first."""
        authorise(self._session, Action.READ, self._name)
        with self._session.store.read() as view:
            return view.runs.all(self._name)

    def run(self, run: str) -> Run:
        """Return a stored run, by its id or the name that it was kept under."""
        authorise(self._session, Action.READ, self._name)
        with self._session.store.read() as view:
            return view.runs.named(self._name, run) or view.runs.get(self._name, RunId(run))

    # Policy

    def set_policy(
        self, policy: Policy | Path | str, *, reason: str = ""
    ) -> tuple[PolicyVersion, ReleaseName | None]:
        """Store a policy, given as a value, a YAML file or YAML text, for rollouts to come.

        Returns its version, and the release whose open rollout keeps the policy it began with.

        Raises:
            BadSpecError: the YAML is no policy; the error names line and field.
        """
        if not isinstance(policy, Policy):
            from repoint.wiring.policy_file import load_policy  # noqa: PLC0415 - loads pydantic

            policy = load_policy(policy)
        return policies.set_policy(self._session, self._name, policy, reason=reason)

    def policy(self, *, version: int | None = None) -> PolicyVersion:
        """Return a policy's version, by default the newest; 0 is the built-in one."""
        return policies.show(self._session, self._name, version=version)

    # Diagnoses

    def diagnose(
        self,
        release: str,
        *,
        baseline: str = "",
        queries: Source | None = None,
        qrels: Path | None = None,
        options: DiagnosisOptions | None = None,
        progress: Callable[[Step], None] | None = None,
    ) -> Diagnosis:
        """Say what made a release worse: its model, its migration, a setting, a provider.

        Reads, asks and embeds within ``options``; writes nothing but its own report, which
        ``diagnosis`` returns again.

        Raises:
            BadInputError: there is nothing to compare with, or no question to ask.
            UnavailableError: a model or database did not answer; nothing was kept.
        """
        from repoint.client import diagnosing  # noqa: PLC0415 - an evaluation needs none of it

        return diagnosing.diagnose(
            self._session,
            self._name,
            diagnosing.Subject(
                release=release, baseline=baseline, queries=queries, qrels=qrels
            ),
            options=options or diagnosing.Options(),
            progress=progress,
        )

    def diagnosis_plan(self, subject: Subject, *, options: DiagnosisOptions) -> Estimate:
        """Return what a diagnosis would look at and take, at most; nothing is embedded."""
        from repoint.client import diagnosing  # noqa: PLC0415 - an evaluation needs none of it

        return diagnosing.plan(self._session, self._name, subject, options=options)

    def diagnosis(self, release: str) -> Diagnosis:
        """Return a release's newest diagnosis, as it was made.

        Raises:
            NotFoundError: there is none.
        """
        from repoint.client import diagnosing  # noqa: PLC0415 - as above

        return diagnosing.last(self._session, self._name, release)
