"""Taking over a collection that a team made itself, where it stands.

A backend whose ``Capabilities.adopts`` is True has a method ``adopter``, as in
``AdoptingBackend``. ``repoint.testing.AdoptionSuite`` checks each promise by the name in
brackets. Whatever an adopter notes of its own stands beside the team's rows or in fields of
its own names: until something is written through repoint, no vector and no field of the
team's changes [in-place].
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

import numpy as np

from repoint.domain.adoption import Bypass, Layout
from repoint.domain.document import Document, Entry
from repoint.domain.errors import UnsupportedError
from repoint.domain.ids import CollectionName
from repoint.ports.backend import Backend, CollectionSpec, FloatMatrix, FloatVector


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a team says of its collection."""

    collection: str
    id_field: str
    text_field: str
    title_field: str = ""
    #: Empty: the only field with vectors.
    vector_field: str = ""
    #: Names; None takes every field that can be taken.
    metadata: tuple[str, ...] | None = ()
    #: A field with an object whose keys are metadata fields.
    object_field: str = ""
    #: Fields, or keys of that object, which are left where they are.
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """What stands in a foreign collection."""

    #: The wish, completed from the database.
    layout: Layout
    #: How many rows there are, about.
    rows: int
    dimensions: int
    #: What has the name that the database's alias would take; empty when it is free.
    name_taken_by: str = ""
    #: Fields that are left where they are, and why.
    left_out: Mapping[str, str] = field(default_factory=dict)
    #: The alias by which it was named, where that is another name than its own.
    named_by: str = ""
    #: The database keeps unit vectors only, so nothing can be told from their length.
    normalises: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignRow:
    """One row as a document."""

    document: Document
    #: Tells whether the row has changed since; only the backend reads it.
    state: str
    #: It has a text and no vector.
    bare: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignPage:
    """Consecutive rows in the order of the scan."""

    rows: Sequence[ForeignRow]
    #: One row each, NaN where there is no vector; None where nobody asked for them.
    vectors: FloatMatrix | None = None
    #: Rows without an id or text, which are no documents.
    without_text: int = 0
    #: Where the next page begins; None after the last.
    cursor: str | None = None

    @classmethod
    def of(
        cls,
        found: Iterable[tuple[Document, str, FloatVector | None]],
        *,
        cursor: str | None = None,
    ) -> ForeignPage:
        """Return documents with their rows' states and vectors as a page.

        Those without an id or a text are counted and left out.
        """
        kept, without = [], 0
        for one in found:
            if one[0].id and one[0].text.strip():
                kept.append(one)
            else:
                without += 1
        length = next((len(vector) for _, _, vector in kept if vector is not None), 0)
        matrix = np.full((len(kept), length), np.nan, dtype=np.float32)
        for place, (_, _, vector) in enumerate(kept):
            if vector is not None:
                matrix[place] = vector
        rows = [
            ForeignRow(document=document, state=state, bare=vector is None)
            for document, state, vector in kept
        ]
        return cls(rows=rows, vectors=matrix, without_text=without, cursor=cursor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What repoint knows of a row that it takes over."""

    #: With at most one chunk.
    entry: Entry
    #: As it was read with the row.
    state: str


class Adopter(Protocol):
    """Takes over collections of one backend. Safe to use from many threads."""

    def look(self, wish: Wish, *, alias: str) -> Foreign:
        """Return what stands there; nothing is written.

        Raises:
            NotFoundError: there is no such collection or field; it lists those there are.
            UnsupportedError: its layout cannot be adopted; it says why and what to do.
        """
        ...

    def sample(self, layout: Layout, *, count: int, seed: int) -> ForeignPage:
        """Return rows drawn over the whole collection, with their vectors [sampled]."""
        ...

    def read(self, layout: Layout, *, after: str, limit: int) -> ForeignPage:
        """Return the next rows of a scan that can be taken up anywhere [resumable]."""
        ...

    def begin(self, spec: CollectionSpec) -> None:
        """Make a place for what is noted of ``spec.adopted``; again is no error.

        From here on ``Backend.open`` opens the collection by ``spec.name`` [opens].

        Raises:
            FingerprintMismatchError: another release's collection has the name.
            AlreadyExistsError: another release has adopted the same collection.
        """
        ...

    def note(self, name: CollectionName, notes: Sequence[Note]) -> None:
        """Note rows as they were read, unless a higher LSN is noted [newest-lsn-wins].

        Noting again changes nothing [idempotent].
        """
        ...

    def bypassed(self, name: CollectionName) -> Iterator[Bypass]:
        """Yield the documents that are not as repoint wrote or noted them [found]."""
        ...

    def destroy(self, name: CollectionName) -> None:
        """Delete the team's collection and all that was noted of it; gone is no error.

        ``Backend.drop`` deletes only what was noted and leaves the rest [let-go].
        """
        ...


class AdoptingBackend(Protocol):
    """A backend that can adopt."""

    def adopter(self) -> Adopter:
        """Return what takes collections over."""
        ...


def adopter_of(backend: Backend) -> Adopter:
    """Return a backend's adopter.

    Raises:
        UnsupportedError: its capabilities say that it has none.
    """
    if not backend.capabilities.adopts:
        raise UnsupportedError(
            driver=backend.capabilities.name,
            what="adopting a collection",
            hint="write its documents into an index instead: repoint ingest",
        )
    adopting: AdoptingBackend = cast("AdoptingBackend", backend)
    return adopting.adopter()
