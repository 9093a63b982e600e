"""What one look sees: everything that triggers ask for, each thing looked at once.

Nothing is looked at before a trigger asks. What could not be seen is remembered as well, so
that a provider that is down is waited for once a look and not once a trigger.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from repoint.domain.errors import RepointError
from repoint.domain.evaluation import Run
from repoint.domain.guarding import Alert
from repoint.domain.ids import Lsn
from repoint.domain.policy import Policy
from repoint.domain.readiness import Finding
from repoint.domain.release import Release
from repoint.domain.triggers import GroundednessTrigger, Of
from repoint.operations import diff, trial
from repoint.operations.checks import behaviour, standing
from repoint.operations.diff import DiffReport
from repoint.operations.guard import benchmark, grounding, telemetry
from repoint.operations.guard.benchmark import Benchmark
from repoint.operations.guard.grounding import Grounded
from repoint.operations.guard.traffic import Traffic, of_baseline, of_run
from repoint.operations.session import Session
from repoint.operations.spaces import Space
from repoint.operations.trial import Trial
from repoint.ports.metrics import Metrics

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Who answers, what stands behind it, and by what it is judged."""

    policy: Policy
    active: Release
    #: None: there is nothing to go back to.
    fallback: Release | None
    #: When the active release began to answer.
    since: datetime
    #: Counts the looks at this epoch, from 1.
    look: int
    #: Differs from look to look, the same for the same look.
    seed: int


class Sight:
    """One look's eyes; each method may raise what the thing looked at raises."""

    def __init__(self, session: Session, scene: Scene, metrics: Metrics) -> None:
        self._session = session
        self._metrics = metrics
        self._seen: dict[str, object] = {}
        self._failed: dict[str, RepointError] = {}
        self.scene = scene

    def groups(self) -> int:
        """Return how many groups the benchmark's questions have; 0 where there are none."""
        return self._once(
            "groups",
            lambda: benchmark.group_count(self._session, self.scene.active, self.scene.policy),
        )

    def benchmark(self) -> Benchmark:
        """Return the benchmark questions' answers."""
        scene = self.scene
        return self._once(
            "benchmark",
            lambda: benchmark.ask(
                self._session, scene.policy, active=scene.active, fallback=scene.fallback
            ),
        )

    def grounded(self, trigger: GroundednessTrigger) -> Grounded:
        """Return what a judge says of some of the benchmark's answers, now and lately."""
        scene, session = self.scene, self._session

        def judged() -> Grounded:
            since = max(scene.since, session.clock.now() - trigger.window)
            limit = grounding.looks_read(trigger, scene.policy)
            with session.store.read() as view:
                looks = view.guarding.looks(scene.active.index, limit=limit)
            watched = grounding.Watched(
                policy=scene.policy,
                active=scene.active,
                fallback=scene.fallback,
                look=scene.look,
                earlier=[
                    one for one in looks if one.at >= since and one.active == scene.active.name
                ],
            )
            return grounding.look(session, watched, trigger)

        return self._once(trigger.id, judged)

    def asked(self) -> Run | None:
        """Return the benchmark's run, where a trigger asked for one at this look."""
        seen = self._seen.get("benchmark")
        return seen.now if isinstance(seen, Benchmark) else None

    def traffic(self, of: Of, window: timedelta) -> Traffic:
        """Return what came of the active release's questions, lately."""
        if of is Of.BENCHMARK:
            seen = self.benchmark()
            return of_run(
                seen.now,
                asked=seen.asked,
                failed=seen.failed,
                rate_limited=seen.rate_limited,
            )
        return telemetry.of_active(
            self._session,
            self.scene.active,
            since=max(self.scene.since, self._session.clock.now() - window),
        )

    def before(self, of: Of) -> Traffic | None:
        """Return what came of the fallback's questions; None where nobody measured it."""
        if self.scene.fallback is None:
            return None
        if of is Of.BENCHMARK:
            run = self.benchmark().baseline
            return None if run is None else of_baseline(run)
        return telemetry.before(self._session, self.scene.fallback, until=self.scene.since)

    def trial(self, alpha: float) -> Trial | None:
        """Return how a canary stands; None where there is none."""
        index = self.scene.active.index
        return self._once(
            f"trial {alpha}", lambda: trial.show(self._session, index, alpha=alpha)
        )

    def tried(self, found: Trial, window: timedelta) -> Traffic:
        """Return what came of the questions that the canary's candidate answered, lately."""
        since = max(found.began, self._session.clock.now() - window)
        return telemetry.of_canary(self._session, found.canary, found.index, since=since)

    def sample(self, count: int) -> DiffReport:
        """Return how a sample of documents compares with the log."""
        return self._once(
            f"sample {count}",
            lambda: diff.sample(
                self._session.store,
                self._space(),
                upto=self._watermark(),
                count=count,
                seed=self.scene.seed,
            ),
        )

    def lag(self, allowed: int) -> Finding:
        """Return whether the active release is in step within that many rows."""
        active = self.scene.active
        with self._session.store.read() as view:
            return standing.lag(view, active.index, active.name, allowed=allowed)

    def probes(self) -> Finding:
        """Return whether the query model answers its probes as stored."""
        return self._once("probes", lambda: behaviour.query_model(self._session, self._space()))

    def searches(self) -> Sequence[Finding]:
        """Return what a filter query, a text query, a fresh and a deleted document show."""

        def asked() -> Sequence[Finding]:
            space, upto = self._space(), self._watermark()
            rows = behaviour.recent_rows(self._session, space.release.index, upto=upto)
            return [
                behaviour.filtering(self._session, space, rows),
                behaviour.hybrid(space, rows),
                behaviour.fresh(space, rows),
                behaviour.deleted(space, rows),
            ]

        return self._once("searches", asked)

    def metric(
        self, url: str, query: str, *, token_env: str, timeout: timedelta
    ) -> float | None:
        """Return what a metrics server says."""
        return self._metrics.value(url, query, token_env=token_env, timeout=timeout)

    def alerts(self) -> Sequence[Alert]:
        """Return the alerts that the index was told of."""
        with self._session.store.read() as view:
            return view.guarding.alerts(self.scene.active.index)

    def _space(self) -> Space:
        return self._session.spaces.confirm(self.scene.active)

    def _watermark(self) -> Lsn:
        active = self.scene.active
        with self._session.store.read() as view:
            return view.catchup.watermark(active.index, active.name)

    def _once(self, what: str, see: Callable[[], _T]) -> _T:
        if what in self._failed:
            raise self._failed[what]
        if what not in self._seen:
            try:
                self._seen[what] = see()
            except RepointError as error:
                self._failed[what] = error
                raise
        return self._seen[what]  # type: ignore[return-value]  # stored under this name by itself
