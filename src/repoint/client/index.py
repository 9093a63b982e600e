"""One index of a workspace: write, search, move."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from repoint.client import catchup, comparing
from repoint.client.answering import AnsweringIndex
from repoint.client.erasing import Erasing
from repoint.client.keeping import Keeper
from repoint.domain.catchup import DeadLetter
from repoint.domain.document import Document, Json
from repoint.domain.errors import BadSpecError
from repoint.domain.ids import DocumentId, IndexName, release_name
from repoint.domain.operation import Freeze, Hold
from repoint.domain.pointer import Move, Pointer
from repoint.domain.readiness import Finding
from repoint.domain.release import Release
from repoint.domain.spec import ReleaseSpec
from repoint.operations import (
    check,
    documents,
    ending,
    freeze,
    privileges,
    promote,
    releases,
    rollback,
    status,
)
from repoint.operations.diff import DiffReport
from repoint.operations.diff_releases import ReleasesReport
from repoint.operations.ending import Fate
from repoint.operations.privileges import PrivilegesReport
from repoint.operations.promote import PromoteOptions, PromoteReport
from repoint.operations.rollback import Replay, RollbackOptions, RollbackReport
from repoint.operations.status import IndexStatus
from repoint.operations.sync import AppliedNow, Follower, Progress, SyncPlan, SyncReport
from repoint.ports.store import Appended
from repoint.sources.files.record import document_of
from repoint.wiring.workspace import Workspace

if TYPE_CHECKING:
    from repoint.client.adopting import Adopted
    from repoint.client.bridging import Bridging
    from repoint.client.diagnosing import Source
    from repoint.client.feeding import Feeding
    from repoint.client.guarding import Guarding, RunningGuard
    from repoint.client.judging import Judging
    from repoint.client.routing import Routing
    from repoint.domain.diagnosis import Diagnosis

#: What a writer waits for besides the log: nothing, the release that answers, every live one.
Wait: TypeAlias = Literal["active", "all"] | None


class Index(AnsweringIndex, Erasing):
    """An index by name. Safe to use from many threads; cheap to make."""

    def __init__(self, workspace: Workspace, name: IndexName, *, keeper: Keeper) -> None:
        super().__init__(workspace, name)
        self._keeper = keeper

    # Documents

    def upsert(
        self, documents_: Iterable[Mapping[str, Json] | Document], *, wait: Wait = None
    ) -> Appended:
        """Write documents; once this returns, they are durable in the log.

        Each is a mapping: ``id``, ``text``, optionally ``title`` and ``metadata``. All go in
        as one. ``wait`` also waits until the active release, or every live one, has them.

        Raises:
            BadInputError: a document is malformed; nothing was written.
        """
        whole = [
            one
            if isinstance(one, Document)
            else document_of(one, source="documents", line=number)
            for number, one in enumerate(documents_, start=1)
        ]
        return self._write(whole, wait)

    def delete(self, ids: Iterable[str], *, wait: Wait = None) -> Appended:
        """Write tombstones; every live release, the fallback too, loses the documents."""
        return self._write([DocumentId(one) for one in ids], wait)

    def ingest(self, stream: Iterable[Document]) -> Iterator[Appended]:
        """Write a stream batch by batch, yielding what each did; repeat it to resume."""
        for done in documents.stream(self._session, self._name, stream):
            self._keeper.wake()
            yield done

    def wait(self, wait: Wait) -> None:
        """Return when the active release, or every live one, has what is in the log now."""
        if wait is not None:
            self._keeper.wait(wait)

    @property
    def feeding(self) -> Feeding:
        """The systems of record that this index is fed from."""
        from repoint.client.feeding import Feeding  # noqa: PLC0415 - as routing

        return Feeding(self._session, self._name)

    # Reading

    @property
    def routing(self) -> Routing:
        """The route as one object for other programs: read, followed, rendered."""
        from repoint.client.routing import Routing  # noqa: PLC0415 - a rollback needs none of it

        return Routing(self._workspace, self._name)

    def status(self) -> IndexStatus:
        """Return who answers and how far every live release is behind."""
        return status.status(self._session, self._name)

    def history(self, *, limit: int | None = None) -> list[Move]:
        """Return the pointer's moves, newest first."""
        self._authorise_reading()
        with self._session.store.read() as view:
            return view.pointers.moves(self._name, limit=limit)

    def check(self) -> list[Finding]:
        """Return the rollback checklist."""
        return check.check(self._session, self._name)

    # Releases

    def create_release(self, name: str, spec: ReleaseSpec | Path | str) -> Release:
        """Store an immutable release, its spec given as a value, a YAML file or YAML text.

        Raises:
            BadSpecError: the YAML is no spec, or a driver cannot take an option; the error
                names line and field.
            AlreadyExistsError: the name is taken.
            MissingModelError: the model cannot be opened here.
        """
        whole = spec if isinstance(spec, ReleaseSpec) else _loaded(spec)
        drivers = self._workspace.drivers
        try:
            return releases.create(
                self._session, self._name, release_name(name), whole, drivers
            )
        except BadSpecError as error:
            if isinstance(spec, ReleaseSpec):
                raise
            raise _located(error, spec) from error

    def releases(self) -> Sequence[Release]:
        """Return all releases, oldest first."""
        self._authorise_reading()
        with self._session.store.read() as view:
            return view.releases.all(self._name)

    @property
    def bridges(self) -> Bridging:
        """Ways to a release whose query model is gone."""
        from repoint.client.bridging import Bridging  # noqa: PLC0415 - for emergencies only

        return Bridging(self._session, self._name)

    @property
    def judging(self) -> Judging:
        """Query sets, evaluations, stored runs and the policy."""
        from repoint.client.judging import Judging  # noqa: PLC0415 - a rollback needs none of it

        return Judging(self._session, self._name)

    @property
    def guarding(self) -> Guarding:
        """Looks, decisions and alerts of the index's guard, a guard to run, and drills."""
        from repoint.client.guarding import Guarding  # noqa: PLC0415 - as above

        return Guarding(self._session, self._name)

    def guard(self, *, dry_run: bool = False) -> RunningGuard:
        """Return a guard that goes back by itself while its context is entered.

        It looks in a thread of its own, as the policy declares, and acts as ``guard``.
        """
        return self.guarding.run(dry_run=dry_run)

    def diagnose(
        self, release: str, *, baseline: str = "", queries: Source | None = None
    ) -> Diagnosis:
        """Say what made a release worse; ``judging.diagnose`` has more to choose."""
        return self.judging.diagnose(release, baseline=baseline, queries=queries)

    # Catching up

    def plan(self, release: str) -> SyncPlan:
        """Return what bringing a release into step would take; only a sample is embedded."""
        return catchup.estimate(self._session, self._name, release_name(release))

    def sync(
        self,
        release: str,
        *,
        budget_tokens: int | None = None,
        progress: Callable[[Progress], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> SyncReport:
        """Bring a release to the log's head as of now: the first time and every other.

        Whatever ends it early (``stop``, a pause, a freeze, the budget, a crash), the next
        call goes on from there.
        """
        return catchup.bring_into_step(
            self._session,
            self._name,
            release_name(release),
            budget_tokens=budget_tokens,
            progress=progress,
            stop=stop,
        )

    def diff(self, release: str) -> DiffReport:
        """Return how a release differs from the log at its watermark, document by document."""
        return comparing.with_the_log(self._session, self._name, release_name(release))

    def diff_releases(self, a: str, b: str) -> ReleasesReport:
        """Return which documents two releases hold differently."""
        names = release_name(a), release_name(b)
        return comparing.with_each_other(self._session, self._name, *names)

    def repair(self, release: str) -> int:
        """Write again what differs from the log; return how many documents that were."""
        return comparing.repair(self._session, self._name, release_name(release))

    def follow(self) -> Follower:
        """Start a worker that keeps every live release in step until it is closed."""
        return catchup.follow(self._session, self._name)

    def purge_tombstones(self, *, retention: timedelta | None = None) -> int:
        """Remove tombstones that every live release has passed; return how many.

        Only those whose retention is over, by default the workspace's.
        """
        kept = retention or self._workspace.config.tombstone_retention
        return catchup.purge(self._session, self._name, retention=kept)

    def set_pace(
        self, release: str, *, paused: bool | None = None, throttle: float | None = None
    ) -> None:
        """Pause or resume a release's backfill, or limit its rows a second; 0 is no limit."""
        name = release_name(release)
        releases.set_pace(self._session, self._name, name, paused=paused, throttle=throttle)

    def dead_letters(self, release: str) -> list[DeadLetter]:
        """Return the documents that a release could not take, and why."""
        return catchup.dead_letters(self._session, self._name, release_name(release))

    def retry_dead_letters(self, release: str) -> AppliedNow:
        """Give a release's dead letters to its model once more."""
        return catchup.retry_dead_letters(self._session, self._name, release_name(release))

    def settle(self, *, seconds: float) -> None:
        """Wait at most so long until every live release has what this process wrote."""
        self._keeper.settle(seconds=seconds)

    # Moves

    def promote(
        self, release: str, *, reason: str = "", options: PromoteOptions | None = None
    ) -> PromoteReport:
        """Move the pointer to a release that is ready."""
        from repoint.operations.evaluate import StoredEvaluations  # noqa: PLC0415 - as judging

        return promote.promote(
            self._session,
            self._name,
            release_name(release),
            reason=reason,
            evaluations=StoredEvaluations(self._session),
            options=options or PromoteOptions(),
        )

    def rollback(
        self,
        *,
        reason: str,
        replay: Replay | str = Replay.AUTO,
        options: RollbackOptions | None = None,
    ) -> RollbackReport:
        """Move the pointer back to the fallback, and prove that it answers as before."""
        return rollback.rollback(
            self._session,
            self._name,
            reason=reason,
            options=options or RollbackOptions(replay=Replay(replay)),
        )

    def freeze(self, *, reason: str = "") -> Freeze:
        """Let nothing move forward; going back stays possible."""
        return freeze.freeze(self._session, self._name, reason=reason)

    def unfreeze(self, *, reason: str = "") -> bool:
        """Let things move forward again."""
        return freeze.unfreeze(self._session, self._name, reason=reason)

    def accept(self, release: str, *, reason: str = "") -> Pointer:
        """End the soak of the active release; its fallback is let go."""
        pointer, _ = ending.accept(
            self._session,
            self._name,
            release_name(release),
            reason=reason,
            ack_timeout=timedelta(seconds=5),
        )
        return pointer

    def abort(self, *, reason: str = "") -> str:
        """End the open rollout before any move; return its release."""
        return ending.abort(self._session, self._name, reason=reason)

    def retire(self, release: str, *, reason: str = "") -> None:
        """Stop keeping a release in step, so that it may be dropped."""
        ending.retire(self._session, self._name, release_name(release), reason=reason)

    def drop(self, release: str, *, reason: str = "", fate: Fate | None = None) -> None:
        """Delete a retired release's collection; an adopted one as its ``fate`` says."""
        name = release_name(release)
        ending.drop(self._session, self._name, name, reason=reason, fate=fate)

    @property
    def adopted(self) -> Adopted:
        """What was done to an adopted collection without repoint, and taking it in."""
        from repoint.client.adopting import Adopted  # noqa: PLC0415 - as judging

        return Adopted(self._session, self._name)

    def grants(self, release: str) -> PrivilegesReport:
        """Return which grants of its database a move to a release needs, and which lack."""
        return privileges.check(self._session, self._name, release_name(release))

    def place_hold(self, release: str, *, reason: str) -> Hold:
        """Forbid dropping a release until somebody lifts it."""
        name = release_name(release)
        return ending.place_hold(self._session, self._name, name, reason=reason)

    def lift_holds(self, release: str, *, reason: str = "") -> int:
        """Let a held release be dropped."""
        name = release_name(release)
        return ending.lift_holds(self._session, self._name, name, reason=reason)

    def _write(self, changes: Sequence[Document | DocumentId], wait: Wait) -> Appended:
        if wait is not None:
            self._keeper.require_waitable(wait)  # before the write: refused means nothing done
        done = documents.write(self._session, self._name, changes)
        self._keeper.wake()
        self.wait(wait)
        return done


def _located(error: BadSpecError, spec: Path | str) -> BadSpecError:
    from repoint.wiring.spec_file import located  # noqa: PLC0415 - as below

    return located(error, spec)


def _loaded(spec: Path | str) -> ReleaseSpec:
    from repoint.wiring.spec_file import load_spec  # noqa: PLC0415 - loads pydantic and YAML

    return load_spec(spec)
