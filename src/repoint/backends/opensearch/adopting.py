"""Taking over a team's own index (``ports.adoption.Adopter``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from opensearchpy import OpenSearch
from opensearchpy.exceptions import RequestError

from repoint.backends.opensearch import aliases, describing, rows
from repoint.backends.opensearch.adopted import AdoptedOpenSearchCollection
from repoint.backends.opensearch.collection import look
from repoint.backends.opensearch.documents import physical
from repoint.backends.opensearch.engine import Engine
from repoint.backends.opensearch.layouts import (
    Row,
    document_of,
    has_own_ids,
    id_of,
    state_of,
    vector_of,
)
from repoint.backends.opensearch.noting import beside_of, mapping_of_notes
from repoint.backends.opensearch.reading import ids_of, page_of, sample_of, unasked
from repoint.domain.adoption import Bypass, BypassKind, Layout
from repoint.domain.errors import (
    AlreadyExistsError,
    CollectionMissingError,
    ConflictError,
    FingerprintMismatchError,
    UnsupportedError,
)
from repoint.domain.ids import CollectionName, DocumentId, Lsn
from repoint.ports.adoption import Foreign, ForeignPage, Note, Wish
from repoint.ports.backend import CollectionSpec

_TAKEN = "resource_already_exists_exception"


class OpenSearchAdopter:
    """Takes over indices of one OpenSearch."""

    def __init__(
        self, engine: Engine, *, specs: Callable[[], Sequence[CollectionSpec]]
    ) -> None:
        self._engine = engine
        self._specs = specs

    def look(self, wish: Wish, *, alias: str) -> Foreign:
        """Return what stands there."""

        def read(client: OpenSearch) -> Foreign:
            index = describing.resolved(client, wish.collection)
            describing.require_open(client, index)
            layout, left_out = describing.layout_of(client, wish, index)
            mapping = client.indices.get_mapping(index=index)[index]["mappings"]
            self._require_ids(client, layout, mapping)
            taken = aliases.in_the_way(client, alias)
            if taken is None and set(aliases.targets(client, alias)) - {index}:
                taken_by = f"an alias of {next(iter(aliases.targets(client, alias)))}"
            else:
                taken_by = taken.taken_by if taken else ""
            return Foreign(
                layout=layout,
                rows=int(client.count(index=index)["count"]),
                dimensions=describing.vectors_of(mapping, layout)[0],
                name_taken_by=taken_by,
                left_out=left_out,
                named_by=wish.collection if wish.collection != index else "",
            )

        return self._engine.run(read, about=wish.collection)

    def sample(self, layout: Layout, *, count: int, seed: int) -> ForeignPage:
        """Return rows drawn by the server from a seed."""
        found = self._engine.run(
            lambda client: sample_of(client, layout.collection, count=count, seed=seed),
            about=layout.collection,
        )
        return _page(layout, found)

    def read(self, layout: Layout, *, after: str, limit: int) -> ForeignPage:
        """Return the rows that follow in the order in which they were written."""
        found, cursor = self._engine.run(
            lambda client: page_of(client, layout.collection, after=after, limit=limit),
            about=layout.collection,
        )
        return _page(layout, found, cursor=cursor)

    def begin(self, spec: CollectionSpec) -> None:
        """Make the index beside the team's, and have the team's mapping take notes."""
        layout = spec.adopted
        if layout is None:
            raise UnsupportedError(
                driver="opensearch", what=f"adopting {spec.name} without a layout"
            )

        def make(client: OpenSearch) -> None:
            _require_fitting(client, spec, layout)
            if not client.indices.exists(index=physical(spec.name)):
                self._require_free(layout)
                try:
                    client.indices.create(index=physical(spec.name), body=beside_of(spec))
                except RequestError as error:
                    if error.error != _TAKEN:  # else another process was faster
                        raise
            found = look(client, spec.name)
            if found is None or found.fingerprint != spec.fingerprint:
                raise FingerprintMismatchError(
                    collection=spec.name,
                    expected=spec.fingerprint,
                    found=found.fingerprint if found else None,
                )
            client.indices.put_mapping(index=layout.collection, body=mapping_of_notes())

        self._engine.run(make, about=layout.collection)

    def note(self, name: CollectionName, notes: Sequence[Note]) -> None:
        """Note rows."""
        if notes:
            self.opened(name).note(notes)

    def bypassed(self, name: CollectionName) -> Iterator[Bypass]:
        """Yield what is not as it was noted: rows as they stand, then those that are gone.

        Raises:
            ConflictError: there are two rows of one document.
        """
        collection = self.opened(name)
        layout = _layout(collection.spec)
        positions = collection.positions()
        seen: set[DocumentId] = set()
        for page in collection.pages():
            for row in page:
                document = id_of(layout, row)
                if document and document in seen:
                    raise ConflictError(
                        f"{layout.collection} has two rows of document {document!r}, one of "
                        f"them {row.id!r}",
                        hint="each document is one row: delete one of them",
                    )
                seen.add(document)
                if not collection.is_as_noted(row):
                    found = _bypass(layout, row, positions)
                    if found is not None:
                        yield found
        for gone, (lsn, emptied) in positions.items():
            if not emptied and gone not in seen:
                yield Bypass(document=gone, kind=BypassKind.DELETED, noted=lsn, content=None)

    def destroy(self, name: CollectionName) -> None:
        """Delete the team's index, then what stands beside it.

        Raises:
            UnsupportedError: an alias points at it; the server would take that along.
        """

        def drop(client: OpenSearch) -> None:
            if not client.indices.exists(index=physical(name)):
                return
            spec = look(client, name)
            if spec is not None and spec.adopted is not None:
                place = spec.adopted.collection
                if pointing := aliases.of_index(client, place):
                    raise UnsupportedError(
                        driver="opensearch",
                        what=f"deleting {place} while the alias {pointing[0]} points at it",
                        hint="move or remove the alias first",
                    )
                client.indices.delete(index=place, params={"ignore": 404})
            client.indices.delete(index=physical(name), params={"ignore": 404})

        self._engine.run(drop, about=name)

    def opened(self, name: CollectionName) -> AdoptedOpenSearchCollection:
        """Return an adopted collection."""

        def read(client: OpenSearch) -> AdoptedOpenSearchCollection:
            spec = look(client, name)
            if spec is None or spec.adopted is None:
                raise CollectionMissingError(collection=name)
            layout = spec.adopted
            mapping = client.indices.get_mapping(index=layout.collection)
            described = mapping[layout.collection]["mappings"]
            return AdoptedOpenSearchCollection(
                spec=spec,
                layout=layout,
                engine=self._engine,
                path=rows.id_path(layout, described),
                graph=describing.searches_graph(client, layout, described),
            )

        return self._engine.run(read, about=name)

    def _require_free(self, layout: Layout) -> None:
        for spec in self._specs():
            if spec.adopted is not None and spec.adopted.collection == layout.collection:
                raise AlreadyExistsError(
                    what="adoption of", name=f"{layout.collection} as {spec.name}"
                )

    def _require_ids(
        self, client: OpenSearch, layout: Layout, mapping: Mapping[str, object]
    ) -> None:
        """Refuse ids that occur twice, and such as cannot be asked for."""
        if has_own_ids(layout):
            return
        place, path = layout.collection, rows.id_path(layout, mapping)
        hint = "each row is one document: adopt by the rows' own ids: --id-field _id"
        if count := unasked(client, place, path):
            raise UnsupportedError(
                driver="opensearch",
                what=f"ids in {layout.id.name!r} that the index leaves out for their length, "
                f"in {count} rows",
                hint=hint,
            )
        for value, count in ids_of(client, place, path):
            if count > 1:
                raise UnsupportedError(
                    driver="opensearch",
                    what=f"ids in {layout.id.name!r} that occur more than once, as {value!r}",
                    hint=hint,
                )


def _require_fitting(client: OpenSearch, spec: CollectionSpec, layout: Layout) -> None:
    """Refuse a spec that asks of the index what it was not made for."""
    told = client.indices.get_mapping(index=layout.collection)
    mapping = told[layout.collection]["mappings"]
    if spec.lexical and not describing.ranks_words(mapping, layout):
        raise UnsupportedError(
            driver="opensearch",
            what=f"hybrid search of {layout.collection}, whose {layout.text.name!r} "
            "has no index for words",
            hint="leave hybrid out of the spec, or index the field as text",
        )
    kept = describing.vectors_of(mapping, layout)[1]
    if kept is not None and kept != spec.distance:
        raise UnsupportedError(
            driver="opensearch",
            what=f"distance {spec.distance} in {layout.collection}, which was made for {kept}",
            hint="declare the distance that it was made with",
        )


def _layout(spec: CollectionSpec) -> Layout:
    if spec.adopted is None:
        raise CollectionMissingError(collection=spec.name)
    return spec.adopted


def _page(layout: Layout, found: Sequence[Row], *, cursor: str | None = None) -> ForeignPage:
    rows = (
        (
            document_of(layout, row),
            state_of(layout, row.source),
            vector_of(layout, row.source),
        )
        for row in found
    )
    return ForeignPage.of(rows, cursor=cursor)


def _bypass(
    layout: Layout, row: Row, positions: Mapping[DocumentId, tuple[Lsn, bool]]
) -> Bypass | None:
    document = document_of(layout, row)
    if not document.id or (not row.is_known and not document.text.strip()):
        return None
    lsn, emptied = positions.get(document.id, (None, False))
    return Bypass.of(document, noted=lsn, emptied=emptied)
