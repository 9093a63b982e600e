"""Taking over a team's own collection (``ports.adoption.Adopter``)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Final

from repoint.backends.chroma import records
from repoint.backends.chroma.layouts import layout_of
from repoint.backends.chroma.notes import ChromaNotes
from repoint.backends.chroma.server import Server
from repoint.backends.chroma.team import ChromaTeamRows
from repoint.beside.collection import AdoptedCollection
from repoint.beside.reading import page_of, sampled
from repoint.domain.adoption import Bypass, Layout
from repoint.domain.errors import (
    AlreadyExistsError,
    CollectionMissingError,
    FingerprintMismatchError,
    NotFoundError,
    UnsupportedError,
)
from repoint.domain.ids import CollectionName
from repoint.domain.spec import Distance
from repoint.ports.adoption import Foreign, ForeignPage, Note, Wish
from repoint.ports.backend import CollectionSpec
from repoint.ports.turns import turns_at

_SPACES: Final = {Distance.COSINE: "cosine", Distance.DOT: "ip", Distance.L2: "l2"}
#: Stands before a cursor, which is an id.
_CURSOR: Final = ">"


class ChromaAdopter:
    """Takes over collections of one database."""

    def __init__(self, server: Server) -> None:
        self._server = server
        #: The ids that a scan goes over, by collection: the server gives them in no order.
        self._ids: dict[str, list[str]] = {}

    def look(self, wish: Wish, *, alias: str) -> Foreign:
        """Return what stands there; Chroma has no alias whose name could be taken."""
        del alias
        names = sorted(one.name for one in self._server.collections())
        if wish.collection not in names:
            raise NotFoundError(what="collection", name=wish.collection, known=names)
        shape = self._server.shape(wish.collection)
        layout = layout_of(self._server, shape.id, wish)
        return Foreign(
            layout=layout,
            rows=self._server.count(shape.id),
            dimensions=shape.dimension or 0,
        )

    def sample(self, layout: Layout, *, count: int, seed: int) -> ForeignPage:
        """Return records drawn over the whole collection, by their ids."""
        return sampled(self._rows(layout), count=count, seed=seed)

    def read(self, layout: Layout, *, after: str, limit: int) -> ForeignPage:
        """Return the records that follow in the order of their ids, as they were at first."""
        rows = self._rows(layout)
        if not after or layout.collection not in self._ids:
            self._ids[layout.collection] = [key for page in rows.keys() for key in page]  # noqa: SIM118
        ids = self._ids[layout.collection]
        first = bisect_right(ids, after.removeprefix(_CURSOR)) if after else 0
        part = ids[first : first + limit]
        whole = first + limit >= len(ids)
        return page_of(rows.read(part), cursor=None if whole else _CURSOR + part[-1])

    def begin(self, spec: CollectionSpec) -> None:
        """Make the collection of notes."""
        layout = spec.adopted
        if layout is None or spec.lexical:
            raise UnsupportedError(driver="chroma", what="hybrid search")
        kept, wanted = self._server.shape(layout.collection).space, _SPACES[spec.distance]
        if kept != wanted:
            raise UnsupportedError(
                driver="chroma",
                what=f"distance {spec.distance} in {layout.collection}, which was made for "
                f"{kept}",
                hint="declare the distance that it was made with",
            )
        if self._server.described(spec.name) is None:
            self._require_free(layout)
            self._make(spec)
        found = self._server.described(spec.name)
        carried = None if found is None else records.spec_of(found)
        if carried is None or carried.fingerprint != spec.fingerprint:
            raise FingerprintMismatchError(
                collection=spec.name,
                expected=spec.fingerprint,
                found=carried.fingerprint if carried else None,
            )

    def note(self, name: CollectionName, notes: Sequence[Note]) -> None:
        """Note records beside them."""
        if notes:
            self.opened(name).note(notes)

    def bypassed(self, name: CollectionName) -> Iterator[Bypass]:
        """Yield what is not as it was noted."""
        return self.opened(name).bypassed()

    def destroy(self, name: CollectionName) -> None:
        """Delete the team's collection, then what stands beside it."""
        spec, _ = self._described(name)
        if spec is not None and spec.adopted is not None:
            self._server.delete(spec.adopted.collection)
        self._server.delete(name)

    def opened(self, name: CollectionName) -> AdoptedCollection:
        """Return an adopted collection."""
        spec, collection = self._described(name)
        if spec is None or spec.adopted is None:
            raise CollectionMissingError(collection=name)
        shape = self._server.shape(spec.adopted.collection)
        return AdoptedCollection(
            spec=spec,
            driver="chroma",
            rows=ChromaTeamRows(self._server, spec.adopted, shape.id, distance=spec.distance),
            notes=ChromaNotes(self._server, spec, collection),
            turns=turns_at((self._server.address, name)),
        )

    def _described(self, name: CollectionName) -> tuple[CollectionSpec | None, str]:
        found = self._server.described(name)
        return (None, "") if found is None else (records.spec_of(found), found.id)

    def _rows(self, layout: Layout) -> ChromaTeamRows:
        return ChromaTeamRows(self._server, layout, self._server.shape(layout.collection).id)

    def _make(self, spec: CollectionSpec) -> None:
        try:
            self._server.create(
                spec.name, metadata=records.metadata_of(spec), hnsw={"space": "l2"}
            )
        except AlreadyExistsError:
            return  # another process was faster

    def _require_free(self, layout: Layout) -> None:
        for one in self._server.collections():
            spec = records.spec_of(one)
            if spec and spec.adopted and spec.adopted.collection == layout.collection:
                raise AlreadyExistsError(
                    what="adoption of", name=f"{layout.collection} as {spec.name}"
                )
