"""One index of a workspace: write, search, move."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from repoint.client import catchup, comparing
from repoint.client.erasing import Erasing
from repoint.client.keeping import Keeper
from repoint.domain import filter_syntax
from repoint.domain.access import Action
from repoint.domain.catchup import DeadLetter
from repoint.domain.document import Document, Json
from repoint.domain.errors import UnknownFieldError
from repoint.domain.filters import Filter, Scalar
from repoint.domain.ids import DocumentId, IndexName, release_name
from repoint.domain.operation import Freeze
from repoint.domain.pointer import Move, Pointer
from repoint.domain.readiness import Finding
from repoint.domain.release import Release
from repoint.domain.spec import ReleaseSpec
from repoint.operations import (
    check,
    documents,
    ending,
    freeze,
    promote,
    query,
    releases,
    rollback,
    status,
)
from repoint.operations.diff import DiffReport
from repoint.operations.diff_releases import ReleasesReport
from repoint.operations.promote import PromoteOptions, PromoteReport
from repoint.operations.query import Answer
from repoint.operations.rollback import Replay, RollbackOptions, RollbackReport
from repoint.operations.routing import Route
from repoint.operations.session import authorise
from repoint.operations.status import IndexStatus
from repoint.operations.sync import AppliedNow, Follower, Progress, SyncPlan, SyncReport
from repoint.ports.store import Appended
from repoint.sources.files.record import document_of
from repoint.wiring.workspace import Workspace

if TYPE_CHECKING:
    from repoint.client.bridging import Bridging
    from repoint.client.judging import Judging

#: What a writer waits for besides the log: nothing, the release that answers, every live one.
Wait: TypeAlias = Literal["active", "all"] | None


#: A filter as fields and the values that each may have.
Conditions: TypeAlias = Mapping[str, Scalar | Sequence[Scalar]]


class Index(Erasing):
    """An index by name. Safe to use from many threads; cheap to make."""

    def __init__(self, workspace: Workspace, name: IndexName, *, keeper: Keeper) -> None:
        self._workspace = workspace
        self._session = workspace.session
        self._name = name
        self._keeper = keeper
        self._may_read = False

    @property
    def name(self) -> str:
        """The index's stable name."""
        return self._name

    # Documents

    def upsert(
        self, documents_: Iterable[Mapping[str, Json] | Document], *, wait: Wait = None
    ) -> Appended:
        """Write documents; once this returns, they are durable in the log.

        Each is a mapping with ``id``, ``text`` and optionally ``title`` and ``metadata``.
        All are written as one. ``wait`` also waits until the active release, or every live
        one, has them.

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

    # Reading

    def search(
        self,
        text: str,
        *,
        k: int = 10,
        filter: str | Conditions | Filter | None = None,  # noqa: A002 - the field's word
        release: str | None = None,
    ) -> Answer:
        """Return the best ``k`` documents of whoever answers now, stamped with who it was.

        ``filter`` is text (``group = "x" and year >= 2020``), a mapping of fields to values,
        or a tree. ``release`` asks a live release by name, past the pointer.

        Raises:
            RefusedMoveError: nothing was promoted yet.
            BadFilterError, UnknownFieldError: the filter cannot be applied.
            UnconfirmedRouteError: this process cannot tell who answers.
        """
        self._authorise_reading()
        where = self._filter(filter)
        clock = self._session.clock
        if release is None:
            router, began = self._workspace.router, clock.monotonic()
            route = router.resolve(self._name)
            answer = query.search(route, text, limit=k, where=where, clock=clock)
            router.confirm(route, since=began)
            return answer
        space = self._session.spaces.open(self.release(release))
        hits, timings = query.ask(space, text, limit=k, where=where, clock=clock)
        return Answer(
            index=self._name, release=space.release.name, epoch=None, hits=hits, timings=timings
        )

    def route(self) -> Route:
        """Return who answers now: release, epoch, collection and ``embed_query`` as one.

        For applications that search with their own client. Ask for it anew for every
        query; it costs microseconds.
        """
        self._authorise_reading()
        return self._workspace.router.resolve(self._name)

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
            BadSpecError: the YAML is no spec; the error names line and field.
            AlreadyExistsError: the name is taken.
            MissingModelError: the model cannot be opened here.
        """
        whole = spec if isinstance(spec, ReleaseSpec) else _loaded(spec)
        return releases.create(
            self._session, self._name, release_name(name), whole, self._workspace.drivers
        )

    def release(self, name: str) -> Release:
        """Return a release by name."""
        self._authorise_reading()
        with self._session.store.read() as view:
            return view.releases.get(self._name, release_name(name))

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
        return comparing.with_each_other(
            self._session, self._name, release_name(a), release_name(b)
        )

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
        releases.set_pace(
            self._session, self._name, release_name(release), paused=paused, throttle=throttle
        )

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

    def drop(self, release: str, *, reason: str = "") -> None:
        """Delete a retired release's collection."""
        ending.drop(self._session, self._name, release_name(release), reason=reason)

    def lift_holds(self, release: str, *, reason: str = "") -> int:
        """Let a held release be dropped."""
        return ending.lift_holds(
            self._session, self._name, release_name(release), reason=reason
        )

    def _write(self, changes: Sequence[Document | DocumentId], wait: Wait) -> Appended:
        if wait is not None:
            self._keeper.require_waitable(wait)  # before the write: refused means nothing done
        done = documents.write(self._session, self._name, changes)
        self._keeper.wake()
        self.wait(wait)
        return done

    def _authorise_reading(self) -> None:
        if not self._may_read:  # once a handle: roles are not looked up on the hot path
            authorise(self._session, Action.READ, self._name)
            self._may_read = True

    def _filter(self, given: str | Conditions | Filter | None) -> Filter | None:
        if given is None:
            return None
        if isinstance(given, str):
            where = filter_syntax.parse(given)
        elif isinstance(given, Mapping):
            where = filter_syntax.from_mapping(given)
        else:
            where = given
        router = self._workspace.router
        try:
            filter_syntax.check(where, router.fields(self._name), index=self._name)
        except UnknownFieldError:  # a field that came after this process last looked
            filter_syntax.check(where, router.fields(self._name, fresh=True), index=self._name)
        return where


def _loaded(spec: Path | str) -> ReleaseSpec:
    from repoint.wiring.spec_file import load_spec  # noqa: PLC0415 - loads pydantic and YAML

    return load_spec(spec)
