"""One release's vectors as one collection of Milvus."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Final

import numpy as np
from pymilvus import MilvusClient

from repoint.backends.milvus import rows
from repoint.backends.milvus.engine import STRONG, TIMEOUT_S, Engine
from repoint.backends.milvus.filters import FILLED, Where, among, condition, joined
from repoint.backends.milvus.names import physical
from repoint.domain.document import Entry
from repoint.domain.errors import (
    CollectionMissingError,
    FingerprintMismatchError,
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
from repoint.ports.spaces import chunk_rows, query_values, scores
from repoint.ports.turns import Turns

#: Rows that a page has on average, and at most in one batch of a scan.
PAGE: Final = 800
BATCH: Final = 1024
#: Values of one question.
ASKED: Final = 500
#: The most neighbours that a server gives.
MOST: Final = 16_384
#: Seconds for which a search trusts that the collection is still this release's.
OWNED: Final = 0.5


class MilvusCollection:
    """One collection. A handle sees what other processes write, at its next call."""

    def __init__(self, *, spec: CollectionSpec, engine: Engine, turns: Turns) -> None:
        self._spec = spec
        self._engine = engine
        self._turns = turns
        self._name = physical(spec.name)
        self._owned = time.monotonic()

    @property
    def spec(self) -> CollectionSpec:
        """What it was made with, as the collection's properties carry it."""
        return self._spec

    def put(self, entries: Sequence[Entry], vectors: SpaceMatrix) -> None:
        """Write whole documents, each slot unless a higher LSN is seen there."""
        chunks = iter(chunk_rows(self._spec, entries, vectors))
        slots = rows.slots_of(entries)
        if not slots:
            return
        nowhere = rows.nowhere(self._spec.dimensions)
        every = {
            id_: rows.row(id_, slot, next(chunks) if slot.chunk else nowhere)
            for id_, slot in slots.items()
        }
        with self._turns.of(entry.document for entry in entries):
            self._engine.run(self._require_own, about=self._spec.name)
            standing = self._lsns(list(every))
            new = [
                row
                for id_, row in every.items()
                if standing.get(id_, 0) <= slots[id_].entry.lsn
            ]
            for part in rows.parts(new, self._spec.dimensions):
                self._engine.write(partial(self._upsert, part), about=self._spec.name)

    def search(
        self,
        query: SpaceVector,
        *,
        limit: int,
        where: Filter | None = None,
        exact: bool = False,
    ) -> list[Hit]:
        """Return the nearest chunks; exactly by a flat index, or by reading every vector."""
        values = query_values(self._spec, query)
        wanted = _filled(where)
        if limit <= 0 or isinstance(wanted, bool):
            return []
        flat = self._spec.ann.kind is AnnKind.FLAT
        found = None
        if flat or not exact:
            found = self._by_index(values, limit=limit, where=wanted)
        if found is None:
            found = self._by_reading(values, limit=limit, where=wanted)
        return _best(found, limit)

    def search_text(self, text: str, *, limit: int, where: Filter | None = None) -> list[Hit]:
        """Return the chunks that share a word with the text, by the server's BM25."""
        if not self._spec.lexical:
            raise UnsupportedError(
                driver="milvus",
                what=f"text search in {self._spec.name}",
                hint="give the release a hybrid section",
            )
        wanted = _filled(where)
        if limit <= 0 or isinstance(wanted, bool) or not text.strip():
            return []
        found = self._asked(
            [text.encode("utf-8", "replace").decode()],
            field=rows.WORDS,
            parameters={"metric_type": "BM25"},
            limit=min(limit, MOST),
            where=wanted,
        )
        # milvus-lite gives the score as a distance, below zero; the server as it is.
        hits = [rows.hit(row, abs(distance)) for row, distance in found if distance]
        return _best(hits, limit)

    def stored(
        self, documents: Sequence[DocumentId], *, with_vectors: bool = False
    ) -> StoredBatch:
        """Return what stands for these documents, in their order and that of the slots."""
        self._engine.run(self._require_own, about=self._spec.name)
        places = {document: place for place, document in enumerate(dict.fromkeys(documents))}
        names = [rows.owner(document) for document in places]
        found: list[rows.Row] = []
        for start in range(0, len(names), ASKED):
            wanted = among("owner", names[start : start + ASKED])
            found += self._read(f"{FILLED} and {wanted}", _stored(with_vectors))
        found.sort(
            key=lambda one: (places[DocumentId(str(one["document"]))], rows.whole(one["slot"]))
        )
        return rows.batch(found, self._spec.dimensions, with_vectors=with_vectors)

    def scan(self, *, with_vectors: bool = False) -> Iterator[StoredBatch]:
        """Return an iterator over the chunks, page by page as each is read."""
        self._engine.run(self._require_own, about=self._spec.name)
        return (
            rows.batch(page, self._spec.dimensions, with_vectors=with_vectors)
            for page in self._pages(FILLED, _stored(with_vectors))
        )

    def counts(self) -> Counts:
        """Return how much it holds; a document is counted by its first slot."""
        self._engine.run(self._require_own, about=self._spec.name)
        return Counts(
            documents=self._count(f"{FILLED} and slot == 0"),
            chunks=self._count(FILLED),
            emptied=self._count("filled == false"),
        )

    def purge(
        self, documents: Sequence[DocumentId] = (), *, emptied_below: Lsn | None = None
    ) -> None:
        """Delete these documents' rows, and emptied slots below the LSN."""
        names = [rows.owner(document) for document in documents]
        conditions = [
            among("owner", names[start : start + ASKED])
            for start in range(0, len(names), ASKED)
        ]
        if emptied_below is not None:
            conditions.append(f"filled == false and lsn < {emptied_below}")

        def delete(client: MilvusClient) -> None:
            self._require_own(client)
            for wanted in conditions:
                client.delete(
                    self._name, filter=wanted, consistency_level=STRONG, timeout=TIMEOUT_S
                )

        self._engine.run(delete, about=self._spec.name)

    def optimise(self, *, for_search: bool = True) -> None:
        """Make sure that it stands: the server indexes and compacts by itself."""
        del for_search
        self._engine.run(self._require_own, about=self._spec.name)

    def _upsert(self, part: Sequence[rows.Row], client: MilvusClient) -> None:
        client.upsert(self._name, part, timeout=TIMEOUT_S)

    def _by_index(self, values: FloatVector, *, limit: int, where: str) -> list[Hit] | None:
        """Return the nearest, with all that are as near as the last; None if some are lost."""
        count = min(limit + 1, MOST)
        while True:
            found = self._asked(
                [values.tolist()],
                field=rows.VECTOR,
                parameters=self._parameters(count),
                limit=count,
                where=where,
            )
            if len(found) < count:
                # Fewer than asked: either there are no more, or the index lost its way.
                if len(found) < min(count, self._count(where)):
                    return None
                break
            if count == MOST or found[limit - 1][1] != found[-1][1]:
                break
            count = min(2 * count, MOST)
        return [rows.hit(row, self._score(distance, values)) for row, distance in found]

    def _by_reading(self, values: FloatVector, *, limit: int, where: str) -> list[Hit]:
        """Return the nearest by comparing with every vector, page by page."""
        best: list[Hit] = []
        for page in self._pages(where, (*rows.HIT, rows.VECTOR)):
            near = scores(
                rows.matrix(page, self._spec.dimensions), values, self._spec.distance
            ).tolist()
            best += [rows.hit(row, score) for row, score in zip(page, near, strict=True)]
            best = _best(best, limit)
        return best

    def _asked(
        self,
        data: list[list[float]] | list[str],
        *,
        field: str,
        parameters: Mapping[str, object],
        limit: int,
        where: str,
    ) -> list[tuple[Mapping[str, object], float]]:
        def ask(client: MilvusClient) -> list[tuple[Mapping[str, object], float]]:
            if time.monotonic() - self._owned > OWNED:
                self._require_own(client)
            (found,) = client.search(
                self._name,
                data=data,
                anns_field=field,
                filter=where,
                limit=limit,
                output_fields=list(rows.HIT),
                search_params=parameters,
                consistency_level=STRONG,
                timeout=TIMEOUT_S,
            )
            return [(one["entity"], float(one["distance"])) for one in found]

        return self._engine.run(ask, about=self._spec.name)

    def _pages(self, where: str, fields: Sequence[str]) -> Iterator[list[rows.Row]]:
        """Yield what passes the condition, by ranges of ids, which no write moves."""
        pages = max(1, -(-self._count(where) // PAGE))
        for low, high in itertools.pairwise(rows.borders(pages)):
            found = self._read(f'{where} and id >= "{low}" and id < "{high}"', fields)
            for start in range(0, len(found), BATCH):
                yield found[start : start + BATCH]

    def _read(self, where: str, fields: Sequence[str]) -> list[rows.Row]:
        def read(client: MilvusClient) -> list[rows.Row]:
            return list(
                client.query(
                    self._name,
                    filter=where,
                    output_fields=list(fields),
                    consistency_level=STRONG,
                    timeout=TIMEOUT_S,
                )
            )

        return self._engine.run(read, about=self._spec.name)

    def _count(self, where: str) -> int:
        (counted,) = self._read(where, ["count(*)"])
        return rows.whole(counted["count(*)"])

    def _lsns(self, ids: Sequence[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for start in range(0, len(ids), ASKED):
            standing = self._read(among("id", ids[start : start + ASKED]), ["id", "lsn"])
            found |= {str(one["id"]): rows.whole(one["lsn"]) for one in standing}
        return found

    def _parameters(self, count: int) -> dict[str, object]:
        given = {name: int(value) for name, value in self._spec.ann.search.items()}
        parameters: dict[str, int] = {}
        if self._spec.ann.kind in {AnnKind.AUTO, AnnKind.HNSW}:
            parameters["ef"] = max(given.get("ef", 64), count)
        elif self._spec.ann.kind is AnnKind.IVF_FLAT:
            parameters["nprobe"] = given.get("nprobe", 32)
        return {"metric_type": rows.METRICS[self._spec.distance], "params": parameters}

    def _score(self, distance: float, values: FloatVector) -> float:
        if self._spec.distance is Distance.COSINE and not np.any(values):
            return 0.0
        return -distance if self._spec.distance is Distance.L2 else distance

    def _require_own(self, client: MilvusClient) -> None:
        """Refuse a collection that someone put in the place of this one (INV-1)."""
        found = look(client, self._spec.name)
        if found is None or found.fingerprint != self._spec.fingerprint:
            raise FingerprintMismatchError(
                collection=self._spec.name,
                expected=self._spec.fingerprint,
                found=found.fingerprint if found else None,
            )
        self._owned = time.monotonic()


def look(client: MilvusClient, name: CollectionName) -> CollectionSpec | None:
    """Return the spec that a collection carries, None if it carries none of ours.

    Raises:
        CollectionMissingError: nothing has that name.
    """
    if not client.has_collection(physical(name), timeout=TIMEOUT_S):
        raise CollectionMissingError(collection=name)
    described = client.describe_collection(physical(name), timeout=TIMEOUT_S)
    return rows.spec_of(described, name)


def _filled(where: Filter | None) -> Where:
    return joined([FILLED, True if where is None else condition(where)], every=True)


def _stored(with_vectors: bool) -> Sequence[str]:  # noqa: FBT001 - one of two lists
    return (*rows.STORED, "text", rows.VECTOR) if with_vectors else rows.STORED


def _best(found: Sequence[Hit], limit: int) -> list[Hit]:
    return sorted(found, key=lambda one: (-one.score, one.document, one.slot))[:limit]
