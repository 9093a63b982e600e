"""A team's own index as one of repoint's: its documents stay, notes are added to them.

What a search needs stands in one object in each document. Beside the team's index stands one
of repoint's with a document for each that it knows of: positions, and tombstones, which never
stand among the team's. A note holds the version that the database gave the write, so a row
that somebody wrote to since is told from one that nobody did.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np
from opensearchpy import OpenSearch

from repoint.backends.opensearch import documents, rows
from repoint.backends.opensearch.collection import BATCH, Found, OpenSearchCollection
from repoint.backends.opensearch.documents import Source
from repoint.backends.opensearch.engine import TIMEOUT_S, Engine
from repoint.backends.opensearch.filters import Query, condition
from repoint.backends.opensearch.layouts import (
    NOTES,
    Row,
    document_of,
    id_of,
    row_of,
    state_of,
    vector_of,
)
from repoint.backends.opensearch.noting import BYPASSED, COMPARED, EMPTIED, KNOWN, NOTED, ZERO
from repoint.backends.opensearch.rows import ASKED, VERSIONED
from repoint.backends.opensearch.scrolling import scrolled
from repoint.backends.opensearch.writing import Writing
from repoint.domain.adoption import Layout
from repoint.domain.document import Entry
from repoint.domain.errors import UnsupportedError
from repoint.domain.filters import Filter
from repoint.domain.ids import DocumentId, Lsn
from repoint.domain.spec import Distance
from repoint.ports.adoption import Note
from repoint.ports.backend import (
    CollectionSpec,
    Counts,
    FloatVector,
    Hit,
    SpaceMatrix,
    StoredBatch,
)
from repoint.ports.spaces import chunk_rows


class AdoptedOpenSearchCollection(OpenSearchCollection):
    """One index of a team, and what is known of its rows."""

    def __init__(
        self, *, spec: CollectionSpec, layout: Layout, engine: Engine, path: str, graph: bool
    ) -> None:
        super().__init__(spec=spec, engine=engine)
        self._layout = layout
        self._place = layout.collection
        self._vector = layout.vector
        self._text = layout.text.name
        self._zero = ZERO
        self._order = [{f"{NOTES}.document": {"order": "asc", "unmapped_type": "keyword"}}]
        #: Whether the index has a graph that can be searched among some rows only.
        self._graph = graph
        self._writing = Writing(
            layout=layout,
            path=path,
            beside=self._index,
            cosine=spec.distance is Distance.COSINE,
        )

    def put(self, entries: Sequence[Entry], vectors: SpaceMatrix) -> None:
        """Write whole documents into the team's own rows, unless a higher LSN is there."""
        matrix = chunk_rows(self._spec, entries, vectors)
        filled = [entry for entry in entries if entry.chunks]
        for entry in filled:
            if len(entry.chunks) > 1 or entry.content is None:
                raise UnsupportedError(
                    driver="opensearch",
                    what=f"document {entry.document!r} with {len(entry.chunks)} chunks in an "
                    "adopted index, which has one vector a document",
                )
        emptied = [entry for entry in entries if not entry.chunks]

        def write(client: OpenSearch) -> None:
            self._require_own(client)
            if filled:
                self._writing.fill(client, filled, matrix)
            if emptied:
                self._writing.empty(client, emptied)

        self._engine.run(write, about=self._place)

    def note(self, notes: Sequence[Note]) -> None:
        """Note rows that stand already, unless a higher LSN is noted."""

        def write(client: OpenSearch) -> None:
            self._require_own(client)
            self._writing.note(client, notes)

        self._engine.run(write, about=self._place)

    def forget(self) -> None:
        """Take what was noted out of the team's documents again."""
        for page in self.pages(query=NOTED):
            clear = partial(self._writing.forget, ids=[row.id for row in page])
            self._engine.run(clear, about=self._place)

    def stored(
        self, documents_: Sequence[DocumentId], *, with_vectors: bool = False
    ) -> StoredBatch:
        """Return what stands for these documents, in their order."""

        def read(client: OpenSearch) -> list[Row]:
            self._require_own(client)
            found = self._writing.find(client, list(dict.fromkeys(documents_)))
            return [found[one] for one in dict.fromkeys(documents_) if one in found]

        found = self._engine.run(read, about=self._place)
        return self._of_rows(found, with_vectors=with_vectors)

    def scan(self, *, with_vectors: bool = False) -> Iterator[StoredBatch]:
        """Return an iterator over the rows as they stand now, known to repoint or not."""
        pages = self.pages()
        first = next(pages, None)  # from here on the snapshot stands
        return (
            self._of_rows(page, with_vectors=with_vectors)
            for part in ([] if first is None else [first], pages)
            for page in part
        )

    def counts(self) -> Counts:
        """Return how much of it repoint knows."""

        def read(client: OpenSearch) -> Counts:
            self._require_own(client)
            known = client.count(index=self._place, body={"query": KNOWN})["count"]
            gone = client.count(index=self._index, body={"query": EMPTIED})["count"]
            return Counts(documents=int(known), chunks=int(known), emptied=int(gone))

        return self._engine.run(read, about=self._place)

    def purge(
        self, documents_: Sequence[DocumentId] = (), *, emptied_below: Lsn | None = None
    ) -> None:
        """Delete rows that repoint wrote or noted, and what it knows of them."""

        def purge(client: OpenSearch) -> None:
            self._require_own(client)
            for start in range(0, len(documents_), ASKED):
                part = list(documents_[start : start + ASKED])
                named: Query = {"terms": {f"{NOTES}.document": part}}
                _delete(client, self._place, {"bool": {"filter": [named, NOTED]}})
                _delete(client, self._index, {"terms": {"document": part}})
            if emptied_below is not None:
                below: Query = {"range": {"lsn": {"lt": emptied_below}}}
                _delete(client, self._index, {"bool": {"filter": [EMPTIED, below]}})

        self._engine.run(purge, about=self._place)

    def positions(self) -> dict[DocumentId, tuple[Lsn, bool]]:
        """Return the position of each document that is known, and whether it was emptied."""
        pages = scrolled(
            self._engine,
            self._index,
            {"query": {"match_all": {}}},
            size=BATCH,
            about=self._spec.name,
            before=self._require_own,
        )
        sources = (
            one for page in pages for hit in page if isinstance(one := hit["_source"], dict)
        )
        return {
            DocumentId(str(one["document"])): (Lsn(int(one["lsn"])), bool(one["emptied"]))
            for one in sources
        }

    def pages(self, *, query: Query | None = None) -> Iterator[list[Row]]:
        """Yield the team's rows, page by page in no order."""

        def ready(client: OpenSearch) -> None:
            self._require_own(client)
            client.indices.refresh(index=self._place)

        pages = scrolled(
            self._engine,
            self._place,
            {"query": query or {"match_all": {}}, **VERSIONED},
            size=BATCH,
            about=self._place,
            before=ready,
        )
        return ([row_of(hit) for hit in page] for page in pages)

    def is_as_noted(self, row: Row) -> bool:
        """Return whether a whole row has the content and vector that repoint left in it."""
        if row.is_untouched and row.is_known:
            return True
        return row.notes.get("state") == state_of(self._layout, row.source)

    # What the team's index holds in another form

    def _filled(self, where: Filter | None) -> Query:
        if where is None:
            return KNOWN
        return {"bool": {"filter": [KNOWN, condition(where, at=COMPARED)]}}

    def _by_graph(self, values: FloatVector, *, limit: int, where: Query) -> list[Found] | None:
        return super()._by_graph(values, limit=limit, where=where) if self._graph else None

    def _near(self, near: Query) -> Query:
        """Return the question for the nearest, scored alike whatever engine found them."""
        space = documents.SPACES[self._spec.distance]
        parameters = {
            "field": self._vector,
            "query_value": near["vector"],
            "space_type": space,
        }
        return {
            "script_score": {
                "query": {"knn": {self._vector: near}},
                "script": {"lang": "knn", "source": "knn_score", "params": parameters},
            }
        }

    def _ranked(self, query: Query, limit: int) -> list[Found]:
        """Return the best of the rows that nobody wrote to past repoint."""
        asked = limit
        while True:
            found = self._asked(query, asked)
            kept = self._unchanged(found)
            if len(kept) >= limit or len(found) < asked or asked == rows.MOST:
                return kept[:limit]
            asked = min(2 * asked, rows.MOST)

    def _asked(self, query: Query, limit: int) -> list[tuple[Row, float]]:
        body = {
            "query": query,
            "size": limit,
            "_source": {"excludes": [self._vector]},
            "sort": ["_score", *self._order],
            "track_scores": True,
            **VERSIONED,
        }

        def ask(client: OpenSearch) -> list[tuple[Row, float]]:
            self._require_lately(client)
            hits = client.search(index=self._place, body=body)["hits"]["hits"]
            return [(row_of(one), float(one["_score"])) for one in hits]

        return self._engine.run(ask, about=self._place)

    def _unchanged(self, found: Sequence[tuple[Row, float]]) -> list[Found]:
        """Return the rows that are as repoint left them, as their sources."""
        touched = [DocumentId(row.id) for row, _ in found if not row.is_untouched]
        whole: Mapping[DocumentId, Row] = {}
        if touched:  # their contents and vectors tell whether it matters
            whole = self._engine.run(
                lambda client: rows.find_own(client, self._place, touched), about=self._place
            )
        same = {name for name, row in whole.items() if self.is_as_noted(row)}
        return [
            (dict(row.source), score)
            for row, score in found
            if row.is_untouched or row.id in same
        ]

    def _hit(self, source: Source, score: float) -> Hit:
        notes = source[NOTES]
        assert isinstance(notes, dict)  # noqa: S101 - only known rows are searched
        text = source[self._layout.text.name] if notes["text"] is None else notes["text"]
        return Hit(
            document=DocumentId(str(notes["document"])),
            slot=0,
            lsn=Lsn(int(notes["lsn"])),
            score=score,
            text=str(text),
            start=int(notes["start"]),
            end=int(notes["end"]),
            metadata=json.loads(str(notes["metadata"])),
        )

    def _of_rows(self, found: Sequence[Row], *, with_vectors: bool) -> StoredBatch:
        kept = [one for one in found if self._stands(one)]
        vectors = np.full((len(kept), self._spec.dimensions), np.nan, dtype=np.float32)
        digests = []
        for place, row in enumerate(kept):
            same = self.is_as_noted(row)
            vector = vector_of(self._layout, row.source)
            if same and vector is not None:
                vectors[place] = vector
            elif same and row.notes.get("zero"):
                vectors[place] = 0
            digests.append(str(row.notes["digest"]) if row.is_known and same else BYPASSED)
        return StoredBatch(
            documents=[id_of(self._layout, one) for one in kept],
            slots=np.zeros(len(kept), dtype=np.int32),
            lsns=np.array([one.lsn for one in kept], dtype=np.int64),
            digests=digests,
            vectors=vectors if with_vectors else None,
        )

    def _stands(self, row: Row) -> bool:
        if row.is_known:
            return True
        has_text = bool(document_of(self._layout, row).text.strip())
        return has_text and not self.is_as_noted(row)


def _delete(client: OpenSearch, index: str, query: Query) -> None:
    client.delete_by_query(
        index=index,
        body={"query": query},
        params={"refresh": "true", "conflicts": "proceed"},
        request_timeout=TIMEOUT_S,
    )
