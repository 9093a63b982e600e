"""A team's own class as one of repoint's: its objects stay, a note is added to them.

What a search needs stands in the team's objects, in properties that begin with ``repoint_``.
Beside the class stands one of repoint's with an object for each document that it knows of:
positions, and tombstones, which never stand among the team's objects.

A write goes into the team's objects first and beside them second, a delete the other way
round. Each object is changed by a call that touches only what it names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from uuid import UUID

import numpy as np
from weaviate import WeaviateClient
from weaviate.classes.query import Filter as Where
from weaviate.collections.classes.config import CollectionConfig
from weaviate.collections.classes.filters import FilterReturn
from weaviate.exceptions import UnexpectedStatusCodeError

from repoint.backends.weaviate.classes import GUARD, NOTE, look
from repoint.backends.weaviate.collection import SHARE, WeaviateCollection
from repoint.backends.weaviate.engine import Engine
from repoint.backends.weaviate.filters import filled
from repoint.backends.weaviate.layouts import (
    PREFIX,
    Found,
    document_of,
    id_of,
    index_of,
    made_of,
    note_of,
    properties_of,
    state_of,
    vector_of,
)
from repoint.backends.weaviate.names import object_id
from repoint.backends.weaviate.noting import BYPASSED, notes_of, position_of, unknown
from repoint.backends.weaviate.objects import whole
from repoint.backends.weaviate.shelf import PAGE, Shelf, groups, of_documents
from repoint.backends.weaviate.team import Change, TeamShelf
from repoint.domain.adoption import Layout
from repoint.domain.document import Entry, Json
from repoint.domain.errors import (
    CollectionMissingError,
    FingerprintMismatchError,
    UnsupportedError,
)
from repoint.domain.filters import Filter
from repoint.domain.ids import DocumentId, Lsn
from repoint.ports.adoption import Note
from repoint.ports.backend import CollectionSpec, Counts, FloatMatrix, SpaceMatrix, StoredBatch
from repoint.ports.spaces import chunk_rows

_NOT_FOUND: Final = 404
#: The server's own, where a class says nothing: below it a filtered search compares all.
_CUTOFF: Final = 40_000


class AdoptedWeaviateCollection(WeaviateCollection):
    """One class of a team, and what is known of its objects."""

    def __init__(self, *, spec: CollectionSpec, layout: Layout, engine: Engine) -> None:
        super().__init__(spec=spec, engine=engine)
        self._layout = layout
        self._team = TeamShelf(spec, layout)
        self._shelf = self._team
        self._beside = Shelf(spec)
        self._graph, self._cutoff = True, _CUTOFF

    def put(self, entries: Sequence[Entry], vectors: SpaceMatrix) -> None:
        """Write whole documents into the team's own objects, unless a higher LSN is there."""
        matrix = chunk_rows(self._spec, entries, vectors)
        given = [entry for entry in entries if entry.chunks]
        for entry in given:
            if len(entry.chunks) > 1 or entry.content is None:
                raise UnsupportedError(
                    driver="weaviate",
                    what=f"document {entry.document!r} with {len(entry.chunks)} chunks in an "
                    "adopted class, which has one vector an object",
                )
        rows = dict(zip([one.document for one in given], matrix, strict=True))

        def write(client: WeaviateClient) -> None:
            self._require_own(client)
            newest = self._newest(client, entries)
            if filled_ := [one for one in newest if one.chunks]:
                self._fill(client, filled_, rows)
            if emptied := [one for one in newest if not one.chunks]:
                self._empty(client, emptied)

        if entries:
            with self._writing.of(entry.document for entry in entries):
                self._run(write)
            self._run(self._settle)

    def note(self, notes: Sequence[Note]) -> None:
        """Note objects that stand already."""
        states = {note.entry.document: note.state for note in notes}

        def write(client: WeaviateClient) -> None:
            self._require_own(client)
            newest = self._newest(client, [note.entry for note in notes])
            there = self._team.objects_of(client, states, with_vectors=False)
            changes = []
            for entry in newest:
                found = there.get(entry.document)
                if found is None or whole(note_of(found).get("lsn", -1)) > entry.lsn:
                    continue
                state, _, made = states[entry.document].partition(" ")
                noted = self._noted(client, entry, before=found, state=state, made=made)
                changes.append(Change(place=found.uuid, properties=noted))
            self._team.change(client, changes)
            self._position(client, newest, emptied=False)

        if notes:
            with self._writing.of(note.entry.document for note in notes):
                self._run(write)

    def stored(
        self, documents: Sequence[DocumentId], *, with_vectors: bool = False
    ) -> StoredBatch:
        """Return what stands for these documents, in their order."""
        named = list(dict.fromkeys(documents))

        def read(client: WeaviateClient) -> list[Found]:
            self._require_own(client)
            found = self._team.objects_of(client, named, with_vectors=True)
            return [found[one] for one in named if one in found]

        return self._batch(self._run(read), with_vectors=with_vectors)

    def counts(self) -> Counts:
        """Return how much of it repoint knows."""

        def read(client: WeaviateClient) -> Counts:
            self._require_own(client)
            known = self._team.chunks(client)
            emptied = Where.by_property(GUARD).greater_or_equal(0)
            return Counts(
                documents=known, chunks=known, emptied=self._beside.count(client, emptied)
            )

        return self._run(read)

    def purge(
        self, documents: Sequence[DocumentId] = (), *, emptied_below: Lsn | None = None
    ) -> None:
        """Delete objects that repoint wrote or noted, and what it knows of them."""

        def delete(client: WeaviateClient) -> None:
            self._require_own(client)
            there = self._team.objects_of(client, documents, with_vectors=False)
            self._team.remove(client, [one.uuid for one in there.values() if _is_known(one)])
            for group in groups(documents):
                self._beside.delete(client, of_documents(group))
            if emptied_below is not None:
                self._beside.delete(client, Where.by_property(GUARD).less_than(emptied_below))

        with self._writing.alone():
            self._run(delete)

    def positions(self) -> dict[DocumentId, tuple[Lsn, bool]]:
        """Return the position of each document that is known, and whether it was emptied."""
        found: dict[DocumentId, tuple[Lsn, bool]] = {}
        after: UUID | None = None
        while True:

            def read(client: WeaviateClient, after: UUID | None = after) -> list[Found]:
                page = self._beside.handle(client).query.fetch_objects(
                    limit=PAGE, after=after, return_properties=["document", "lsn", GUARD]
                )
                return list(page.objects)

            page = self._run(read)
            for one in page:
                held = one.properties
                emptied = held[GUARD] is not None
                found[DocumentId(str(held["document"]))] = Lsn(whole(held["lsn"])), emptied
            if not page:
                return found
            after = page[-1].uuid

    def pages(self, *, with_vectors: bool) -> Iterator[list[Found]]:
        """Yield the team's objects, page by page in the order of their ids."""
        after: UUID | None = None
        while page := self._run(
            lambda client, after=after: self._team.objects_after(  # type: ignore[misc]
                client, after, with_vectors=with_vectors
            )
        ):
            yield page
            after = page[-1].uuid

    # What the team's class holds in another form

    @property
    def _has_graph(self) -> bool:
        return self._graph

    @property
    def _share(self) -> int:
        return max(min(SHARE, self._cutoff * 3 // 4), 1)

    def _kept(self, client: WeaviateClient, where: Filter | None) -> FilterReturn:
        known = filled(prefix=PREFIX)
        asked = super()._kept(client, where)
        return known if asked is None else known & asked

    def _pages(self, *, with_vectors: bool) -> Iterator[StoredBatch]:
        for page in self.pages(with_vectors=True):
            batch = self._batch(page, with_vectors=with_vectors)
            if len(batch.documents):
                yield batch

    def _require_own(self, client: WeaviateClient) -> None:
        """Refuse a class that the team made anew: what was known of it is gone."""
        seen = look(client, self._spec.name)
        config = config_of(client, self._layout)
        names = frozenset(one.name for one in config.properties if one.name.startswith(PREFIX))
        if (
            seen.spec is None
            or seen.spec.fingerprint != self._spec.fingerprint
            or PREFIX + NOTE not in names
        ):
            raise FingerprintMismatchError(
                collection=self._spec.name,
                expected=self._spec.fingerprint,
                found=seen.spec.fingerprint if seen.spec else None,
            )
        index = index_of(config, self._layout)
        index = getattr(index, "hnsw", None) or index
        cutoff = getattr(index, "flat_search_cutoff", None)
        self._graph, self._cutoff = cutoff is not None, cutoff or _CUTOFF
        self._keep(names)

    # Writing

    def _fill(
        self,
        client: WeaviateClient,
        entries: Sequence[Entry],
        rows: Mapping[DocumentId, object],
    ) -> None:
        there = self._team.objects_of(
            client, [one.document for one in entries], with_vectors=False
        )
        missing = [(one.document, one.lsn) for one in entries if one.document not in there]
        places = self._team.new_ids(client, missing)
        changes, made = [], []
        for entry in entries:
            assert entry.content is not None  # noqa: S101 - ``put`` saw to it
            found = there.get(entry.document)
            if found is not None and whole(note_of(found).get("lsn", -1)) > entry.lsn:
                continue
            vector = np.asarray(rows[entry.document], dtype=np.float32)
            team = properties_of(self._layout, entry.content)
            state = state_of(self._layout, team)
            noted = self._noted(client, entry, before=found, state=state, made=made_of(vector))
            whole_ = {**team, **noted}
            if found is None:
                made.append(self._team.made(places[entry.document], whole_, vector))
            else:
                changes.append(Change(place=found.uuid, properties=whole_, vector=vector))
        self._team.change(client, changes)
        self._team.write(client, made)
        self._position(client, entries, emptied=False)

    def _empty(self, client: WeaviateClient, entries: Sequence[Entry]) -> None:
        """Write tombstones; a document that cannot be taken leaves its object as it is."""
        self._position(client, entries, emptied=True)
        there = self._team.objects_of(
            client, [one.document for one in entries], with_vectors=False
        )
        gone, changes = [], []
        for entry in entries:
            found = there.get(entry.document)
            if found is None or whole(note_of(found).get("lsn", -1)) > entry.lsn:
                continue
            if entry.content is None:
                gone.append(found.uuid)
                continue
            state = state_of(self._layout, found.properties)
            changes.append(Change(place=found.uuid, properties=unknown(entry, state=state)))
        self._team.change(client, changes)
        self._team.remove(client, gone)

    def _noted(
        self,
        client: WeaviateClient,
        entry: Entry,
        *,
        before: Found | None,
        state: str,
        made: str,
    ) -> dict[str, Json]:
        """Return what is added to an object, once the class has the properties for it."""
        noted = notes_of(entry, before=before, state=state, made=made)
        needed = {name for name, value in noted.items() if value is not None}
        for name in sorted(needed - self._fields):
            self._add(client, name)
        return noted

    def _newest(self, client: WeaviateClient, entries: Sequence[Entry]) -> list[Entry]:
        """Return the entries that are not older than what stands beside the team's objects."""
        standing = self._beside.standing(client, [one.document for one in entries])
        return [
            one for one in entries if standing.get(object_id(one.document, 0), -1) <= one.lsn
        ]

    def _position(
        self, client: WeaviateClient, entries: Sequence[Entry], *, emptied: bool
    ) -> None:
        positions = (position_of(one, emptied=emptied) for one in entries)
        self._beside.write(client, positions)

    # Reading

    def _batch(self, found: Sequence[Found], *, with_vectors: bool) -> StoredBatch:
        kept = [one for one in found if self._stands(one)]
        vectors: FloatMatrix = np.full(
            (len(kept), self._spec.dimensions), np.nan, dtype=np.float32
        )
        digests = []
        for place, one in enumerate(kept):
            note, vector = note_of(one), vector_of(self._layout, one)
            fits = vector is not None and vector.shape == (self._spec.dimensions,)
            if vector is not None and fits and made_of(vector) == note.get("made"):
                vectors[place] = vector
            same = note.get("state") == state_of(self._layout, one.properties)
            digests.append(str(note["digest"]) if note.get("known") and same else BYPASSED)
        return StoredBatch(
            documents=[id_of(self._layout, one) for one in kept],
            slots=np.zeros(len(kept), dtype=np.int32),
            lsns=np.array([whole(note_of(one).get("lsn", 0)) for one in kept], np.int64),
            digests=digests,
            vectors=vectors if with_vectors else None,
        )

    def _stands(self, found: Found) -> bool:
        note = note_of(found)
        if note.get("known"):
            return True
        changed = note.get("state") != state_of(self._layout, found.properties)
        return changed and bool(document_of(self._layout, found).text.strip())


def config_of(client: WeaviateClient, layout: Layout) -> CollectionConfig:
    """Return a team's class as it stands.

    Raises:
        CollectionMissingError: it is gone, or the name is an alias now.
    """
    try:
        config = client.collections.use(layout.collection).config.get()
    except UnexpectedStatusCodeError as error:
        if error.status_code != _NOT_FOUND:
            raise
        raise CollectionMissingError(collection=layout.collection) from error
    if config.name != layout.collection:
        raise CollectionMissingError(collection=layout.collection)
    return config


def _is_known(found: Found) -> bool:
    return bool(note_of(found).get("known"))
