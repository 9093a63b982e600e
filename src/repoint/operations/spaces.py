"""A release made ready for use: its collection, its model and its text preparation.

Everything that reads or writes vectors goes through a ``Space``, so a release's model and
its collection are never picked apart (INV-1).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from repoint.domain.errors import RetiredError
from repoint.domain.ids import BridgeId, Fingerprint, IndexName
from repoint.domain.release import Release, ReleaseState
from repoint.domain.spec import ReleaseSpec
from repoint.operations.bridged import bridged
from repoint.operations.by_hand import ByHand
from repoint.operations.embedding import Embedding
from repoint.operations.fitting import Fitting
from repoint.operations.originals import Originals, Referring
from repoint.ports.adoption import Adopter, adopter_of
from repoint.ports.backend import Backend, Collection, CollectionSpec
from repoint.ports.drivers import Drivers
from repoint.ports.reranker import Reranker
from repoint.ports.text import Preparer


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """All that is needed to write into a release and to ask it."""

    release: Release
    collection: Collection
    embedding: Embedding
    preparer: Preparer
    reranker: Reranker | None = None
    #: Reads what the log keeps by reference; None where nothing is.
    originals: Originals | None = None

    @property
    def bridge(self) -> BridgeId | None:
        """What its queries go over in place of its own model."""
        crossing = self.release.bridge
        return None if crossing is None else crossing.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A release's model and text preparation, without its collection."""

    release: Release
    embedding: Embedding
    preparer: Preparer
    originals: Originals | None = None


class Spaces:
    """Opens spaces, each once a process. Safe to use from many threads."""

    def __init__(self, drivers: Drivers, *, originals: Originals | None = None) -> None:
        self._drivers = drivers
        #: Reads what the log keeps by reference.
        self.originals = originals
        #: Who brings which release into step by hand: workers step back meanwhile.
        self.by_hand = ByHand()
        self._lock = threading.Lock()
        self._open: dict[
            Fingerprint, tuple[Collection, Embedding, Preparer, Reranker | None]
        ] = {}

    def open(self, release: Release) -> Space:
        """Open a release whose collection exists.

        Raises:
            RetiredError: it was dropped.
            CollectionMissingError: the collection is gone.
            FingerprintMismatchError: something else stands in its place.
            MissingModelError: its model cannot be opened here.
        """
        if release.state is ReleaseState.DROPPED:
            raise RetiredError(index=release.index, release=release.name, state=release.state)
        return self._space(
            release,
            lambda backend: backend.open(release.collection, fingerprint=release.fingerprint),
        )

    def confirm(self, release: Release) -> Space:
        """Open a release after looking whether its collection still stands; raises as ``open``.

        An open handle outlives what it was opened on, so before a move it proves nothing.
        """
        self.backend(release).open(release.collection, fingerprint=release.fingerprint)
        return self.open(release)

    def create(self, release: Release) -> Space:
        """Make a release's collection if it is not there, and open it; raises as ``open``."""
        return self._space(release, lambda backend: backend.create(collection_spec(release)))

    def embedding(self, spec: ReleaseSpec, space: Fingerprint) -> Embedding:
        """Open a release's model alone, for probing it without its collection."""
        return Embedding(spec.model, self._drivers.embedder(spec.model), space)

    def own(self, release: Release) -> Space:
        """Open a release with its own model, whatever stands in for it; raises as ``open``."""
        return self.open(replace(release, bridge=None))

    def model(self, release: Release) -> Model:
        """Open what a release makes vectors with; its collection need not exist."""
        return Model(
            release=release,
            embedding=self._embedding(release),
            preparer=self._preparer(release),
            originals=self.originals,
        )

    def backend(self, release: Release) -> Backend:
        """Return the backend that holds a release's collection."""
        return self._drivers.backend(release.spec.backend)

    def adopter(self, backend: str) -> Adopter:
        """Return what takes over collections of a backend.

        Raises:
            UnsupportedError: its capabilities say that it has none.
        """
        return adopter_of(self._drivers.backend(backend))

    def alias_of(self, backend: str, index: IndexName) -> str:
        """Return the name that a backend's database would have for an index."""
        return self._drivers.alias(backend, index)

    def alias(self, release: Release) -> str:
        """Return the name that a release's database has for its index."""
        return self._drivers.alias(release.spec.backend, release.index)

    def forget_queries(self) -> int:
        """Empty the query caches of this process; return how many questions they held."""
        with self._lock:
            embeddings = [parts[1] for parts in self._open.values()]
        held = sum(one.cache_counts().size for one in embeddings)
        for one in embeddings:
            one.forget_queries()
        return held

    def fresh(self, space: Space) -> Space:
        """Return the same space with an empty query cache of its own."""
        return replace(space, embedding=self._embedding(space.release))

    def forget(self, release: Release) -> None:
        """Close nothing, but open the release afresh the next time it is asked for."""
        with self._lock:
            self._open.pop(_key(release), None)

    def _preparer(self, release: Release) -> Preparer:
        return Referring(self._drivers.preparer(release.spec), self.originals, release.index)

    def _embedding(self, release: Release) -> Embedding:
        bridge = release.bridge
        if bridge is None:
            return self.embedding(release.spec, release.fingerprint)
        model = bridge.source_model
        living = Embedding(model, self._drivers.embedder(model), bridge.source_fingerprint)
        return bridged(bridge, living, release)

    def _space(self, release: Release, collection: Callable[[Backend], Collection]) -> Space:
        with self._lock:
            parts = self._open.get(_key(release))
            if parts is None:
                spec = release.spec
                # The model first: without it the collection is of no use, and making one
                # for a model that cannot be opened would leave something half done.
                embedding = self._embedding(release)
                preparer = self._preparer(release)
                reranker = self._drivers.reranker(spec.rerank) if spec.rerank else None
                opened = collection(self.backend(release))
                if opened.spec.adopted is not None:
                    preparer = Fitting(
                        preparer,
                        opened.spec.adopted,
                        model=spec.model.name or spec.model.provider,
                    )
                parts = (opened, embedding, preparer, reranker)
                self._open[_key(release)] = parts
        return Space(
            release=release,
            collection=parts[0],
            embedding=parts[1],
            preparer=parts[2],
            reranker=parts[3],
            originals=self.originals,
        )


def collection_spec(release: Release) -> CollectionSpec:
    """Return what a backend must know to make the release's collection."""
    spec = release.spec
    return CollectionSpec(
        name=release.collection,
        fingerprint=release.fingerprint,
        dimensions=spec.model.dimensions,
        distance=spec.distance,
        ann=spec.ann,
        lexical=spec.hybrid is not None,
    )


def _key(release: Release) -> Fingerprint:
    # Two indexes may hold releases of one fingerprint: their collections differ.
    through = "" if release.bridge is None else f":{release.bridge.id}"
    return Fingerprint(f"{release.collection}:{release.fingerprint}{through}")
