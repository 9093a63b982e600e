"""Where vectors live: backends, their collections, and what each promises.

``repoint.testing.CollectionSuite`` and ``repoint.testing.BackendSuite`` check each promise
by the name in brackets. A backend that cannot keep a promise is not a backend; what may
differ is declared in ``Capabilities`` and never discovered by catching an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from repoint.domain.adoption import Layout
from repoint.domain.document import Entry, Metadata
from repoint.domain.filters import Filter
from repoint.domain.ids import CollectionName, DocumentId, Fingerprint, Lsn
from repoint.domain.spec import AnnSpec, Distance

#: float32, shape (rows, dimensions).
FloatMatrix: TypeAlias = npt.NDArray[np.float32]
#: float32, shape (dimensions,).
FloatVector: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a backend does beyond the promises that all of them keep."""

    #: The kind's name in configuration, for instance ``lancedb``.
    name: str
    #: The database moves a name of its own from one collection to another.
    aliases: bool
    #: Full-text search by the database itself, hence hybrid releases.
    lexical: bool
    #: Writes compare LSNs inside the database, so even a writer that lost its lease
    #: cannot put an older version back.
    conditional_writes: bool
    #: Collections outlive the process.
    durable: bool
    #: Several processes may open the same collections at once.
    shared: bool
    #: Approximate search exists; without it every search is exact.
    approximate: bool
    #: Distances that its collections can be made with.
    distances: frozenset[Distance]
    #: Filters compare text by order (``<``, ``>=``), not only for being equal.
    ordered_text: bool = True
    #: Its collections are ``Forgetting``: what was purged leaves the files when asked.
    forgets: bool = False
    #: A scan shows one moment; without it, what is written meanwhile may be in it or not.
    snapshots: bool = True
    #: A server has them, which decides whom it lets in; otherwise they are files or memory.
    served: bool = True
    #: Takes over collections that somebody else made: ``ports.adoption``.
    adopts: bool = False
    #: Says which grants of its database are missing: ``ports.privileges``.
    privileges: bool = False
    #: Can keep the releases of an index in one collection, each as a named vector: the option
    #: ``strategy``.
    vector_fields: bool = False
    #: Does so, as it is set up here; see ``domain.placing``.
    shares_objects: bool = False
    #: There, each release has objects of its own, and may differ in all that makes them.
    own_objects: bool = False
    #: Says what has the name that its alias would take: ``ports.naming``.
    names: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionSpec:
    """What a backend needs to know to make a release's collection."""

    name: CollectionName
    fingerprint: Fingerprint
    dimensions: int
    distance: Distance
    ann: AnnSpec
    #: Whether ``search_text`` will be asked of it.
    lexical: bool
    #: How it lies where a team made it; None where repoint did.
    adopted: Layout | None = None


@dataclass(frozen=True, slots=True)
class SpaceVector:
    """A query vector that knows its space, so that two spaces cannot meet (INV-1)."""

    space: Fingerprint
    values: FloatVector


@dataclass(frozen=True, slots=True)
class SpaceMatrix:
    """Document vectors, one row a chunk, that know their space (INV-1)."""

    space: Fingerprint
    values: FloatMatrix


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkPlace:
    """Where a chunk stands in its document."""

    #: Its number, from 0.
    number: int
    #: Its first character in the prepared text, and the one after its last.
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One chunk that a search found; a higher score is better.

    Score: ``cosine`` gives the cosine similarity, ``dot`` the inner product, ``l2`` the
    negated squared Euclidean distance; text search gives the engine's own positive score.
    """

    document: DocumentId
    #: The chunk's number within its document, from 0.
    slot: int
    lsn: Lsn
    score: float
    text: str
    start: int
    end: int
    metadata: Metadata

    @property
    def id(self) -> DocumentId:
        """The document's own id, by the name that JSON output has for it."""
        return self.document

    @property
    def chunk(self) -> ChunkPlace:
        """Where in the document it was found, as JSON output has it."""
        return ChunkPlace(number=self.slot, start=self.start, end=self.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBatch:
    """Chunks as they stand in a collection, column by column; emptied slots are left out."""

    documents: Sequence[DocumentId]
    slots: npt.NDArray[np.int32]
    lsns: npt.NDArray[np.int64]
    digests: Sequence[str]
    #: None where the caller did not ask for vectors; a row of NaN where none is stored.
    vectors: FloatMatrix | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How much a collection holds; emptied slots are not counted."""

    documents: int
    chunks: int
    #: Emptied slots (tombstones) that still stand guard.
    emptied: int = 0
    bytes_on_disk: int | None = None
    #: Chunks that the approximate index does not cover yet; None where there is no index.
    unindexed: int | None = None


class Collection(Protocol):
    """One release's vectors. Safe to use from many threads [threads]."""

    @property
    def spec(self) -> CollectionSpec:
        """What it was made with; read back from the database where that can hold it."""
        ...

    def put(self, entries: Sequence[Entry], vectors: SpaceMatrix) -> None:
        """Write whole documents; once this returns, every search sees them [read-your-writes].

        ``vectors`` holds one row per chunk, over all entries in order. For each slot of
        each entry the stored row is replaced unless it has a higher LSN
        [newest-lsn-wins]; so writing again changes nothing [idempotent], and replay may
        overlap and arrive out of order [any-order]. Slots at and above ``len(chunks)``
        are emptied: nothing finds them, yet their LSN stands guard [emptied-slots-guard].
        A document never occurs twice in one call.

        Raises:
            MixedSpacesError: the vectors are of another space; nothing was written [one-space].
            DimensionsError: a row has another length; nothing was written.
            RowsRefusedError: the database will never take some of these documents as they
                are; some, all or none of the others were written, and are taken without
                those. It names them where the database tells which [refuses-rows].
            UnavailableError: some, all or none were written; write them again.
        """
        ...

    def search(
        self,
        query: SpaceVector,
        *,
        limit: int,
        where: Filter | None = None,
        exact: bool = False,
    ) -> list[Hit]:
        """Return the nearest chunks, best first; ties by document id and slot [ordered].

        The filter is applied before the neighbours are chosen: fewer than ``limit`` hits
        means that no more match [prefilter]. A field that a document lacks, or that nobody
        has, matches nothing; see ``domain.filters`` for the logic [filter-logic].
        ``exact`` compares with every vector; without it the collection's ANN index may be used.

        Raises:
            MixedSpacesError: the query is of another space [one-space].
            UnsupportedError: the filter orders text and ``Capabilities.ordered_text`` is False.
            UnavailableError: the database did not answer; ask again.
        """
        ...

    def search_text(self, text: str, *, limit: int, where: Filter | None = None) -> list[Hit]:
        """Return the chunks that match the words, best first.

        Raises:
            UnsupportedError: the spec is not lexical or ``Capabilities.lexical`` is False.
            UnavailableError: as ``search``.
        """
        ...

    def stored(
        self, documents: Sequence[DocumentId], *, with_vectors: bool = False
    ) -> StoredBatch:
        """Return what stands for these documents; unknown ones have no rows."""
        ...

    def scan(self, *, with_vectors: bool = False) -> Iterator[StoredBatch]:
        """Yield every stored chunk once, in bounded batches, as of the call [snapshot].

        Where ``Capabilities.snapshots`` is False, a chunk that is written meanwhile comes as
        it was or as it is, or, if it is new or gone, perhaps not at all.
        """
        ...

    def counts(self) -> Counts:
        """Return how much it holds."""
        ...

    def purge(
        self, documents: Sequence[DocumentId] = (), *, emptied_below: Lsn | None = None
    ) -> None:
        """Physically delete these documents' rows, and emptied slots below the LSN.

        Unconditional: for repair, erasure and tombstones whose retention is over.
        """
        ...

    def optimise(self, *, for_search: bool = True) -> None:
        """Bring indexes up to what is stored and compact; may take long, never blocks reads.

        No answer changes by it [optimising-changes-nothing]. Without ``for_search`` only
        what keeps writing fast is done: in the middle of a backfill an index for searches
        would be built for a part of what it is to cover.
        """
        ...


class Forgetting(Protocol):
    """What a collection can do besides where ``Capabilities.forgets`` says so."""

    def forget(self) -> int:
        """Let nothing that was replaced, emptied or purged stay in its files [forgetting].

        No answer changes by it. Returns how many files there are of which it cannot tell,
        because a write that just ended or was killed may have left them: ask again later.

        Raises:
            UnavailableError: other writers were in its way; ask again.
        """
        ...


class Backend(Protocol):
    """A database that holds collections."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do beyond the common promises."""
        ...

    def create(self, spec: CollectionSpec) -> Collection:
        """Make the collection, or open it when it is already there [create-is-idempotent].

        Raises:
            FingerprintMismatchError: the name is taken by another release's collection.
            UnsupportedError: the spec asks for what ``capabilities`` does not have.
        """
        ...

    def open(self, name: CollectionName, *, fingerprint: Fingerprint) -> Collection:
        """Open a collection that carries this fingerprint [fingerprint-checked].

        Raises:
            CollectionMissingError: nothing has that name.
            FingerprintMismatchError: it carries another one, or none.
        """
        ...

    def drop(self, name: CollectionName) -> None:
        """Delete a collection for good; gone already is no error [drop-is-idempotent]."""
        ...

    def collections(self) -> Sequence[CollectionName]:
        """Return the names of the collections that repoint made here."""
        ...

    def set_alias(self, alias: str, name: CollectionName) -> None:
        """Point the database's own name at the collection.

        Raises:
            UnsupportedError: ``Capabilities.aliases`` is False.
        """
        ...

    def alias_target(self, alias: str) -> CollectionName | None:
        """Return what the alias points at, None when it does not exist."""
        ...

    def close(self) -> None:
        """Release handles; collections stay."""
        ...
