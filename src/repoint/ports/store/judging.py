"""What candidates are judged with: query sets, runs, evaluations, policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from repoint.domain.evaluation import Evaluation, Run, RunSummary
    from repoint.domain.ids import (
        Actor,
        EvaluationId,
        IndexName,
        QuerySetName,
        ReleaseName,
        RunId,
    )
    from repoint.domain.policy import Policy, PolicyVersion
    from repoint.domain.queries import QuerySet, QuerySetSummary


if TYPE_CHECKING:  # a rollback reads no diagnosis, and need not pay for its values
    from repoint.domain.diagnosis import Diagnosis


class QuerySets(Protocol):
    """Query sets and their versions."""

    def add(self, queries: QuerySet) -> None:
        """Store a version; none is ever changed [query-sets-are-immutable].

        Raises:
            NotFoundError: no such index.
            ConflictError: it is not the version that comes next [versions-rise-by-one].
        """
        ...

    def get(
        self, index: IndexName, name: QuerySetName, *, version: int | None = None
    ) -> QuerySet:
        """Return one version, by default the newest.

        Raises:
            NotFoundError: there is none; the error lists the sets there are.
        """
        ...

    def newest(self, index: IndexName, name: QuerySetName) -> int:
        """Return the newest version's number; 0 when there is no such set."""
        ...

    def all(self, index: IndexName) -> list[QuerySetSummary]:
        """Return every version of every set, sets by name, the newest version first."""
        ...


class Runs(Protocol):
    """What releases answered to query sets, and what was compared."""

    def add(self, run: Run) -> None:
        """Store a run; it is never changed [runs-are-immutable].

        Raises:
            NotFoundError: no such release or version of the query set.
            AlreadyExistsError: its name is taken in this index.
        """
        ...

    def get(self, index: IndexName, run: RunId) -> Run:
        """Return one run.

        Raises:
            NotFoundError: there is none.
        """
        ...

    def named(self, index: IndexName, name: str) -> Run | None:
        """Return the run that was given this name."""
        ...

    def all(self, index: IndexName) -> list[RunSummary]:
        """Return all runs, newest first."""
        ...

    def add_evaluation(self, evaluation: Evaluation) -> None:
        """Store which runs were compared; it is never changed.

        Raises:
            NotFoundError: a run of it is not stored.
        """
        ...

    def evaluation(self, index: IndexName, name: EvaluationId) -> Evaluation:
        """Return one evaluation.

        Raises:
            NotFoundError: there is none.
        """
        ...

    def evaluations(self, index: IndexName) -> list[Evaluation]:
        """Return all evaluations, newest first."""
        ...

    def newest_evaluation(
        self,
        index: IndexName,
        *,
        candidate: ReleaseName,
        baseline: ReleaseName,
        query_set: str = "",
    ) -> Evaluation | None:
        """Return the newest of exactly these two; None when there is none.

        With a query set's name only those that used it count.
        """
        ...


class Policies(Protocol):
    """Policies and their versions."""

    def set(
        self, index: IndexName, policy: Policy, *, actor: Actor, reason: str, at: datetime
    ) -> PolicyVersion:
        """Store the next version; none is ever changed [policies-are-immutable].

        A rollout that is open keeps the version that it began with [policy-is-fixed].
        """
        ...

    def get(self, index: IndexName, version: int) -> PolicyVersion:
        """Return one version; 0 is the built-in policy.

        Raises:
            NotFoundError: there is none.
        """
        ...

    def newest(self, index: IndexName) -> PolicyVersion:
        """Return the newest version, the built-in policy where none was set."""
        ...


class Diagnoses(Protocol):
    """What was found to be wrong with releases."""

    def add(self, diagnosis: Diagnosis) -> None:
        """Store a diagnosis; it is never changed [diagnoses-are-immutable].

        Raises:
            NotFoundError: no such release.
        """
        ...

    def newest(self, index: IndexName, release: ReleaseName) -> Diagnosis | None:
        """Return a release's newest diagnosis; None where there is none."""
        ...

    def all(self, index: IndexName) -> list[Diagnosis]:
        """Return all diagnoses, newest first."""
        ...
