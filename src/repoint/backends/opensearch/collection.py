"""One release's vectors as one index of OpenSearch."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from threading import Event
from typing import Final

import numpy as np
from opensearchpy import OpenSearch

from repoint.backends.opensearch import documents, refusals
from repoint.backends.opensearch.documents import VECTOR, Source, physical
from repoint.backends.opensearch.engine import TIMEOUT_S, Engine
from repoint.backends.opensearch.filters import FILLED, Query, condition
from repoint.backends.opensearch.scrolling import scrolled
from repoint.domain.document import Entry
from repoint.domain.errors import (
    BackendUnavailableError,
    CollectionMissingError,
    FingerprintMismatchError,
    RowsRefusedError,
    UnsupportedError,
)
from repoint.domain.filters import Filter
from repoint.domain.ids import CollectionName, DocumentId, Lsn
from repoint.domain.spec import AnnKind, Distance
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

#: Documents of one batch of a scan.
BATCH: Final = 1024
#: Ids of one question.
ASKED: Final = 500
#: The most hits of one question, and the most neighbours.
MOST: Final = 10_000
#: How many neighbours are kept in view where the spec does not say.
EF: Final = 100
#: Seconds for which a search trusts that the index is still this release's.
OWNED: Final = 0.5
#: Words of one text search: the database takes 1,024.
_WORDS: Final = 1_000
#: How often, and after how many seconds each, what was purged just now is written again.
_PATIENCE: Final = (100, 0.1)

Found = tuple[Source, float]


class OpenSearchCollection:
    """One index. A handle sees what other processes write, at its next call."""

    def __init__(self, *, spec: CollectionSpec, engine: Engine) -> None:
        self._spec = spec
        self._engine = engine
        self._index = physical(spec.name)
        self._owned = time.monotonic()
        # An adopted collection is searched elsewhere, and its fields have other names.
        self._place = self._index
        self._vector = VECTOR
        self._text = "text"
        self._zero: Query = {"term": {"zero": True}}
        self._order: list[Query] = [{"document": {"order": "asc"}}, {"slot": {"order": "asc"}}]

    @property
    def spec(self) -> CollectionSpec:
        """What it was made with, as the index's mapping carries it."""
        return self._spec

    def put(self, entries: Sequence[Entry], vectors: SpaceMatrix) -> None:
        """Write whole documents, each slot unless the database has a higher LSN."""
        matrix = chunk_rows(self._spec, entries, vectors)
        new = documents.documents_of(self._spec, entries, matrix)
        if not new:
            return

        def write(client: OpenSearch) -> None:
            self._require_own(client)
            left = new
            for _ in range(_PATIENCE[0]):
                purged = self._purged(client, self._written(client, left))
                if not purged:
                    return
                # What was purged a moment ago is refused too, for about a second.
                left = {id_: new[id_] for id_ in purged}
                Event().wait(_PATIENCE[1])
                client.indices.refresh(index=self._index)
            raise BackendUnavailableError(f"{self._spec.name}: purged slots stay closed")

        self._engine.run(write, about=self._spec.name)

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
        if limit <= 0:
            return []
        wanted = self._filled(where)
        cosine = self._spec.distance is Distance.COSINE
        if cosine and not np.any(values):
            return self._without_direction(wanted, limit)
        found = None
        if not exact and self._spec.ann.kind is not AnnKind.FLAT:
            found = self._by_graph(values, limit=limit, where=wanted)
        if found is None:
            found = self._ranked(self._compared(values, wanted), limit)
        hits = [
            self._hit(source, documents.score(value, self._spec.distance))
            for source, value in found
        ]
        if cosine and (len(hits) < limit or hits[-1].score < 0):
            # A vector of zeros has no direction, so its similarity is 0; no index has it.
            hits += self._without_direction({"bool": {"filter": [wanted, self._zero]}}, limit)
        return _best(hits, limit)

    def search_text(self, text: str, *, limit: int, where: Filter | None = None) -> list[Hit]:
        """Return the chunks that share a word with the text, by the server's BM25."""
        if not self._spec.lexical:
            raise UnsupportedError(
                driver="opensearch",
                what=f"text search in {self._spec.name}",
                hint="give the release a hybrid section",
            )
        words = _some_words(text)
        if limit <= 0 or not words:
            return []
        match: Query = {"match": {self._text: {"query": words}}}
        query: Query = {"bool": {"must": [match], "filter": [self._filled(where)]}}
        found = self._ranked(query, min(limit, MOST))
        return _best([self._hit(*one) for one in found], limit)

    def stored(
        self, documents_: Sequence[DocumentId], *, with_vectors: bool = False
    ) -> StoredBatch:
        """Return what stands for these documents, in their order and that of the slots."""
        self._engine.run(self._require_own, about=self._spec.name)
        places = {document: place for place, document in enumerate(dict.fromkeys(documents_))}
        names, found = list(places), list[Source]()
        for start in range(0, len(names), ASKED):
            among: Query = {"terms": {"document": names[start : start + ASKED]}}
            query: Query = {"bool": {"filter": [among, FILLED]}}
            for page in self._pages(query, with_vectors=with_vectors):
                found += page
        found.sort(
            key=lambda one: (places[DocumentId(str(one["document"]))], int(str(one["slot"])))
        )
        return documents.batch(found, self._spec.dimensions, with_vectors=with_vectors)

    def scan(self, *, with_vectors: bool = False) -> Iterator[StoredBatch]:
        """Return an iterator over the chunks that stand now, which the server keeps."""
        pages = self._pages(FILLED, with_vectors=with_vectors)
        first = next(pages, None)  # from here on the snapshot stands
        return self._batches(first, pages, with_vectors=with_vectors)

    def counts(self) -> Counts:
        """Return how much it holds; a document is counted by its first slot."""
        first: Query = {"bool": {"filter": [FILLED, {"term": {"slot": 0}}]}}
        emptied: Query = {"term": {"filled": False}}

        def read(client: OpenSearch) -> Counts:
            self._require_own(client)
            numbers = [
                int(client.count(index=self._index, body={"query": query})["count"])
                for query in (first, FILLED, emptied)
            ]
            size = client.indices.stats(index=self._index, metric="store")
            return Counts(
                documents=numbers[0],
                chunks=numbers[1],
                emptied=numbers[2],
                bytes_on_disk=int(size["_all"]["total"]["store"]["size_in_bytes"]),
            )

        return self._engine.run(read, about=self._spec.name)

    def purge(
        self, documents_: Sequence[DocumentId] = (), *, emptied_below: Lsn | None = None
    ) -> None:
        """Delete these documents, and emptied slots below the LSN."""
        queries: list[Query] = [
            {"terms": {"document": list(documents_[start : start + ASKED])}}
            for start in range(0, len(documents_), ASKED)
        ]
        if emptied_below is not None:
            below: Query = {"range": {"lsn": {"lt": emptied_below}}}
            queries.append({"bool": {"filter": [{"term": {"filled": False}}, below]}})

        def delete(client: OpenSearch) -> None:
            self._require_own(client)
            for query in queries:
                client.delete_by_query(
                    index=self._index,
                    body={"query": query},
                    params={"refresh": "true", "conflicts": "proceed"},
                    request_timeout=TIMEOUT_S,
                )

        self._engine.run(delete, about=self._spec.name)

    def optimise(self, *, for_search: bool = True) -> None:
        """Make sure that it stands: the server merges by itself."""
        del for_search
        self._engine.run(self._require_own, about=self._spec.name)

    def _written(self, client: OpenSearch, new: Mapping[str, Source]) -> list[str]:
        """Write, and return the ids of those for which the database has a higher LSN."""
        newer: list[str] = []
        refused: dict[str, str] = {}
        for lines in documents.requests(new, self._index):
            answer = client.bulk(body=lines, params={"refresh": "true"})
            for item in answer["items"] if answer["errors"] else []:
                done = item["index"]
                if done["status"] == HTTPStatus.CONFLICT:
                    newer.append(str(done["_id"]))
                elif refusals.is_of_document(done):
                    refused[str(new[str(done["_id"])]["document"])] = refusals.reason(done)
                elif "error" in done:
                    raise BackendUnavailableError(f"{self._spec.name}: {refusals.reason(done)}")
        if refused:
            raise RowsRefusedError.of(refused, driver="opensearch")
        return newer

    def _purged(self, client: OpenSearch, refused: Sequence[str]) -> set[str]:
        """Return which of these are not there, so that nothing newer can have refused them."""
        if not refused:
            return set()
        body = {"ids": list(refused)}
        answer = client.mget(index=self._index, body=body, params={"_source": "false"})
        return {str(one["_id"]) for one in answer["docs"] if not one["found"]}

    def _by_graph(self, values: FloatVector, *, limit: int, where: Query) -> list[Found] | None:
        """Return the nearest, with all that are as near as the last; None if some are lost."""
        count = min(limit + 1, MOST)
        ef = int(self._spec.ann.search.get("ef", EF))
        while True:
            near = {"vector": values.tolist(), "k": min(max(count, ef), MOST), "filter": where}
            found = self._ranked(self._near(near), count)
            if len(found) < count:
                # Fewer than asked: either there are no more, or the graph lost its way.
                return found if len(found) >= self._count(where) else None
            if count == MOST or found[limit - 1][1] != found[-1][1]:
                return found
            count = min(2 * count, MOST)

    def _compared(self, values: FloatVector, where: Query) -> Query:
        """Return the question that compares with every vector, inside the database."""
        space = documents.SPACES[self._spec.distance]
        parameters = {
            "field": self._vector,
            "query_value": values.tolist(),
            "space_type": space,
        }
        there: Query = {"exists": {"field": self._vector}}
        return {
            "script_score": {
                "query": {"bool": {"filter": [where, there]}},
                "script": {"lang": "knn", "source": "knn_score", "params": parameters},
            }
        }

    def _near(self, near: Query) -> Query:
        """Return the question that the graph answers."""
        return {"knn": {self._vector: near}}

    def _without_direction(self, where: Query, limit: int) -> list[Hit]:
        found = self._ranked({"bool": {"filter": [where]}}, min(limit, MOST))
        return [self._hit(source, 0.0) for source, _ in found]

    def _ranked(self, query: Query, limit: int) -> list[Found]:
        """Return the best by score, then by document and slot."""
        body = {
            "query": query,
            "size": limit,
            "_source": list(documents.HIT),
            "sort": ["_score", *self._order],
            "track_scores": True,
        }

        def ask(client: OpenSearch) -> list[Found]:
            self._require_lately(client)
            hits = client.search(index=self._index, body=body)["hits"]["hits"]
            return [(one["_source"], float(one["_score"])) for one in hits]

        return self._engine.run(ask, about=self._spec.name)

    def _count(self, where: Query) -> int:
        there: Query = {"bool": {"filter": [where, {"exists": {"field": self._vector}}]}}
        return self._engine.run(
            lambda client: int(client.count(index=self._place, body={"query": there})["count"]),
            about=self._spec.name,
        )

    def _batches(
        self, first: list[Source] | None, pages: Iterator[list[Source]], *, with_vectors: bool
    ) -> Iterator[StoredBatch]:
        for page in [] if first is None else [first]:
            yield documents.batch(page, self._spec.dimensions, with_vectors=with_vectors)
        for page in pages:
            yield documents.batch(page, self._spec.dimensions, with_vectors=with_vectors)

    def _pages(self, query: Query, *, with_vectors: bool) -> Iterator[list[Source]]:
        wanted = [*documents.STORED, *(["text", "zero", VECTOR] if with_vectors else [])]
        pages = scrolled(
            self._engine,
            self._index,
            {"query": query, "_source": wanted},
            size=BATCH,
            about=self._spec.name,
            before=self._require_own,
        )
        return ([_source(hit) for hit in page] for page in pages)

    def _hit(self, source: Source, score: float) -> Hit:
        return documents.hit(source, score)

    def _filled(self, where: Filter | None) -> Query:
        return FILLED if where is None else {"bool": {"filter": [FILLED, condition(where)]}}

    def _require_lately(self, client: OpenSearch) -> None:
        if time.monotonic() - self._owned > OWNED:
            self._require_own(client)

    def _require_own(self, client: OpenSearch) -> None:
        """Refuse an index that someone put in the place of this one (INV-1)."""
        found = look(client, self._spec.name)
        if found is None or found.fingerprint != self._spec.fingerprint:
            raise FingerprintMismatchError(
                collection=self._spec.name,
                expected=self._spec.fingerprint,
                found=found.fingerprint if found else None,
            )
        self._owned = time.monotonic()


def look(client: OpenSearch, name: CollectionName) -> CollectionSpec | None:
    """Return the spec that an index carries, None if it carries none of this name.

    Raises:
        CollectionMissingError: nothing has that name.
    """
    mappings = client.indices.get_mapping(index=physical(name), params={"ignore": 404})
    described = mappings.get(physical(name))
    if described is None:
        raise CollectionMissingError(collection=name)
    spec = documents.spec_of(described["mappings"])
    return spec if spec is not None and spec.name == name else None


def _source(hit: Mapping[str, object]) -> Source:
    source = hit["_source"]
    return source if isinstance(source, dict) else {}


def _some_words(text: str) -> str:
    """Return the first words, each once, as many as the database takes."""
    taken: dict[str, None] = {}
    tokens = 0
    for word in text.encode("utf-8", "replace").decode().split():
        if word not in taken:
            tokens += len(re.findall(r"[A-Za-z0-9_]+|[^\sA-Za-z0-9_]", word))
            if tokens > _WORDS:
                break
            taken[word] = None
    return " ".join(taken)


def _best(found: Sequence[Hit], limit: int) -> list[Hit]:
    return sorted(found, key=lambda one: (-one.score, one.document, one.slot))[:limit]
