"""A whole repoint on one stage: many sessions, each its own process, on one folder.

For tests of moves: every session is a person in a process of their own; processes die when
the test says so; the clock moves when the test says so; the models do what it says, too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from repoint.backends.memory import MemoryBackend, MemoryCollection
from repoint.domain.document import Document, Json, Metadata
from repoint.domain.errors import NotFoundError, UnavailableError
from repoint.domain.ids import (
    Actor,
    DocumentId,
    Epoch,
    IndexName,
    Lsn,
    ProcessId,
    ReleaseName,
)
from repoint.domain.operation import Process
from repoint.domain.readiness import Finding
from repoint.domain.release import Release
from repoint.domain.spec import ChunkingSpec, ModelSpec, ReleaseSpec, RerankSpec
from repoint.embedders.hashing import HashingEmbedder
from repoint.operations import canary, ending, promote, releases, rollback
from repoint.operations.canary import CanaryReport
from repoint.operations.in_step import catch_up
from repoint.operations.originals import Originals
from repoint.operations.promote import PromoteOptions, PromoteReport
from repoint.operations.rollback import RollbackOptions, RollbackReport
from repoint.operations.session import Session
from repoint.operations.spaces import Space, Spaces
from repoint.ports.backend import FloatMatrix
from repoint.ports.embedder import EmbedderTraits, Purpose
from repoint.ports.reranker import Reranker
from repoint.ports.store import Store
from repoint.sources.files.places import Places
from repoint.stores.sql.sqlite import SqliteStore
from repoint.testing.clock import FrozenClock
from repoint.testing.faults import Fuse, FusedArchive, FusedDrivers, FusedStore
from repoint.text.preparation import Preparation
from repoint.wiring.archive import FolderArchive
from repoint.wiring.judges import ConfiguredJudges
from repoint.wiring.sources import open_reader

INDEX: Final = IndexName("docs")
OWNER: Final = Actor("ana")
#: Longer texts are cut, so that documents have several chunks and shrink and grow.
CHUNK: Final = 24
DIMENSIONS: Final = 16
#: As long as a serving process answers without confirming.
LEASE: Final = timedelta(seconds=10)
#: No candidate of these tests was measured.
UNMEASURED: Final = PromoteOptions(without_evaluation="a test")

Content = Mapping[str, str | Document | None]


class StageModel:
    """A hashing model in a provider that the test controls."""

    def __init__(self, *, dimensions: int, seed: int) -> None:
        self._model = HashingEmbedder(dimensions=dimensions, seed=seed)
        #: Every text embedded, with its purpose, in order.
        self.embedded: list[tuple[Purpose, str]] = []
        #: No call is answered.
        self.down = False
        #: After so many more calls it goes down.
        self.survives: int | None = None
        #: It answers as another model would, under the same name.
        self.changed = False

    @property
    def dimensions(self) -> int:
        """The model's."""
        return self._model.dimensions

    @property
    def revision(self) -> str:
        """The model's: it does not tell that it was changed."""
        return self._model.revision

    @property
    def traits(self) -> EmbedderTraits:
        """The model's, in small batches and one call at a time."""
        return replace(self._model.traits, batch=8, parallel=1)

    def embed(self, texts: Sequence[str], *, purpose: Purpose) -> FloatMatrix:
        """Embed, if it is up.

        Raises:
            UnavailableError: the test wants it so.
        """
        if self.survives is not None:
            self.down = self.survives <= 0
            self.survives -= 1
        if self.down:
            raise UnavailableError("the model's provider does not answer")
        self.embedded += [(purpose, text) for text in texts]
        vectors = self._model.embed(texts, purpose=purpose)
        return vectors[:, ::-1].copy() if self.changed else vectors

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the number of words."""
        return self._model.count_tokens(texts)

    def close(self) -> None:
        """Close the model."""
        self._model.close()


class StageDrivers:
    """Opens the one backend, and models by their seed."""

    def __init__(self, backend: StageBackend) -> None:
        self._backend = backend
        self.models: dict[int, StageModel] = {}

    def backend(self, name: str) -> StageBackend:
        """Return the backend, whatever its name."""
        del name
        return self._backend

    def alias(self, backend: str, index: IndexName) -> str:
        """Return the index's own name."""
        del backend
        return index

    def embedder(self, model: ModelSpec) -> StageModel:
        """Return the model of the spec's seed."""
        seed = int(model.options.get("seed", 0))
        if seed not in self.models:
            self.models[seed] = StageModel(dimensions=model.dimensions, seed=seed)
        return self.models[seed]

    def reranker(self, spec: RerankSpec) -> Reranker:
        """Refuse: no release of these tests reranks.

        Raises:
            NotFoundError: always.
        """
        raise NotFoundError(what="provider", name=spec.provider)

    def preparer(self, spec: ReleaseSpec) -> Preparation:
        """Return the real preparation."""
        return Preparation.of(spec)

    def close(self) -> None:
        """Do nothing: the models stay."""


class StageBackend(MemoryBackend):
    """The exact backend, which can be copied as a disk can."""

    def copy(self) -> StageBackend:
        """Return a backend with the same collections and aliases, that shares nothing."""
        twin = StageBackend()
        twin._aliases = dict(self._aliases)
        for name, collection in self._collections.items():
            made = MemoryCollection(collection.spec)
            made._slots = {  # noqa: SLF001 - a copy has what nobody can ask for: emptied slots
                document: dict(slots)
                for document, slots in collection._slots.items()  # noqa: SLF001 - as above
            }
            twin._collections[name] = made
        return twin


class StageHost:
    """One machine whose processes die when the test says so."""

    def __init__(self) -> None:
        self.dead: set[int] = set()
        #: The digest of each of its files.
        self.files: dict[str, str] = {}

    @property
    def name(self) -> str:
        """The only machine there is."""
        return "stage"

    def digest(self, path: str) -> str | None:
        """Return what the test says of the file."""
        return self.files.get(path)

    def runs(self, pid: int, *, started_at: datetime) -> bool:
        """Return whether nobody said that it died."""
        del started_at
        return pid not in self.dead


class CountedIds:
    """Identifiers in order."""

    def __init__(self) -> None:
        self._next = count(1)

    def new(self) -> str:
        """Return the next one."""
        return f"{next(self._next):032x}"


class Unmeasured:
    """Nobody measured any release."""

    def verdict(
        self, index: IndexName, release: ReleaseName, *, against: ReleaseName | None
    ) -> Sequence[Finding]:
        """Return nothing."""
        del index, release, against
        return []


@dataclass(kw_only=True)
class Stage:
    """One folder, one backend, one clock; as many sessions as the test needs."""

    folder: Path
    clock: FrozenClock = field(default_factory=FrozenClock)
    backend: StageBackend = field(default_factory=StageBackend)
    host: StageHost = field(default_factory=StageHost)
    ids: CountedIds = field(default_factory=CountedIds)
    pids: count[int] = field(default_factory=lambda: count(1000))
    #: Opens the control store; None: one in a file of the folder.
    opening: Callable[[], Store] | None = None

    def __post_init__(self) -> None:
        """Open the store, and an index in it if it is new."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.store: Store = (
            self.opening()
            if self.opening
            else SqliteStore.open(self.folder / "control.db", clock=self.clock)
        )
        self.drivers = StageDrivers(self.backend)
        with self.store.begin() as tx:
            if INDEX not in tx.indexes.names():
                tx.indexes.create(INDEX, at=self.clock.now())
        #: The test's own eyes and hands: the owner, in a process that never dies.
        self.session = self.open()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.store.close()

    def open(
        self,
        actor: Actor = OWNER,
        *,
        fuse: Fuse | None = None,
        views: bool = False,
        is_owner: bool = True,
    ) -> Session:
        """Return a session in a process of its own, all of whose calls go through the fuse."""
        pid = next(self.pids)
        process = Process(
            id=ProcessId(f"process-{pid}"),
            host=self.host.name,
            pid=pid,
            started_at=self.clock.now(),
            program="test",
            lease_until=self.clock.now(),
            serves={},
        )
        store = self.store if fuse is None else FusedStore(self.store, fuse, views=views)
        drivers = self.drivers if fuse is None else FusedDrivers(self.drivers, fuse)
        archive = FolderArchive(self.folder / "evidence")
        originals = Originals(store, partial(open_reader, clock=self.clock, places=Places()))

        def announce() -> None:
            with store.begin() as tx:
                here = {one.id for one in tx.processes.all()}
                until = self.clock.now() + LEASE
                if process.id not in here:
                    tx.processes.register(replace(process, lease_until=until))

        return Session(
            store=store,
            spaces=Spaces(drivers, originals=originals),
            clock=self.clock,
            ids=self.ids,
            host=self.host,
            judges=ConfiguredJudges({}, clock=self.clock),
            archive=archive if fuse is None else FusedArchive(archive, fuse),
            process=process,
            actor=actor,
            announce=announce,
            is_owner=is_owner,
        )

    def kill(self, session: Session) -> None:
        """Let the session's process be dead, without a word to anyone."""
        self.host.dead.add(session.process.pid)

    def serve(self, session: Session, epoch: Epoch) -> None:
        """Let the session's process serve the index at an epoch, and confirm nothing more."""
        until = self.clock.now() + LEASE
        with self.store.begin() as tx:
            tx.processes.register(
                replace(session.process, lease_until=until, serves={INDEX: epoch})
            )

    def twin(self, folder: Path) -> Stage:
        """Return a copy of everything that outlives processes, in a folder of its own."""
        folder.mkdir(parents=True)
        with (
            closing(sqlite3.connect(self.folder / "control.db")) as source,
            closing(sqlite3.connect(folder / "control.db")) as target,
        ):
            source.backup(target)
        return Stage(
            folder=folder,
            clock=FrozenClock(self.clock.now()),
            backend=self.backend.copy(),
            ids=self.ids,
            pids=self.pids,
        )

    # Documents and releases

    def write(self, content: Content) -> Lsn:
        """Write documents, or with None delete them; return the head."""
        changes = [
            text
            if isinstance(text, Document)
            else DocumentId(name)
            if text is None
            else document(name, text)
            for name, text in content.items()
        ]
        with self.store.begin() as tx:
            return tx.log.append(INDEX, changes, at=self.clock.now()).head

    def create(self, name: str, *, seed: int, chunk: int | None = CHUNK) -> Release:
        """Store a release with a hashing model of this seed."""
        return releases.create(
            self.session,
            INDEX,
            ReleaseName(name),
            spec(seed=seed, chunk=chunk),
            self.drivers,
        )

    def revive(self, name: str) -> Space:
        """Make a release live and bring it into step."""
        space = releases.bring_to_life(self.session, INDEX, ReleaseName(name))
        catch_up(self.session, space)
        return space

    def release(self, name: str) -> Release:
        """Return a release as it stands."""
        with self.store.read() as view:
            return view.releases.get(INDEX, ReleaseName(name))

    def space(self, name: str) -> Space:
        """Open a release."""
        return self.session.spaces.open(self.release(name))

    def model(self, name: str) -> StageModel:
        """Return the model of a release."""
        return self.drivers.embedder(self.release(name).spec.model)

    # Moves

    def promote(
        self, name: str, *, by: Session | None = None, options: PromoteOptions = UNMEASURED
    ) -> PromoteReport:
        """Promote a release."""
        return promote.promote(
            by or self.session,
            INDEX,
            ReleaseName(name),
            reason="it is better",
            evaluations=Unmeasured(),
            options=options,
        )

    def rollback(
        self, *, by: Session | None = None, options: RollbackOptions | None = None
    ) -> RollbackReport:
        """Roll back."""
        return rollback.rollback(
            by or self.session,
            INDEX,
            reason="it is worse",
            options=options or RollbackOptions(ack_timeout=timedelta(seconds=1)),
        )

    def accept(self, name: str, *, by: Session | None = None) -> None:
        """End a soak."""
        ending.accept(
            by or self.session,
            INDEX,
            ReleaseName(name),
            reason="it is good",
            ack_timeout=timedelta(seconds=1),
        )

    def canary(
        self,
        name: str,
        *,
        share: float,
        tenants: Mapping[str, float] | None = None,
        interleaved: bool = False,
        by: Session | None = None,
    ) -> CanaryReport:
        """Let a candidate answer a share of the keys."""
        return canary.set_(
            by or self.session,
            INDEX,
            ReleaseName(name),
            share=share,
            tenants=(tenants or {}).items(),
            interleaved=interleaved,
            reason="try it",
            ack_timeout=timedelta(seconds=1),
        )

    def stop_canary(self, *, by: Session | None = None) -> CanaryReport:
        """End the canary."""
        return canary.stop(
            by or self.session,
            INDEX,
            reason="enough",
            ack_timeout=timedelta(seconds=1),
        )

    def retire(self, name: str, *, by: Session | None = None) -> None:
        """Retire a release."""
        ending.retire(by or self.session, INDEX, ReleaseName(name), reason="it is old")

    def drop(self, name: str, *, by: Session | None = None) -> None:
        """Drop a release's collection."""
        ending.drop(by or self.session, INDEX, ReleaseName(name), reason="it is old")


def document(name: str, text: str, **metadata: Json) -> Document:
    """Return a document with a field that can be filtered on."""
    fields: Metadata = metadata or {"group": "a" if len(name) % 2 else "b"}
    return Document(id=DocumentId(name), text=text, metadata=fields)


def spec(*, seed: int, chunk: int | None = CHUNK, dimensions: int = DIMENSIONS) -> ReleaseSpec:
    """Return a release spec whose model is told from others by its seed alone."""
    return ReleaseSpec(
        model=ModelSpec(provider="hashing", dimensions=dimensions, options={"seed": seed}),
        chunking=ChunkingSpec(size=chunk),
        backend="memory",
    )
