"""What a promotion hears of the newest evaluation of exactly these two releases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from repoint.domain.document import Json
from repoint.domain.evaluation import Evaluation
from repoint.domain.gates import Outcome, finding
from repoint.domain.ids import IndexName, ReleaseName
from repoint.domain.policy import PolicyVersion
from repoint.domain.readiness import Finding, Status
from repoint.operations.evaluate.evaluating import read
from repoint.operations.evaluate.gating import judge
from repoint.operations.in_force import policy_for
from repoint.operations.session import Session

#: Resampling of a verdict always begins here: the same runs give the same verdict.
_SEED = 0


class StoredEvaluations:
    """``ports.evaluation.Evaluations`` over what the control store holds."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def verdict(
        self, index: IndexName, release: ReleaseName, *, against: ReleaseName | None
    ) -> Sequence[Finding]:
        """Return whether the evaluation counts, then each gate; empty: nobody measured.

        Of an evaluation that is outdated only the gates that failed are told: a pass of
        yesterday says nothing of today, but a measured loss stands until it is measured anew.
        """
        if against is None:
            return []
        with self._session.store.read() as view:
            policy = policy_for(view, index, release)
            newest = view.runs.newest_evaluation(
                index,
                candidate=release,
                baseline=against,
                query_set=policy.policy.queries.partition("@")[0],
            )
        if newest is None:
            return []
        if not self._of_these(newest):
            return [_outdated(newest, "is of releases with other fingerprints", policy)]
        standing = self._standing(newest, policy)
        comparison, policy = read(self._session, newest)
        results = judge(comparison, policy.policy, seed=_SEED)
        if standing.status is not Status.OK:
            results = [one for one in results if one.outcome is Outcome.FAIL]
        strict = policy.policy.inconclusive_refuses
        return [standing, *(finding(one, inconclusive_refuses=strict) for one in results)]

    def _of_these(self, evaluation: Evaluation) -> bool:
        """Return whether the releases of these names are still the ones that were measured."""
        names = (evaluation.candidate, evaluation.baseline)
        with self._session.store.read() as view:
            found = tuple(
                view.releases.get(evaluation.index, name).fingerprint for name in names
            )
        return found == (evaluation.candidate_fingerprint, evaluation.baseline_fingerprint)

    def _standing(self, evaluation: Evaluation, policy: PolicyVersion) -> Finding:
        """Return whether an evaluation still says something about today."""
        index, limits = evaluation.index, policy.policy
        with self._session.store.read() as view:
            newest = view.query_sets.newest(index, evaluation.query_set)
            pinned = policy.policy.queries.partition("@")[2]
            runs = [
                view.runs.get(index, evaluation.candidate_run),
                view.runs.get(index, evaluation.baseline_run),
            ]
            since = min(run.lsn for run in runs)
            head = view.log.head(index)
            rows = view.log.backlog(index, above=since, upto=head).rows
        age = self._session.clock.now() - min(run.at for run in runs)
        hours = age.total_seconds() / 3600
        asked = f"{evaluation.query_set}@{evaluation.version}"
        figures: dict[str, Json] = {"hours": round(hours, 3), "rows": rows}
        why = ""
        if age > limits.expires:
            why = f"is {hours:.1f} hours old, more than {limits.expires_hours:g}"
        elif rows > limits.max_lag:
            why = f"is {rows:,} log rows behind, more than {limits.max_lag:,}"
        elif pinned and int(pinned) != evaluation.version:
            why = f"used {asked}, and the policy asks for {limits.queries}"
        elif not pinned and newest != evaluation.version:
            why = f"used {asked}, and version {newest} is the newest"
        if why:
            return _outdated(evaluation, why, policy, figures)
        return Finding(
            check="evaluation",
            status=Status.OK,
            summary=f"{_named(evaluation)} on {asked}, judged by policy {policy.version}",
            figures={"evaluation": evaluation.id, "policy": policy.version, **figures},
        )


def _named(evaluation: Evaluation) -> str:
    return f"{evaluation.id} of {evaluation.candidate} against {evaluation.baseline}"


def _outdated(
    evaluation: Evaluation,
    why: str,
    policy: PolicyVersion,
    figures: Mapping[str, Json] = MappingProxyType({}),
) -> Finding:
    return Finding(
        check="evaluation",
        status=Status.FAILED,
        summary=f"evaluation {_named(evaluation)} {why}",
        figures={
            "evaluation": evaluation.id,
            "policy": policy.version,
            **figures,
            "outcome": Outcome.ERROR.value,
        },
        remedy=f"measure again: repoint evaluate {evaluation.index} {evaluation.candidate} "
        f"--queries {evaluation.query_set}",
    )
