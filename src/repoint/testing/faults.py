"""Power cuts: end a process at any of its calls to the outside, just before or just after.

Everything that outlives a process goes through ports, so cutting each call of the store's
commits, the collection's writes and the model covers every moment at which a crash can
leave something behind::

    for fuse in fuses():
        store = FusedStore(real_store, fuse)
        with suppress(PowerCut):
            operate(store, ...)
        ...  # look at the damage through the real store, then repair and check
        if not fuse.blown:
            break  # it outlasted the operation: every call was cut once

A blown fuse stays blown: whatever the dying operation still tries, fails as well, as it
would without power.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Final, cast

from repoint.domain.document import Entry, Json
from repoint.domain.erasure import Secret
from repoint.domain.filters import Filter
from repoint.domain.ids import CollectionName, DocumentId, Fingerprint, IndexName, Lsn
from repoint.domain.spec import ModelSpec, ReleaseSpec, RerankSpec
from repoint.ports.archive import Archive, Redacted
from repoint.ports.backend import (
    Backend,
    Capabilities,
    Collection,
    CollectionSpec,
    Counts,
    FloatMatrix,
    Forgetting,
    Hit,
    SpaceMatrix,
    SpaceVector,
    StoredBatch,
)
from repoint.ports.drivers import Drivers
from repoint.ports.embedder import Embedder, EmbedderTraits, Purpose
from repoint.ports.reranker import Reranker
from repoint.ports.store import ChangeFeed, Store, Transaction
from repoint.ports.text import Preparer

#: No operation under test makes more calls than this.
_ENDLESS: Final = 100_000


class PowerCut(BaseException):
    """The process ends here. No ``except Exception`` can hide it."""


class Fuse:
    """Cuts the power at one call, counted from 1. Safe to use from many threads."""

    def __init__(self, at: int, *, after: bool) -> None:
        self.at = at
        #: Whether the call is done before the cut, or not at all.
        self.after = after
        self._lock = threading.Lock()
        self._calls = 0
        #: What was cut, for the test's message; None while the power is on.
        self.cut: str | None = None

    def __repr__(self) -> str:
        moment = "after" if self.after else "before"
        return f"<cut {moment} call {self.at}: {self.cut or 'not reached'}>"

    @property
    def blown(self) -> bool:
        """Whether the power was cut."""
        return self.cut is not None

    def before(self, what: str) -> bool:
        """Count a call that is about to be made; return whether it is the one to cut after.

        Raises:
            PowerCut: it is the one to cut before, or the power is off already.
        """
        with self._lock:
            if self.blown:
                raise PowerCut
            self._calls += 1
            mine = self._calls == self.at
            if mine and not self.after:
                self.cut = what
                raise PowerCut
            return mine

    def done(self, what: str, *, mine: bool) -> None:
        """Say that the call was made.

        Raises:
            PowerCut: it is the one to cut after, or the power went off meanwhile.
        """
        with self._lock:
            if mine:
                self.cut = what
            if self.blown:
                raise PowerCut

    @contextmanager
    def call(self, what: str) -> Iterator[None]:
        """Make the call within the block, with a cut before or after; see ``before``."""
        mine = self.before(what)
        yield
        self.done(what, mine=mine)


def fuses() -> Iterator[Fuse]:
    """Yield a fuse for each call, before and after it; stop when one was not blown."""
    for at in count(1):
        for after in (False, True):
            fuse = Fuse(at, after=after)
            yield fuse
            if not fuse.blown:
                return
        if at > _ENDLESS:
            raise AssertionError("no fuse outlasts the operation: does it use them?")


class FusedStore:
    """A store whose transactions can be cut, just before and just after their commit.

    Views leave nothing behind, so they are only cut when ``views`` asks for it.
    """

    def __init__(self, store: Store, fuse: Fuse, *, views: bool = False) -> None:
        self._store = store
        self._fuse = fuse
        self._views = views

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """Open a transaction; cut before its commit it is undone, cut after it stands."""
        if self._fuse.blown:
            raise PowerCut
        with self._store.begin() as tx:
            yield tx
            mine = self._fuse.before("commit")
        self._fuse.done("commit", mine=mine)

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Open a view; cut by a blown fuse, and before or after it where views are cut."""
        if self._fuse.blown:
            raise PowerCut
        mine = self._fuse.before("read") if self._views else False
        with self._store.read() as view:
            yield view
        if self._views:
            self._fuse.done("read", mine=mine)

    def watch(self) -> ChangeFeed:
        """Return a feed, as it is."""
        return self._store.watch()

    def scrub(self, traces: Sequence[str]) -> frozenset[str] | None:
        """Scrub, with a cut before or after."""
        with self._fuse.call("scrub"):
            return self._store.scrub(traces)

    def close(self) -> None:
        """Close the store."""
        self._store.close()


class FusedCollection:
    """A collection whose writes can be cut."""

    def __init__(self, collection: Collection, fuse: Fuse) -> None:
        self._collection = collection
        self._fuse = fuse

    @property
    def spec(self) -> CollectionSpec:
        """The collection's own."""
        return self._collection.spec

    def put(self, entries: Sequence[Entry], vectors: SpaceMatrix) -> None:
        """Write, with a cut before or after."""
        with self._fuse.call("put"):
            self._collection.put(entries, vectors)

    def search(
        self,
        query: SpaceVector,
        *,
        limit: int,
        where: Filter | None = None,
        exact: bool = False,
    ) -> list[Hit]:
        """Search, as it is."""
        return self._collection.search(query, limit=limit, where=where, exact=exact)

    def search_text(self, text: str, *, limit: int, where: Filter | None = None) -> list[Hit]:
        """Search, as it is."""
        return self._collection.search_text(text, limit=limit, where=where)

    def stored(
        self, documents: Sequence[DocumentId], *, with_vectors: bool = False
    ) -> StoredBatch:
        """Look, as it is."""
        return self._collection.stored(documents, with_vectors=with_vectors)

    def scan(self, *, with_vectors: bool = False) -> Iterator[StoredBatch]:
        """Scan, as it is."""
        return self._collection.scan(with_vectors=with_vectors)

    def counts(self) -> Counts:
        """Count, as it is."""
        return self._collection.counts()

    def purge(
        self, documents: Sequence[DocumentId] = (), *, emptied_below: Lsn | None = None
    ) -> None:
        """Purge, with a cut before or after."""
        with self._fuse.call("purge"):
            self._collection.purge(documents, emptied_below=emptied_below)

    def optimise(self, *, for_search: bool = True) -> None:
        """Optimise, with a cut before or after."""
        with self._fuse.call("optimise"):
            self._collection.optimise(for_search=for_search)

    def forget(self) -> int:
        """Forget, with a cut before or after, where the collection can."""
        with self._fuse.call("forget"):
            forgetting: Forgetting = cast("Forgetting", self._collection)
            return forgetting.forget()


class FusedBackend:
    """A backend whose changes can be cut, and whose collections are fused too."""

    def __init__(self, backend: Backend, fuse: Fuse) -> None:
        self._backend = backend
        self._fuse = fuse

    @property
    def capabilities(self) -> Capabilities:
        """The backend's own."""
        return self._backend.capabilities

    def create(self, spec: CollectionSpec) -> FusedCollection:
        """Create, with a cut before or after."""
        with self._fuse.call("create"):
            collection = self._backend.create(spec)
        return FusedCollection(collection, self._fuse)

    def open(self, name: CollectionName, *, fingerprint: Fingerprint) -> FusedCollection:
        """Open, as it is."""
        return FusedCollection(self._backend.open(name, fingerprint=fingerprint), self._fuse)

    def drop(self, name: CollectionName) -> None:
        """Drop, with a cut before or after."""
        with self._fuse.call("drop"):
            self._backend.drop(name)

    def collections(self) -> Sequence[CollectionName]:
        """List, as it is."""
        return self._backend.collections()

    def set_alias(self, alias: str, name: CollectionName) -> None:
        """Move the alias, with a cut before or after."""
        with self._fuse.call("set_alias"):
            self._backend.set_alias(alias, name)

    def alias_target(self, alias: str) -> CollectionName | None:
        """Look, as it is."""
        return self._backend.alias_target(alias)

    def close(self) -> None:
        """Close the backend."""
        self._backend.close()


class FusedEmbedder:
    """A model whose calls can be cut."""

    def __init__(self, embedder: Embedder, fuse: Fuse) -> None:
        self._embedder = embedder
        self._fuse = fuse

    @property
    def dimensions(self) -> int:
        """The model's own."""
        return self._embedder.dimensions

    @property
    def revision(self) -> str:
        """The model's own."""
        return self._embedder.revision

    @property
    def traits(self) -> EmbedderTraits:
        """The model's own."""
        return self._embedder.traits

    def embed(self, texts: Sequence[str], *, purpose: Purpose) -> FloatMatrix:
        """Embed, with a cut before or after."""
        with self._fuse.call("embed"):
            return self._embedder.embed(texts, purpose=purpose)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count, as it is."""
        return self._embedder.count_tokens(texts)

    def close(self) -> None:
        """Close the model."""
        self._embedder.close()


class LateCollection(FusedCollection):
    """A collection whose writer dies at its n-th write, which is still on its way.

    ``arrive`` lets the captured write happen at last: after its lease ran out, its range
    was redone, and later windows were applied.
    """

    def __init__(self, collection: Collection, fuse: Fuse, *, at: int) -> None:
        super().__init__(collection, fuse)
        self._target = collection
        self._left = at
        self._late: tuple[Sequence[Entry], SpaceMatrix] | None = None

    @property
    def pending(self) -> bool:
        """Whether a write is on its way."""
        return self._late is not None

    def put(self, entries: Sequence[Entry], vectors: SpaceMatrix) -> None:
        """Write, or capture the write and cut the power.

        Raises:
            PowerCut: it was captured.
        """
        self._left -= 1
        if self._left:
            super().put(entries, vectors)
            return
        self._late = (entries, vectors)
        self._fuse.cut = "late put"
        raise PowerCut

    def arrive(self) -> None:
        """Let the captured write happen, once."""
        if self._late is not None:
            entries, vectors = self._late
            self._late = None
            self._target.put(entries, vectors)


class FusedArchive:
    """An archive whose writing can be cut."""

    def __init__(self, archive: Archive, fuse: Fuse) -> None:
        self._archive = archive
        self._fuse = fuse

    def keep(self, name: str, content: Mapping[str, Json]) -> str:
        """Keep, with a cut before or after."""
        with self._fuse.call("keep"):
            return self._archive.keep(name, content)

    def redact(self, secret: Secret, *, spared: frozenset[str]) -> Redacted:
        """Redact, with a cut before or after."""
        with self._fuse.call("redact"):
            return self._archive.redact(secret, spared=spared)

    def read(self, name: str) -> Mapping[str, Json] | None:
        """Read, as it is."""
        return self._archive.read(name)


class FusedDrivers:
    """Drivers whose backends and models are fused."""

    def __init__(self, drivers: Drivers, fuse: Fuse) -> None:
        self._drivers = drivers
        self._fuse = fuse

    def backend(self, name: str) -> FusedBackend:
        """Return the backend, fused."""
        return FusedBackend(self._drivers.backend(name), self._fuse)

    def alias(self, backend: str, index: IndexName) -> str:
        """Return the alias's name, as it is."""
        return self._drivers.alias(backend, index)

    def embedder(self, model: ModelSpec) -> FusedEmbedder:
        """Return the model, fused."""
        return FusedEmbedder(self._drivers.embedder(model), self._fuse)

    def reranker(self, spec: RerankSpec) -> Reranker:
        """Return the reranker, as it is."""
        return self._drivers.reranker(spec)

    def preparer(self, spec: ReleaseSpec) -> Preparer:
        """Return the preparation, as it is: it calls nothing outside."""
        return self._drivers.preparer(spec)

    def close(self) -> None:
        """Close the drivers."""
        self._drivers.close()
