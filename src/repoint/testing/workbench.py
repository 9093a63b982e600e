"""A whole small repoint for tests of operations: SQLite store, exact backend, hashing model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Final, Self

import numpy as np

from repoint.backends.memory import MemoryBackend
from repoint.domain.document import Document, LogRow
from repoint.domain.errors import InputRejectedError, NotFoundError, UnavailableError
from repoint.domain.ids import (
    CollectionName,
    DocumentId,
    IndexName,
    Lsn,
    ProcessId,
    ReleaseName,
    collection_name,
)
from repoint.domain.release import Release, ReleaseState
from repoint.domain.spec import ChunkingSpec, ModelSpec, ReleaseSpec, RerankSpec
from repoint.embedders.hashing import HashingEmbedder
from repoint.operations.embedding import Embedding
from repoint.operations.spaces import Space, collection_spec
from repoint.ports.backend import Backend, Collection, FloatMatrix
from repoint.ports.clock import Clock
from repoint.ports.embedder import Embedder, EmbedderTraits, Purpose
from repoint.ports.reranker import Reranker
from repoint.ports.store import Store
from repoint.ports.text import Preparer
from repoint.stores.sql.sqlite import SqliteStore
from repoint.testing.clock import FrozenClock
from repoint.text.preparation import Preparation

INDEX: Final = IndexName("docs")
RELEASE: Final = ReleaseName("r1")
WORKER: Final = ProcessId("worker-1")
#: Longer texts are cut, so that documents have several chunks and shrink and grow.
CHUNK: Final = 24
DIMENSIONS: Final = 16


class Workbench:
    """An index with one live release, and the questions that tests ask of them."""

    def __init__(
        self,
        folder: Path,
        *,
        clock: Clock | None = None,
        backend: Backend | None = None,
        batch: int | None = None,
        parallel: int = 1,
    ) -> None:
        self.clock = clock or FrozenClock()
        self.store: Store = SqliteStore.open(_control_store(folder), clock=self.clock)
        self.backend: Backend = backend or MemoryBackend()
        self.embedder = CountingEmbedder(DIMENSIONS, batch=batch, parallel=parallel)
        with self.store.begin() as tx:
            if INDEX not in tx.indexes.names():
                tx.indexes.create(INDEX, at=self.clock.now())
        self.release = self.add_release(RELEASE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.store.close()

    def add_release(self, name: ReleaseName, *, chunk: int = CHUNK) -> Release:
        """Make a live release with its collection; one that is there stays."""
        with self.store.begin() as tx:
            for release in tx.releases.all(INDEX):
                if release.name == name:
                    self.backend.create(collection_spec(release))
                    return release
        spec = ReleaseSpec(
            model=ModelSpec(provider="hashing", dimensions=DIMENSIONS),
            chunking=ChunkingSpec(size=chunk),
            backend="memory",
        )
        fingerprint = spec.fingerprint()
        release = Release(
            index=INDEX,
            name=name,
            spec=spec,
            fingerprint=fingerprint,
            collection=CollectionName(collection_name(INDEX, name, fingerprint)),
            state=ReleaseState.LIVE,
            created_at=self.clock.now(),
        )
        with self.store.begin() as tx:
            tx.releases.add(release)
        self.backend.create(collection_spec(release))
        return release

    def space(
        self,
        release: Release | None = None,
        *,
        collection: Collection | None = None,
        embedder: Embedder | None = None,
    ) -> Space:
        """Open a release, with a collection or a model in place of its own if need be."""
        release = release or self.release
        return Space(
            release=release,
            collection=collection or self.collection(release),
            embedding=Embedding(
                release.spec.model, embedder or self.embedder, release.fingerprint
            ),
            preparer=Preparation.of(release.spec),
        )

    def collection(self, release: Release | None = None) -> Collection:
        """Return a release's collection."""
        release = release or self.release
        return self.backend.open(release.collection, fingerprint=release.fingerprint)

    def write(self, texts: Mapping[str, str | None]) -> Lsn:
        """Write documents, or with None delete them; return the head."""
        changes: list[Document | DocumentId] = [
            DocumentId(name)
            if text is None
            else Document(id=DocumentId(name), text=text, metadata={"length": len(text)})
            for name, text in texts.items()
        ]
        with self.store.begin() as tx:
            return tx.log.append(INDEX, changes, at=self.clock.now()).head

    def rows(self) -> list[LogRow]:
        """Return the whole log."""
        with self.store.read() as view:
            return view.log.rows(INDEX, above=Lsn(0), upto=view.log.head(INDEX))

    def head(self) -> Lsn:
        """Return the log's head."""
        with self.store.read() as view:
            return view.log.head(INDEX)

    def watermark(self, release: Release | None = None) -> Lsn:
        """Return how far a release is."""
        release = release or self.release
        with self.store.read() as view:
            return view.catchup.watermark(INDEX, release.name)

    def texts(self, release: Release | None = None) -> dict[str, list[str]]:
        """Return the digests of each document's chunks as they stand in the collection."""
        found: dict[str, dict[int, str]] = {}
        for batch in self.collection(release).scan():
            for document, slot, digest in zip(
                batch.documents, batch.slots.tolist(), batch.digests, strict=True
            ):
                slots = found.setdefault(document, {})
                assert slot not in slots, f"{document!r} has slot {slot} twice"
                slots[slot] = digest
        for name, slots in found.items():
            assert sorted(slots) == list(range(len(slots))), f"{name!r} has a gap"
        return {key: [slots[slot] for slot in sorted(slots)] for key, slots in found.items()}

    def differences(self, release: Release | None = None) -> list[str]:
        """Return in words where the collection is not the log folded to the watermark (INV-2).

        Only meaningful when the watermark is at the head: before, some rows may be ahead.
        """
        release = release or self.release
        prepare = Preparation.of(release.spec).prepare
        model = HashingEmbedder(dimensions=DIMENSIONS)  # so that no check counts as work
        embedding = Embedding(release.spec.model, model, release.fingerprint)
        rows = {row.id: row for row in self.rows()}
        with self.store.read() as view:
            letters = {one.document for one in view.dead_letters.all(INDEX, release.name)}
        wanted: dict[tuple[str, int], tuple[int, str, bytes]] = {}
        for row in rows.values():
            if row.document is None or row.id in letters:
                continue
            for slot, chunk in enumerate(prepare(row.document)):
                vector = embedding.documents([chunk.text]).values[0]
                wanted[row.id, slot] = (row.lsn, chunk.digest, vector.tobytes())
        found: dict[tuple[str, int], tuple[int, str, bytes]] = {}
        for batch in self.collection(release).scan(with_vectors=True):
            assert batch.vectors is not None
            for place, document in enumerate(batch.documents):
                key = (document, int(batch.slots[place]))
                assert key not in found, f"{key} stands twice"
                vector = np.asarray(batch.vectors[place], dtype=np.float32)
                found[key] = (int(batch.lsns[place]), batch.digests[place], vector.tobytes())
        return [
            f"{key}: log {wanted.get(key, 'nothing')}, collection {found.get(key, 'nothing')}"
            for key in sorted(wanted.keys() | found.keys())
            if wanted.get(key) != found.get(key)
        ]


class BenchDrivers:
    """``ports.drivers.Drivers`` that always gives the bench's own backend and model."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def backend(self, name: str) -> Backend:
        """Return the bench's backend, whatever its name."""
        del name
        return self._bench.backend

    def alias(self, backend: str, index: IndexName) -> str:
        """Return the index's own name."""
        del backend
        return index

    def embedder(self, model: ModelSpec) -> Embedder:
        """Return the bench's counting model."""
        del model
        return self._bench.embedder

    def reranker(self, spec: RerankSpec) -> Reranker:
        """Refuse: the bench has none.

        Raises:
            NotFoundError: always.
        """
        raise NotFoundError(what="reranker", name=spec.provider)

    def preparer(self, spec: ReleaseSpec) -> Preparer:
        """Return the real preparation."""
        return Preparation.of(spec)

    def close(self) -> None:
        """Do nothing: the bench closes."""


@cache
def _template() -> bytes:
    """Return an empty control store: copying one is faster than migrating each time."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "control.db"
        SqliteStore.open(path, clock=FrozenClock()).close()
        return path.read_bytes()


def _control_store(folder: Path) -> Path:
    path = folder / "control.db"
    if not path.exists():
        path.write_bytes(_template())
    return path


class CountingEmbedder:
    """The hashing model, counting what it embeds and refusing texts that say so."""

    #: A text with this word is refused for good.
    POISON: Final = "poison"

    def __init__(self, dimensions: int, *, batch: int | None = None, parallel: int = 1) -> None:
        self._model = HashingEmbedder(dimensions=dimensions)
        self._batch = batch or self._model.traits.batch
        self._parallel = parallel
        #: Every text embedded, in order of the calls.
        self.embedded: list[str] = []
        #: Texts with this word are refused; a test may mend the model by emptying it.
        self.refuses = self.POISON
        #: How many calls are answered before one fails; None is all.
        self.survives: int | None = None
        #: Raised by the next calls instead of an answer.
        self.fails: list[Exception] = []

    @property
    def dimensions(self) -> int:
        """The model's."""
        return self._model.dimensions

    @property
    def revision(self) -> str:
        """The model's."""
        return self._model.revision

    @property
    def traits(self) -> EmbedderTraits:
        """The model's, with the batch and the parallel calls that the test wants."""
        return replace(self._model.traits, batch=self._batch, parallel=self._parallel)

    def embed(self, texts: Sequence[str], *, purpose: Purpose) -> FloatMatrix:
        """Embed and count.

        Raises:
            InputRejectedError: a text holds the word that is refused.
            UnavailableError: the test wants it so.
        """
        if self.survives is not None:
            self.survives -= 1
            if self.survives < 0:
                self.survives = None
                raise UnavailableError("the model is away")
        if self.fails:
            raise self.fails.pop(0)
        if self.refuses and any(self.refuses in text for text in texts):
            raise InputRejectedError(model="hashing", why="it is poison")
        self.embedded += texts
        return self._model.embed(texts, purpose=purpose)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the number of words."""
        return self._model.count_tokens(texts)

    def close(self) -> None:
        """Close the model."""
        self._model.close()
