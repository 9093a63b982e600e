"""One release's vectors as one class of Weaviate, or one tenant's share of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from threading import Event
from typing import Final, TypeVar
from uuid import UUID

from weaviate import WeaviateClient
from weaviate.classes.query import Filter as Where
from weaviate.collections.classes.filters import FilterReturn
from weaviate.exceptions import UnexpectedStatusCodeError, WeaviateInvalidInputError

from repoint.backends.weaviate import objects
from repoint.backends.weaviate.classes import GUARD, field_property, look, require_tenant
from repoint.backends.weaviate.engine import Engine
from repoint.backends.weaviate.filters import (
    PARTS,
    condition,
    fields,
    filled,
    properties_of,
)
from repoint.backends.weaviate.names import sound
from repoint.backends.weaviate.shelf import MOST, Row, Shelf, groups, of_documents
from repoint.backends.weaviate.writers import writers_of
from repoint.domain.document import Entry
from repoint.domain.errors import (
    BackendUnavailableError,
    FingerprintMismatchError,
    UnsupportedError,
)
from repoint.domain.filters import Filter
from repoint.domain.ids import DocumentId, Lsn
from repoint.domain.spec import AnnKind
from repoint.ports.backend import (
    CollectionSpec,
    Counts,
    FloatVector,
    Hit,
    SpaceMatrix,
    SpaceVector,
    StoredBatch,
)
from repoint.ports.spaces import chunk_rows, query_values

T = TypeVar("T")

#: Seconds for which a search trusts that the class is still this release's, and its size.
OWNED: Final = 0.5
#: Up to so many chunks ``auto`` compares with every one.
SMALL: Final = 10_000
#: Chunks that are compared one by one in a single question: well below the server's cutoff.
SHARE: Final = 30_000
#: Seconds between two looks at a server that indexes later than it writes, and how many.
LOOK_S: Final = 0.02
LOOKS: Final = 3_000


class WeaviateCollection:
    """One class. A handle sees what other processes write, at its next call."""

    def __init__(self, *, spec: CollectionSpec, engine: Engine, tenant: str = "") -> None:
        self._spec = spec
        self._engine = engine
        self._tenant = tenant
        self._shelf: Shelf = Shelf(spec, tenant=tenant)
        #: Properties of fields that the class is known to have.
        self._fields: frozenset[str] = frozenset()
        #: How many chunks there were, and when that and whose it is was last looked at.
        self._size = 0
        self._owned = float("-inf")
        # Without conditional writes nothing may come between reading and writing a document:
        # not in this process at least, whoever opened the class.
        self._writing = writers_of(f"{engine.address.key}/{spec.name}/{tenant}")

    @property
    def spec(self) -> CollectionSpec:
        """What it was made with, as the class's description carries it."""
        return self._spec

    def put(self, entries: Sequence[Entry], vectors: SpaceMatrix) -> None:
        """Write whole documents, each slot unless a higher LSN is read there just before."""
        matrix = chunk_rows(self._spec, entries, vectors)
        if not entries:
            return
        needed = {name for entry in entries if entry.chunks for name in fields(entry.metadata)}

        def write(client: WeaviateClient) -> None:
            self._require_own(client)
            for name in sorted(needed - self._fields):
                self._add(client, name)
            standing = self._shelf.standing(client, [entry.document for entry in entries])
            self._shelf.write(client, self._shelf.written(entries, matrix, standing=standing))

        with self._writing.of(entry.document for entry in entries):
            self._run(write)
        self._run(self._settle)

    def search(
        self,
        query: SpaceVector,
        *,
        limit: int,
        where: Filter | None = None,
        exact: bool = False,
    ) -> list[Hit]:
        """Return the nearest chunks, with a whole look at those that tie for the last place."""
        values = query_values(self._spec, query)
        _check(limit)
        if limit <= 0:
            return []

        def ask(client: WeaviateClient) -> list[Hit]:
            self._refresh(client)
            kept = self._kept(client, where)
            whole = exact or self._compares_all
            count = limit + 1
            while True:
                near = self._everywhere if whole else self._shelf.nearest
                found = near(client, values, limit=count, where=kept)
                if not whole and len(found) < count:
                    whole = True  # the graph may have lost its way among what is left
                elif count == MOST or not _ties(found, limit):
                    return _best(found, limit)
                else:
                    count = min(2 * count, MOST)

        return self._run(ask)

    def search_text(self, text: str, *, limit: int, where: Filter | None = None) -> list[Hit]:
        """Return the chunks that have some of the words, ranked by BM25.

        Raises:
            UnsupportedError: the spec is not lexical.
        """
        if not self._spec.lexical:
            raise UnsupportedError(
                driver="weaviate",
                what=f"text search in {self._spec.name}",
                hint="its release has no hybrid section",
            )
        _check(limit)
        if limit <= 0 or not text:
            return []

        def ask(client: WeaviateClient) -> list[Hit]:
            self._refresh(client)
            kept = self._kept(client, where)
            return self._shelf.worded(client, sound(text), limit=limit, where=kept)

        return _best(self._run(ask), limit)

    def stored(
        self, documents: Sequence[DocumentId], *, with_vectors: bool = False
    ) -> StoredBatch:
        """Return what stands for these documents, in their order and that of the slots."""
        places = {document: place for place, document in enumerate(dict.fromkeys(documents))}

        def read(client: WeaviateClient) -> list[Row]:
            return list(self._shelf.stored(client, list(places), with_vectors=with_vectors))

        rows = self._run(read) if places else []
        rows.sort(
            key=lambda row: (
                places[DocumentId(str(row[0]["document"]))],
                objects.whole(row[0]["slot"]),
            )
        )
        return objects.batch(rows, self._spec.dimensions, with_vectors=with_vectors)

    def scan(self, *, with_vectors: bool = False) -> Iterator[StoredBatch]:
        """Return an iterator over the chunks, page by page as each is read."""
        self._run(self._require_own)
        return self._pages(with_vectors=with_vectors)

    def counts(self) -> Counts:
        """Return how much it holds; a document is counted by its first slot."""

        def read(client: WeaviateClient) -> Counts:
            self._require_own(client)
            first = Where.by_property("slot").equal(0)
            return Counts(
                documents=self._shelf.count(client, filled() & first),
                chunks=self._shelf.chunks(client),
                emptied=self._shelf.count(client, Where.by_property(GUARD).greater_or_equal(0)),
            )

        return self._run(read)

    def purge(
        self, documents: Sequence[DocumentId] = (), *, emptied_below: Lsn | None = None
    ) -> None:
        """Delete these documents' objects, and emptied slots below the LSN."""
        conditions = [of_documents(group) for group in groups(documents)]
        if emptied_below is not None:
            conditions.append(Where.by_property(GUARD).less_than(emptied_below))

        def delete(client: WeaviateClient) -> None:
            self._require_own(client)
            for condition_ in conditions:
                self._shelf.delete(client, condition_)

        if conditions:
            with self._writing.alone():
                self._run(delete)

    def optimise(self, *, for_search: bool = True) -> None:
        """Wait until the server has indexed what it was given; it optimises by itself."""

        def wait(client: WeaviateClient) -> None:
            self._require_own(client)
            if for_search:
                self._settle(client)

        self._run(wait)

    @property
    def _has_graph(self) -> bool:
        return self._spec.ann.kind is not AnnKind.FLAT

    @property
    def _share(self) -> int:
        """How many chunks one question may compare one by one."""
        return SHARE

    @property
    def _compares_all(self) -> bool:
        small = self._spec.ann.kind is AnnKind.AUTO and self._size <= SMALL
        return small or not self._has_graph

    def _everywhere(
        self,
        client: WeaviateClient,
        values: FloatVector,
        *,
        limit: int,
        where: FilterReturn | None,
    ) -> list[Hit]:
        """Compare with every vector: share after share, each so small that the server does."""
        if not self._has_graph:
            return self._shelf.nearest(client, values, limit=limit, where=where)
        shares = -(-max(self._size, 1) // self._share)
        found: list[Hit] = []
        for share in range(shares):
            begin, end = (PARTS * border // shares for border in (share, share + 1))
            within = filled(begin=begin, end=end, prefix=self._shelf.prefix)
            kept = within if where is None else within & where
            found += self._shelf.nearest(client, values, limit=limit, where=kept)
        return _best(found, limit)

    def _pages(self, *, with_vectors: bool) -> Iterator[StoredBatch]:
        after: UUID | None = None
        while True:
            rows, after = self._run(
                lambda client, after=after: self._shelf.page(  # type: ignore[misc]
                    client, after=after, with_vectors=with_vectors
                )
            )
            if rows:
                yield objects.batch(rows, self._spec.dimensions, with_vectors=with_vectors)
            if after is None:
                return

    def _run(self, call: Callable[[WeaviateClient], T]) -> T:
        return self._engine.run(call, about=self._spec.name, explain=self._require_all)

    def _refresh(self, client: WeaviateClient) -> None:
        if time.monotonic() - self._owned > OWNED:
            self._require_own(client)
            self._size = self._shelf.chunks(client)

    def _kept(self, client: WeaviateClient, where: Filter | None) -> FilterReturn | None:
        if where is None:
            return None
        prefix = self._shelf.prefix
        if properties_of(where, prefix=prefix) - self._fields:  # someone may have added it
            self._require_own(client)
        return condition(where, self._fields, prefix=prefix)

    def _add(self, client: WeaviateClient, name: str) -> None:
        """Give the class a property; someone else may do so at the same time."""
        try:
            made = field_property(name, prefix=self._shelf.prefix)
            self._shelf.handle(client).config.add_property(made)
        except (UnexpectedStatusCodeError, WeaviateInvalidInputError):
            self._require_own(client)
            if name not in self._fields:
                raise
        self._fields |= {name}

    def _settle(self, client: WeaviateClient) -> None:
        """Wait for the vectors that the server indexes later than it writes them.

        Raises:
            UnavailableError: they are not indexed in time.
        """
        for _ in range(LOOKS):
            if not self._shelf.is_indexing(client):
                return
            Event().wait(LOOK_S)
        raise BackendUnavailableError(
            f"{self._spec.name}: the server has not indexed what was written",
            hint="it indexes later than it writes: ASYNC_INDEXING",
        )

    def _require_own(self, client: WeaviateClient) -> None:
        """Refuse a class that someone put in the place of this one (INV-1)."""
        seen = look(client, self._spec.name)
        if seen.spec is None or seen.spec.fingerprint != self._spec.fingerprint:
            raise FingerprintMismatchError(
                collection=self._spec.name,
                expected=self._spec.fingerprint,
                found=seen.spec.fingerprint if seen.spec else None,
            )
        self._keep(seen.fields)

    def _keep(self, fields: frozenset[str]) -> None:
        self._fields = fields
        self._owned = time.monotonic()

    def _require_all(self, client: WeaviateClient) -> None:
        """Find out why the server may have said no."""
        self._require_own(client)
        require_tenant(client, self._spec.name, self._tenant)


def _check(limit: int) -> None:
    if limit >= MOST:
        raise UnsupportedError(
            driver="weaviate", what=f"{limit} hits", hint=f"fewer than {MOST} at a time"
        )


def _ties(found: Sequence[Hit], limit: int) -> bool:
    """Return whether more may have the score of the last hit that fits."""
    return len(found) > limit and found[limit - 1].score == found[-1].score


def _best(found: Sequence[Hit], limit: int) -> list[Hit]:
    return sorted(found, key=lambda one: (-one.score, one.document, one.slot))[:limit]
