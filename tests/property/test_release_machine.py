"""Whatever happens in whatever order, INV-1 to INV-10 hold, and a plain model agrees."""

import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Final

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from repoint.domain.audit import AuditRecord, Outcome
from repoint.domain.canary import Canary
from repoint.domain.document import Document, Entry
from repoint.domain.errors import (
    ConflictError,
    FrozenError,
    HeldError,
    NotPermittedError,
    RefusedError,
    RefusedMoveError,
    RepointError,
)
from repoint.domain.ids import Actor, DocumentId, ReleaseName
from repoint.domain.operation import OperationKind
from repoint.domain.release import ReleaseState
from repoint.domain.rollout import Phase
from repoint.operations import documents, ending, freeze, reconcile, releases
from repoint.operations.probing import DOCUMENT_SENTINELS
from repoint.operations.query import ask
from repoint.operations.session import Session
from repoint.operations.spaces import Space
from repoint.operations.sync import Limits, purge_tombstones, sync
from repoint.ports.backend import Collection, SpaceMatrix
from repoint.ports.embedder import Purpose
from repoint.testing import invariants
from repoint.testing.faults import Fuse, FusedCollection, FusedStore, PowerCut
from repoint.testing.stage import INDEX, Stage, document

NAMES: Final = ("v1", "v2", "v3")
#: So small that a few documents make several windows.
SMALL: Final = Limits(range_rows=2, ranges=2, slab_texts=3, hands=1)
RETENTION: Final = timedelta(hours=1)
WORDS: Final = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu"

ids = st.integers(0, 6).map(lambda number: f"d{number}")
texts = st.tuples(st.integers(0, len(WORDS)), st.integers(0, 3)).map(
    lambda drawn: f"{WORDS[: drawn[0]]} {drawn[1]}" if drawn[0] else ""
)
names = st.sampled_from(NAMES)
operators = st.integers(0, 1)


@dataclass
class Model:
    """What should be, in the plainest words."""

    written: dict[str, Document | None] = field(default_factory=dict)
    epoch: int = 0
    active: str | None = None
    fallback: str | None = None
    soaking: str | None = None
    frozen: bool = False
    states: dict[str, ReleaseState] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    #: Who answers a share of the keys.
    canary: Canary | None = None
    #: Deleted, and applied by whoever answered at the time.
    gone: set[str] = field(default_factory=set)
    #: Erased, and not written again since.
    erased: set[str] = field(default_factory=set)
    marks: dict[str, int] = field(default_factory=dict)

    def promoted(self, name: str) -> None:
        """Let a release answer, with who answered before behind it."""
        self.epoch, self.fallback, self.active = self.epoch + 1, self.active, name
        self.soaking = name if self.fallback else None
        self.canary = None

    def rolled_back(self, *, frozen: bool) -> None:
        """Let the fallback answer, with nothing behind it and the failed one held."""
        assert self.active is not None
        self.frozen = frozen
        if self.canary is not None:
            self.held.add(self.canary.release)
            self.epoch, self.canary = self.epoch + 1, None
            return
        self.held.add(self.active)
        self.epoch, self.active, self.fallback = self.epoch + 1, self.fallback, None
        self.soaking = None


class LatePuts(FusedCollection):
    """A collection whose writes leave the worker and arrive when the test says so."""

    def __init__(self, collection: Collection, fuse: Fuse) -> None:
        super().__init__(collection, fuse)
        self._real = collection
        self._stalled_by = fuse
        self.under_way: list[Callable[[], None]] = []

    def put(self, entries: Sequence[Entry], vectors: SpaceMatrix) -> None:
        """Send it off, and stall for good."""
        self.under_way.append(lambda: self._real.put(entries, vectors))
        self._stalled_by.cut = "put"
        raise PowerCut


@cache
def template() -> Stage:
    """Return an empty stage, made once: making its schema takes longest."""
    folder = tempfile.mkdtemp(prefix="repoint-machine-")
    return Stage(folder=Path(folder) / "template")


def sweep() -> None:
    """Leave nothing of the template behind."""
    template().store.close()
    shutil.rmtree(template().folder.parent)
    template.cache_clear()


@pytest.fixture(scope="module", autouse=True)
def _no_folder_stays_behind() -> Iterator[None]:
    yield
    sweep()


class ReleaseMachine(RuleBasedStateMachine):
    """Two operators, a clock, crashes, stalled workers and a stranger."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory(prefix="repoint-machine-")
        self.stage = template().twin(Path(self._folder.name) / "stage")
        self.operators = [self.stage.open(), self.stage.open()]
        self.model = Model()
        self.late: list[Callable[[], None]] = []

    def teardown(self) -> None:
        self.stage.store.close()
        self._folder.cleanup()

    @initialize(first=st.lists(st.tuples(ids, texts), min_size=3, max_size=7))
    def begin(self, first: list[tuple[str, str]]) -> None:
        self.write(0, first)
        for seed, name in enumerate(NAMES[:2], start=1):
            self.stage.create(name, seed=seed, chunk=12 if seed == 1 else 20)
            self.model.states[name] = ReleaseState.CREATED
            self.revive(name)
        self.promote(0, "v1")

    # Documents

    @rule(who=operators, changes=st.lists(st.tuples(ids, texts), min_size=1, max_size=4))
    def write(self, who: int, changes: list[tuple[str, str]]) -> None:
        made = {name: document(name, text) for name, text in changes}
        self.stage.clock.advance(timedelta(milliseconds=1))
        documents.write(self.operators[who], INDEX, list(made.values()))
        self.model.written |= made
        self.model.erased -= made.keys()
        self.model.gone -= made.keys()

    @rule(who=operators, name=ids, group=st.sampled_from(["a", "b", "c"]))
    def edit_metadata(self, who: int, name: str, group: str) -> None:
        before = self.model.written.get(name)
        if before is not None:
            after = document(name, before.text, group=group)
            documents.write(self.operators[who], INDEX, [after])
            self.model.written[name] = after

    @rule(who=operators, gone=st.lists(ids, min_size=1, max_size=3))
    def delete(self, who: int, gone: list[str]) -> None:
        documents.write(self.operators[who], INDEX, [DocumentId(one) for one in gone])
        self.model.written |= dict.fromkeys(gone)

    @rule()
    def purge(self) -> None:
        # Nothing is on its way for as long as a tombstone is kept: that is what it is for.
        self.late.clear()
        self.stage.clock.advance(RETENTION + timedelta(minutes=1))
        purge_tombstones(
            self.stage.store,
            self.stage.session.spaces,
            INDEX,
            clock=self.stage.clock,
            retention=RETENTION,
        )

    # Sync

    @rule(who=operators, name=names, looks=st.integers(0, 12) | st.none())
    def sync(self, who: int, name: str, looks: int | None) -> None:
        if self.model.states.get(name) is not ReleaseState.LIVE:
            return
        left = iter(range(looks)) if looks is not None else None
        session = self.operators[who]
        with suppressed(FrozenError):
            sync(
                self.stage.store,
                session.spaces.open(self.stage.release(name)),
                owner=session.process.id,
                clock=self.stage.clock,
                limits=SMALL,
                stop=lambda: left is not None and next(left, None) is None,
            )

    @rule(name=names)
    def stall(self, name: str) -> None:
        """Stall a worker between its declaration and the arrival of its write."""
        if self.model.states.get(name) is not ReleaseState.LIVE:
            return
        fuse = Fuse(10_000, after=False)
        session, space = self.stage.open(), self.stage.space(name)
        collection = LatePuts(space.collection, fuse)
        with suppressed(PowerCut, FrozenError):
            sync(
                FusedStore(self.stage.store, fuse),
                with_collection(space, collection),
                owner=session.process.id,
                clock=self.stage.clock,
                limits=SMALL,
            )
        self.late += collection.under_way

    @precondition(lambda self: self.late)
    @rule()
    def arrive(self) -> None:
        """Let the oldest write that is on its way arrive."""
        self.late.pop(0)()

    @rule(name=st.sampled_from(NAMES))
    def revive(self, name: str) -> None:
        if self.model.states.get(name) is not ReleaseState.CREATED:
            return
        if self.model.frozen:
            with pytest.raises(FrozenError):
                releases.bring_to_life(self.stage.session, INDEX, ReleaseName(name))
            return
        releases.bring_to_life(self.stage.session, INDEX, ReleaseName(name))
        self.model.states[name] = ReleaseState.LIVE
        self.sync(0, name, None)

    @rule()
    def create(self) -> None:
        if "v3" not in self.model.states:
            self.stage.create("v3", seed=3, chunk=None)
            self.model.states["v3"] = ReleaseState.CREATED

    # Moves

    @rule(who=operators, name=names)
    def promote(self, who: int, name: str) -> None:
        model = self.model
        opened = self.rollout()
        may = (
            model.states.get(name) is ReleaseState.LIVE
            and not model.frozen
            and model.active != name
            and opened in {None, name}
        )
        if not may:
            with pytest.raises((RefusedError, ConflictError)):
                self.stage.promote(name, by=self.operators[who])
            return
        report = self.stage.promote(name, by=self.operators[who])
        model.promoted(name)
        assert report.epoch == model.epoch

    @rule(who=operators)
    def roll_back(self, who: int) -> None:
        model = self.model
        back_to = model.active if model.canary else model.fallback
        if back_to is None:
            with pytest.raises(RefusedMoveError):
                self.stage.rollback(by=self.operators[who])
            return
        with self.inv_5(back_to):
            report = self.stage.rollback(by=self.operators[who])
        assert report.verified, report.findings
        model.rolled_back(frozen=model.frozen)
        assert report.epoch == model.epoch

    @rule(who=operators, name=names)
    def accept(self, who: int, name: str) -> None:
        model = self.model
        if model.frozen or model.active != name or model.fallback is None:
            with pytest.raises((RefusedError, ConflictError)):
                self.stage.accept(name, by=self.operators[who])
            return
        self.stage.accept(name, by=self.operators[who])
        model.epoch, model.fallback, model.soaking = model.epoch + 1, None, None

    @rule(who=operators)
    def abort(self, who: int) -> None:
        if self.rollout() is None or self.model.soaking:
            with pytest.raises(RefusedError):
                ending.abort(self.operators[who], INDEX, reason="no more")
            return
        ending.abort(self.operators[who], INDEX, reason="no more")
        self.model.epoch += self.model.canary is not None
        self.model.canary = None

    @rule(who=operators, name=names)
    def retire(self, who: int, name: str) -> None:
        model = self.model
        needed = {model.active, model.fallback, self.rollout()}
        if name not in model.states or model.frozen or name in needed:
            with pytest.raises(RefusedError):
                self.stage.retire(name, by=self.operators[who])
            return
        self.stage.retire(name, by=self.operators[who])
        if model.states[name] is not ReleaseState.DROPPED:
            model.states[name] = ReleaseState.RETIRED

    @rule(who=operators, name=names)
    def drop(self, who: int, name: str) -> None:
        model = self.model
        retired = model.states.get(name) in {ReleaseState.RETIRED, ReleaseState.DROPPED}
        if not retired or model.frozen or name in model.held:
            with pytest.raises((HeldError, RefusedError)):
                self.stage.drop(name, by=self.operators[who])
            return
        self.stage.drop(name, by=self.operators[who])
        model.states[name] = ReleaseState.DROPPED

    @rule(name=names)
    def lift_holds(self, name: str) -> None:
        if name in self.model.states:
            ending.lift_holds(self.stage.session, INDEX, ReleaseName(name), reason="studied")
            self.model.held.discard(name)

    @rule(who=operators, on=st.booleans())
    def freeze(self, who: int, *, on: bool) -> None:
        if on:
            freeze.freeze(self.operators[who], INDEX, reason="wait")
        else:
            freeze.unfreeze(self.operators[who], INDEX)
        self.model.frozen = on

    # Trouble

    @rule(
        what=st.sampled_from(
            [kind for kind in OperationKind if kind is not OperationKind.CANARY]
        ),
        name=names,
        at=st.integers(1, 40),
        after=st.booleans(),
        mend=st.booleans(),
    )
    def crash(
        self, what: OperationKind, name: str, at: int, *, after: bool, mend: bool
    ) -> None:
        """Cut the power within a move; somebody reconciles, or the next command does."""
        verbs: dict[OperationKind, Callable[[Session], object]] = {
            OperationKind.PROMOTE: lambda dying: self.stage.promote(name, by=dying),
            OperationKind.ROLLBACK: lambda dying: self.stage.rollback(by=dying),
            OperationKind.ACCEPT: lambda dying: self.stage.accept(name, by=dying),
            OperationKind.DROP: lambda dying: self.stage.drop(name, by=dying),
        }
        self.cut(verbs[what], Fuse(at, after=after), mend=mend)
        self._learn(what, name)

    def cut(self, verb: Callable[[Session], object], fuse: Fuse, *, mend: bool) -> None:
        """Let a process die within a verb, and another one find what it left."""
        dying = self.stage.open(fuse=fuse)
        with suppressed(PowerCut, RepointError):
            verb(dying)
        self.stage.kill(dying)
        if mend:
            _, left = reconcile.reconcile(self.operators[0])
            assert left == [], fuse
        else:
            reconcile.clear_the_way(self.operators[1], INDEX)

    def _learn(self, what: OperationKind, name: str) -> None:
        """Take over what the operation came to: all of it, or nothing."""
        with self.stage.store.read() as view:
            epoch = view.pointers.pointer(INDEX).epoch
            state = (
                view.releases.get(INDEX, ReleaseName(name)).state
                if (name in self.model.states)
                else None
            )
        if what is OperationKind.DROP:
            if state is ReleaseState.DROPPED:
                self.model.states[name] = ReleaseState.DROPPED
        elif epoch != self.model.epoch:
            if what is OperationKind.PROMOTE:
                self.model.promoted(name)
            elif what is OperationKind.ROLLBACK:
                self.model.rolled_back(frozen=self.model.frozen)
            else:
                self.model.epoch += 1
                self.model.fallback = self.model.soaking = None

    @rule(what=st.sampled_from(["promote", "rollback", "drop", "write", "freeze", "accept"]))
    def inv_10(self, what: str) -> None:
        """Let a stranger try: nothing changes, and it is recorded as denied."""
        stranger = self.stage.open(Actor("eve"), is_owner=False)
        verbs: dict[str, Callable[[], object]] = {
            "promote": lambda: self.stage.promote("v2", by=stranger),
            "rollback": lambda: self.stage.rollback(by=stranger),
            "drop": lambda: self.stage.drop("v1", by=stranger),
            "write": lambda: documents.write(stranger, INDEX, [DocumentId("d1")]),
            "freeze": lambda: freeze.freeze(stranger, INDEX, reason="mine"),
            "accept": lambda: self.stage.accept("v1", by=stranger),
        }
        before, records = self._tables(), self._records()
        with pytest.raises(NotPermittedError):
            verbs[what]()
        assert self._tables() == before, f"INV-10: a denied {what} changed something"
        told = self._records()[len(records) :]
        assert [(one.actor, one.outcome) for one in told] == [("eve", Outcome.DENIED)]

    # What must always hold

    @invariant()
    def inv_1_to_9(self) -> None:
        stage = self.stage
        found = [
            *invariants.broken(
                stage.store, stage.session.spaces, INDEX, written=self.model.written
            ),
            *invariants.settled(stage.store, stage.session.spaces, INDEX),
        ]
        assert found == []

    @invariant()
    def inv_3_no_watermark_falls(self) -> None:
        with self.stage.store.read() as view:
            for name in self.model.states:
                mark = view.catchup.watermark(INDEX, ReleaseName(name))
                assert mark >= self.model.marks.get(name, 0), f"INV-3: {name}"
                self.model.marks[name] = mark

    @invariant()
    def inv_6_what_was_gone_stays_gone(self) -> None:
        model = self.model
        if model.active is None:
            return
        model.gone |= self._applied(model.active)
        assert not (back := model.gone & self._found(model.active)), f"INV-6: {back}"
        if model.canary is not None:
            tried = model.canary.release
            back = self._applied(tried) & self._found(tried)
            assert not back, f"INV-6: the canary {tried} returns {back}"

    def _applied(self, name: str) -> set[str]:
        """Return the documents whose delete a release has applied."""
        deleted = [DocumentId(n) for n, one in self.model.written.items() if one is None]
        with self.stage.store.read() as view:
            mark = view.catchup.watermark(INDEX, ReleaseName(name))
            rows = view.log.get(INDEX, deleted)
        return {n for n in deleted if n not in rows or rows[n].lsn <= mark}

    def _found(self, name: str) -> set[str]:
        hits, _ = ask(self.stage.space(name), WORDS, limit=50, clock=self.stage.clock)
        return {str(hit.document) for hit in hits}

    @invariant()
    def the_model_agrees(self) -> None:
        model = self.model
        with self.stage.store.read() as view:
            pointer = view.pointers.pointer(INDEX)
            rollout = view.pointers.rollout(INDEX)
            assert (view.indexes.frozen(INDEX) is not None) == model.frozen
            assert {hold.release for hold in view.access.holds(INDEX)} == model.held
            states = {one.name: one.state for one in view.releases.all(INDEX)}
        assert (pointer.epoch, pointer.active, pointer.fallback, pointer.canary) == (
            model.epoch,
            model.active,
            model.fallback,
            model.canary,
        )
        soaking = rollout.release if rollout and rollout.phase is Phase.SOAKING else None
        assert soaking == model.soaking
        assert states == model.states

    # The machine's own eyes

    def rollout(self) -> str | None:
        with self.stage.store.read() as view:
            rollout = view.pointers.rollout(INDEX)
        return rollout.release if rollout else None

    @contextmanager
    def inv_5(self, fallback: str) -> Iterator[None]:
        """Check that nothing but the lag and the probes is embedded as documents."""
        space, models = self.stage.space(fallback), self.stage.drivers.models.values()
        with self.stage.store.read() as view:
            mark = view.catchup.watermark(INDEX, ReleaseName(fallback))
            rows = view.log.rows(INDEX, above=mark, upto=view.log.head(INDEX))
        allowed = {
            chunk.text
            for r in rows
            if r.document
            for chunk in space.preparer.prepare(r.document)
        }
        before = {id(model): len(model.embedded) for model in models}
        yield
        for model in models:
            for purpose, text in model.embedded[before[id(model)] :]:
                embedded = purpose is Purpose.DOCUMENT and text not in DOCUMENT_SENTINELS
                assert not embedded or text in allowed, f"INV-5: a rollback embedded {text!r}"

    def _tables(self) -> dict[str, list[tuple[object, ...]]]:
        with closing(sqlite3.connect(self.stage.folder / "control.db")) as connection:
            tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
            return {
                name: connection.execute(f"SELECT * FROM {name}").fetchall()  # noqa: S608
                for (name,) in tables.fetchall()
                if name not in {"audit", "sqlite_sequence"}
            }

    def _records(self) -> list[AuditRecord]:
        with self.stage.store.read() as view:
            return list(view.audit.records())


@contextmanager
def suppressed(*kinds: type[BaseException]) -> Iterator[None]:
    """Go on after these, a power cut too."""
    try:
        yield
    except kinds:
        return


def with_collection(space: Space, collection: Collection) -> Space:
    """Return the space with another collection in place of its own."""
    return Space(
        release=space.release,
        collection=collection,
        embedding=space.embedding,
        preparer=space.preparer,
    )


def test_no_order_of_events_breaks_an_invariant() -> None:
    search(ReleaseMachine, part=8)


@pytest.mark.campaign
@pytest.mark.timeout(0)
def test_no_order_of_events_breaks_an_invariant_for_a_long_time(
    campaign_seconds: float,
) -> None:
    search_for(ReleaseMachine, campaign_seconds)


def search(machine: type[ReleaseMachine], *, part: int) -> None:
    """Try orders of events, so many as are a part of what a property has."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=max(3, settings().max_examples // part),
            stateful_step_count=25,
            suppress_health_check=list(HealthCheck),
        ),
    )


def search_for(machine: type[ReleaseMachine], seconds: float) -> None:
    """Try longer orders, until the time is over."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=20,
                stateful_step_count=60,
                derandomize=False,
                suppress_health_check=list(HealthCheck),
            ),
        )
