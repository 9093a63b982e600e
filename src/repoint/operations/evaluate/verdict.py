"""What a promotion hears of the newest evaluation of exactly these two releases."""

from __future__ import annotations

from collections.abc import Sequence

from repoint.domain.evaluation import Evaluation
from repoint.domain.gates import Outcome, finding
from repoint.domain.ids import IndexName, ReleaseName
from repoint.domain.policy import PolicyVersion
from repoint.domain.readiness import Finding, Status
from repoint.operations.evaluate.evaluating import policy_for, read
from repoint.operations.evaluate.gating import judge
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
        """Return whether the evaluation counts, then each gate; empty: nobody measured."""
        if against is None:
            return []
        with self._session.store.read() as view:
            policy = policy_for(view, index, release)
            newest = view.runs.newest_evaluation(
                index,
                candidate=release,
                baseline=against,
                query_set=policy.policy.queries,
            )
        if newest is None:
            return []
        standing = self._standing(newest, policy)
        if standing.status is not Status.OK:
            return [standing]
        comparison, policy = read(self._session, newest)
        return [
            standing,
            *(
                finding(one, inconclusive_refuses=policy.policy.inconclusive_refuses)
                for one in judge(comparison, policy.policy, seed=_SEED)
            ),
        ]

    def _standing(self, evaluation: Evaluation, policy: PolicyVersion) -> Finding:
        """Return whether an evaluation still says something about today."""
        index, limits = evaluation.index, policy.policy
        with self._session.store.read() as view:
            newest = view.query_sets.newest(index, evaluation.query_set)
            runs = [
                view.runs.get(index, evaluation.candidate_run),
                view.runs.get(index, evaluation.baseline_run),
            ]
            since = min(run.lsn for run in runs)
            names = (evaluation.candidate, evaluation.baseline)
            fingerprints = tuple(view.releases.get(index, name).fingerprint for name in names)
            head = view.log.head(index)
            rows = view.log.backlog(index, above=since, upto=head).rows
        age = self._session.clock.now() - min(run.at for run in runs)
        asked = f"{evaluation.query_set}@{evaluation.version}"
        outdated = ""
        measured = (evaluation.candidate_fingerprint, evaluation.baseline_fingerprint)
        if measured != fingerprints:
            outdated = "is of releases with other fingerprints"
        elif age > limits.expires:
            outdated = (
                f"is {age.total_seconds() / 3600:.1f} hours old, more than "
                f"{limits.expires_hours:g}"
            )
        elif rows > limits.max_lag:
            outdated = f"is {rows:,} log rows behind, more than {limits.max_lag:,}"
        elif newest != evaluation.version:
            outdated = f"used {asked}, and version {newest} is the newest"
        named = f"{evaluation.id} of {evaluation.candidate} against {evaluation.baseline}"
        again = (
            f"repoint evaluate {index} {evaluation.candidate} --queries {evaluation.query_set}"
        )
        return Finding(
            check="evaluation",
            status=Status.FAILED if outdated else Status.OK,
            summary=f"evaluation {named} {outdated}"
            if outdated
            else f"{named} on {asked}, judged by policy {policy.version}",
            figures={
                "evaluation": evaluation.id,
                "policy": policy.version,
                "hours": round(age.total_seconds() / 3600, 3),
                "rows": rows,
                **({"outcome": Outcome.ERROR.value} if outdated else {}),
            },
            remedy=f"measure again: {again}" if outdated else "",
        )
