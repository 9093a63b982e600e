"""The calls on a team's own class, each within the server's limits."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random
from typing import Final, cast
from uuid import UUID, uuid5

from weaviate import WeaviateClient
from weaviate.classes.data import DataObject
from weaviate.classes.query import Filter as Where
from weaviate.collections.classes.types import WeaviateProperties
from weaviate.exceptions import UnexpectedStatusCodeError

from repoint.backends.weaviate.classes import NOTE
from repoint.backends.weaviate.layouts import (
    PREFIX,
    Found,
    document_of,
    has_own_ids,
    id_of,
    names_of,
    note_of,
)
from repoint.backends.weaviate.objects import Written, whole
from repoint.backends.weaviate.shelf import (
    HEAVY_PAGE,
    MOST,
    NAMED,
    Ranked,
    Shelf,
    is_of_object,
)
from repoint.domain.adoption import FieldKind, Layout
from repoint.domain.document import Json
from repoint.domain.errors import RowsRefusedError
from repoint.domain.ids import DocumentId, Lsn
from repoint.ports.backend import CollectionSpec, FloatVector, Hit

#: Objects that are changed at the same time: each is a call of its own, which touches only
#: what it names, so that nothing is lost that the team writes meanwhile.
AT_ONCE: Final = 8
#: What ids of new objects are made from where documents have others.
_SPACE: Final = UUID("6b0f6c1e-3f0c-4e57-8f0a-51d2e4a90b11")
_NOT_FOUND: Final = 404
_WORD: Final = re.compile(r"[^\W_]+")
#: What the server may leave out of a text, unless its class says otherwise.
STOPWORDS: Final = frozenset(
    (
        *(
            "a",
            "an",
            "and",
            "are",
            "as",
            "at",
            "be",
            "but",
            "by",
            "for",
            "if",
            "in",
            "into",
            "is",
        ),
        *("it", "no", "not", "of", "on", "or", "such", "that", "the", "their", "then", "there"),
        *("these", "they", "this", "to", "was", "will", "with"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is changed of one object; None takes a property away."""

    place: UUID
    properties: Mapping[str, Json]
    vector: FloatVector | None = None


class TeamShelf(Shelf):
    """One class of a team."""

    prefix = PREFIX

    def __init__(self, spec: CollectionSpec, layout: Layout) -> None:
        super().__init__(spec)
        self._layout = layout
        self._class = layout.collection
        self._vector = layout.vector or None
        self._text = layout.text.name
        self._shown = (PREFIX + NOTE, *names_of(layout))
        self._stopwords: frozenset[str] | None = None

    def hit(self, found: Ranked, score: float) -> Hit:
        """Return a found object as a hit: as it was noted."""
        note = note_of(found)
        text = note.get("text")
        return Hit(
            document=id_of(self._layout, found),
            slot=0,
            lsn=Lsn(whole(note["lsn"])),
            score=score,
            text=document_of(self._layout, found).text if text is None else str(text),
            start=whole(note["start"]),
            end=whole(note["end"]),
            metadata=json.loads(str(note["metadata"])),
        )

    def objects_after(
        self,
        client: WeaviateClient,
        after: UUID | None,
        *,
        limit: int = HEAVY_PAGE,
        names: Sequence[str] | None = None,
        with_vectors: bool = False,
    ) -> list[Found]:
        """Return the objects that follow an id, in the order of ids."""
        found = self.handle(client).query.fetch_objects(
            limit=limit,
            after=after,
            include_vector=with_vectors,
            return_properties=list(self._shown if names is None else names),
        )
        return list(found.objects)

    def objects_of(
        self, client: WeaviateClient, documents: Iterable[DocumentId], *, with_vectors: bool
    ) -> dict[DocumentId, Found]:
        """Return the objects of these documents; of several, one that is noted."""
        held = [one for one in dict.fromkeys(documents) if not self._layout.id.refuses_id(one)]
        found: list[Found] = []
        for start in range(0, len(held), NAMED):
            found += self._named(client, held[start : start + NAMED], with_vectors=with_vectors)
        wanted = set(held)
        found.sort(key=lambda one: bool(note_of(one)))
        named = {id_of(self._layout, one): one for one in found}
        return {name: one for name, one in named.items() if name in wanted}

    def by_ids(
        self,
        client: WeaviateClient,
        places: Sequence[UUID],
        *,
        names: Sequence[str] | None = None,
        with_vectors: bool,
    ) -> list[Found]:
        """Return the objects that have these ids."""
        found: list[Found] = []
        for start in range(0, len(places), NAMED):
            part = places[start : start + NAMED]
            found += (
                self.handle(client)
                .query.fetch_objects_by_ids(
                    part,
                    limit=len(part),
                    include_vector=with_vectors,
                    return_properties=list(self._shown if names is None else names),
                )
                .objects
            )
        return found

    def drawn(self, client: WeaviateClient, *, count: int, seed: int) -> list[Found]:
        """Return objects drawn over the whole class, with their vectors.

        Ids that are spread evenly are drawn by chance; of others all are looked at.
        """
        random = Random(seed)  # noqa: S311 - a sample, no secret
        handle = self.handle(client)
        few = handle.query.fetch_objects(limit=MOST, return_properties=[]).objects
        if len(few) < MOST:
            ids = sorted(one.uuid for one in few)
            return self._drawn(client, random.sample(ids, min(count, len(ids))))
        places = {
            one.uuid
            for _ in range(count)
            for one in self.objects_after(
                client, UUID(int=random.getrandbits(128)), limit=1, names=()
            )
        }
        if 2 * len(places) < count:
            places = set(self._reservoir(client, random, count))
        return self._drawn(client, sorted(places))

    def _drawn(self, client: WeaviateClient, places: Sequence[UUID]) -> list[Found]:
        names = names_of(self._layout)  # no release may have added its own yet
        return self.by_ids(client, places, names=names, with_vectors=True)

    def change(self, client: WeaviateClient, changes: Sequence[Change]) -> None:
        """Change objects, several at a time; one that is gone meanwhile stays gone."""
        data = self.handle(client).data

        def one(change: Change) -> None:
            vector = None if change.vector is None else self._held(change.vector)
            try:
                held = cast("WeaviateProperties", change.properties)
                data.update(change.place, properties=held, vector=vector)
            except UnexpectedStatusCodeError as error:
                if is_of_object(error.message):
                    raise RowsRefusedError(driver="weaviate", why=error.message) from error
                if error.status_code != _NOT_FOUND:
                    raise

        if len(changes) == 1:
            one(changes[0])
        elif changes:
            with ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(one, changes))

    def made(self, place: UUID, properties: Mapping[str, Json], vector: FloatVector) -> Written:
        """Return a new object."""
        kept = {name: value for name, value in properties.items() if value is not None}
        held = cast("WeaviateProperties", kept)
        return DataObject(uuid=place, properties=held, vector=self._held(vector))

    def new_ids(
        self, client: WeaviateClient, documents: Sequence[tuple[DocumentId, Lsn]]
    ) -> dict[DocumentId, UUID]:
        """Return ids for new objects, at which none of the team's stands."""
        if has_own_ids(self._layout):
            return {name: UUID(name) for name, _ in documents}
        found = {name: uuid5(_SPACE, name) for name, _ in documents}
        taken = {
            one.uuid for one in self.by_ids(client, list(found.values()), with_vectors=False)
        }
        return {
            name: uuid5(_SPACE, f"{lsn} {name}") if found[name] in taken else found[name]
            for name, lsn in documents
        }

    def remove(self, client: WeaviateClient, places: Sequence[UUID]) -> None:
        """Delete objects by their ids."""
        for start in range(0, len(places), NAMED):
            part = places[start : start + NAMED]
            self.delete(client, Where.by_id().contains_any(part))

    def _held(self, vector: FloatVector) -> list[float] | dict[str, list[float]]:
        values: list[float] = vector.tolist()
        return {self._vector: values} if self._vector else values

    def _named(
        self, client: WeaviateClient, documents: Sequence[DocumentId], *, with_vectors: bool
    ) -> list[Found]:
        if has_own_ids(self._layout):
            places = [UUID(one) for one in documents]
            return self.by_ids(client, places, with_vectors=with_vectors)
        elusive = [one for one in documents if self._is_elusive(client, one)]
        places = self._looked_through(client, elusive)
        found = self.by_ids(client, places, with_vectors=with_vectors)
        others = sorted(set(documents) - set(elusive))
        return found + self._asked(client, others, with_vectors=with_vectors)

    def _asked(
        self, client: WeaviateClient, documents: Sequence[DocumentId], *, with_vectors: bool
    ) -> list[Found]:
        """Return the objects that the server finds; of a text it may find more."""
        if not documents:
            return []
        kind = self._layout.id.kind
        values: Sequence[str] | Sequence[int] | Sequence[UUID] = list(documents)
        if kind is FieldKind.INTEGER:
            values = [int(one) for one in documents]
        elif kind is FieldKind.UUID:
            values = [UUID(one) for one in documents]
        found = (
            self.handle(client)
            .query.fetch_objects(
                filters=Where.by_property(self._layout.id.name).contains_any(values),
                limit=HEAVY_PAGE if with_vectors else MOST,
                include_vector=with_vectors,
                return_properties=list(self._shown),
            )
            .objects
        )
        if len(found) < (HEAVY_PAGE if with_vectors else MOST):
            return list(found)
        if len(documents) == 1:
            places = self._looked_through(client, documents)
            return self.by_ids(client, places, with_vectors=with_vectors)
        half = len(documents) // 2
        return [
            *self._asked(client, documents[:half], with_vectors=with_vectors),
            *self._asked(client, documents[half:], with_vectors=with_vectors),
        ]

    def _is_elusive(self, client: WeaviateClient, document: DocumentId) -> bool:
        """Return whether a text has no word that the server would look for."""
        if self._layout.id.kind is not FieldKind.TEXT:
            return False
        if self._stopwords is None:
            said = self.handle(client).config.get().inverted_index_config.stopwords
            added, removed = (set(found or ()) for found in (said.additions, said.removals))
            self._stopwords = frozenset((STOPWORDS | added) - removed)
        return all(word in self._stopwords for word in _WORD.findall(document.lower()))

    def _looked_through(
        self, client: WeaviateClient, documents: Sequence[DocumentId]
    ) -> list[UUID]:
        """Return where documents are that no condition finds: all ids are looked at."""
        wanted = set(documents)
        if not wanted:
            return []
        return [
            one.uuid
            for page in self.pages(client, names=[self._layout.id.name], limit=MOST)
            for one in page
            if id_of(self._layout, one) in wanted
        ]

    def _reservoir(self, client: WeaviateClient, random: Random, count: int) -> list[UUID]:
        kept: list[UUID] = []
        seen = 0
        for page in self.pages(client, names=(), limit=MOST):
            for one in page:
                seen += 1
                if len(kept) < count:
                    kept.append(one.uuid)
                elif (place := random.randrange(seen)) < count:
                    kept[place] = one.uuid
        return kept

    def pages(
        self, client: WeaviateClient, *, names: Sequence[str], limit: int
    ) -> Iterator[list[Found]]:
        """Yield all objects, without vectors."""
        after: UUID | None = None
        while found := self.objects_after(client, after, limit=limit, names=names):
            yield found
            after = found[-1].uuid
