"""A team's own rows in Milvus (``beside.sides.TeamRows``)."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from typing import Final

import numpy as np
from pymilvus import DataType, MilvusClient

from repoint.backends.milvus.engine import STRONG, TIMEOUT_S, Engine
from repoint.backends.milvus.layouts import row_of, written
from repoint.backends.milvus.literals import among as within
from repoint.backends.milvus.literals import literal
from repoint.backends.milvus.rows import MOST_BYTES, MOST_ROWS, Row, whole
from repoint.backends.milvus.schemas import Schema
from repoint.beside.sides import Near, TeamRow
from repoint.domain.adoption import Field, Layout
from repoint.domain.document import Document
from repoint.domain.errors import UnsupportedError
from repoint.domain.ids import DocumentId
from repoint.domain.spec import Distance
from repoint.ports.backend import CollectionSpec, FloatMatrix, FloatVector

#: Values of one question, and rows of one page.
ASKED: Final = 500
BATCH: Final = 1_024
#: Keys of one page where nothing else is read.
KEYS: Final = 8_000
#: Times that a page is read before rows and count are believed to differ.
_READ: Final = 3


class MilvusTeamRows:
    """The rows of one collection of a team's."""

    #: The most neighbours that a server gives.
    most = 16_384

    def __init__(
        self,
        engine: Engine,
        layout: Layout,
        schema: Schema,
        *,
        spec: CollectionSpec | None = None,
    ) -> None:
        self._engine = engine
        self._layout = layout
        self._schema = schema
        self._spec = spec
        self._place = layout.collection
        self._key = schema.key_field
        self._index: Mapping[str, object] | None = None

    @property
    def keys_are_made(self) -> bool:
        """Whether documents' ids are keys which the database makes by itself."""
        return self._layout.id.filled

    def named(
        self,
        documents: Collection[DocumentId],
        keys: Collection[str] = (),
        *,
        with_vectors: bool = False,
    ) -> list[TeamRow]:
        """Return the rows of these documents, by their ids, and of these keys."""
        fields = self._fields(with_vectors=with_vectors)
        own = self._layout.id.name == self._key.name
        wanted = {self._key.name: [one for one in keys if not self._key.refuses_id(one)]}
        ids = [one for one in documents if not self._id.refuses_id(one)]
        wanted.setdefault(self._id.name, []).extend(ids)
        found: dict[str, TeamRow] = {}
        for name, values in wanted.items():
            field = self._key if own or name == self._key.name else self._id
            for part in _parts(list(dict.fromkeys(values))):
                for raw in self._read(within(field, part), fields):
                    row = row_of(self._layout, self._schema, raw)
                    found[row.key] = row
        return list(found.values())

    def pages(self, *, with_vectors: bool) -> Iterator[list[TeamRow]]:
        """Yield every row once, in the order of the keys."""
        fields = self._fields(with_vectors=with_vectors)
        for page in self._ranges(BATCH, fields):
            yield [row_of(self._layout, self._schema, raw) for raw in page]

    def keys(self) -> Iterator[list[str]]:
        """Yield the key of every row once."""
        for page in self._ranges(KEYS, [self._key.name]):
            yield [str(raw[self._key.name]) for raw in page]

    def ids(self) -> Iterator[list[str]]:
        """Yield the id that every row names, and nothing where it names none."""
        for page in self._ranges(KEYS, [self._key.name, self._id.name]):
            yield [
                str(raw[self._id.name]) for raw in page if raw.get(self._id.name) is not None
            ]

    def page(self, *, after: str | None, limit: int) -> list[TeamRow]:
        """Return the rows that follow a key, at most so many, with their vectors."""
        fields = self._fields(with_vectors=True)
        page: list[Row] = []
        while len(page) < limit and (more := self._range(after, limit, fields)):
            page += more
            after = str(more[-1][self._key.name])
        return [row_of(self._layout, self._schema, raw) for raw in page[:limit]]

    def nearest(
        self, values: FloatVector, *, limit: int, among: Sequence[str] | None
    ) -> list[Near]:
        """Return the nearest rows, by the team's own index."""
        wanted = "" if among is None else within(self._key, among)
        field = self._layout.text.name

        def ask(client: MilvusClient) -> list[Near]:
            (found,) = client.search(
                self._place,
                data=[values.tolist()],
                anns_field=self._layout.vector,
                filter=wanted,
                limit=limit,
                output_fields=[self._key.name, field],
                search_params=self._parameters(client, limit),
                consistency_level=STRONG,
                timeout=TIMEOUT_S,
            )
            return [
                Near(
                    key=str(one["entity"][self._key.name]),
                    text=str(one["entity"].get(field) or ""),
                    score=self._score(float(one["distance"]), values),
                )
                for one in found
            ]

        return self._engine.run(ask, about=self._place)

    def count(self) -> int:
        """Return how many rows there are; one that was inserted twice counts twice."""
        return self._count("")

    def write(
        self,
        documents: Sequence[Document],
        vectors: FloatMatrix,
        before: Mapping[DocumentId, Sequence[TeamRow]],
    ) -> list[tuple[str, str]]:
        """Write documents into rows; where the database makes keys, into new ones."""
        rows: list[Row] = []
        for document, vector in zip(documents, vectors, strict=True):
            old = next(iter(before.get(document.id, ())), None)
            row = written(self._layout, self._schema, document, old.raw if old else {})
            row[self._layout.vector] = vector.tolist()
            if not self._schema.key.made:
                key = old.key if old is not None else self._new_key(document.id)
                row[self._key.name] = int(key) if self._is_whole else key
            rows.append(row)
        keys: list[str] = []
        for part in _rows_in_parts(rows, vectors.shape[1]):
            keys += self._engine.write(partial(self._put, part), about=self._place)
        return [
            (key, row_of(self._layout, self._schema, {**row, self._key.name: key}).state)
            for key, row in zip(keys, rows, strict=True)
        ]

    def remove(self, keys: Sequence[str]) -> None:
        """Delete rows; gone already is no error."""
        for part in _parts(list(dict.fromkeys(keys))):
            wanted = within(self._key, part)

            def delete(client: MilvusClient, wanted: str = wanted) -> None:
                client.delete(
                    self._place, filter=wanted, consistency_level=STRONG, timeout=TIMEOUT_S
                )

            self._engine.run(delete, about=self._place)

    def require_unique(self) -> None:
        """Refuse keys or ids that occur more than once.

        Raises:
            UnsupportedError: one does; Milvus itself lets a key be inserted twice.
        """
        if self._id.name == self._key.name or self.keys_are_made:
            for _ in self.keys():
                pass  # every page is compared with its count
            return
        seen: set[str] = set()
        for page in self.ids():
            for name in page:
                if name in seen:
                    raise _twice(self._id.name, name, f"--id-field {self._key.name}")
                seen.add(name)

    # Reading

    @property
    def _id(self) -> Field:
        return self._key if self.keys_are_made else self._layout.id

    @property
    def _is_whole(self) -> bool:
        return bool(self._schema.key.type == DataType.INT64)

    def _fields(self, *, with_vectors: bool) -> list[str]:
        return [*self._schema.read(), *([self._layout.vector] if with_vectors else [])]

    def _ranges(self, size: int, fields: Sequence[str]) -> Iterator[list[Row]]:
        after: str | None = None
        while page := self._range(after, size, fields):
            yield page
            after = str(page[-1][self._key.name])

    def _range(self, after: str | None, size: int, fields: Sequence[str]) -> list[Row]:
        """Return the rows that follow a key: ``size`` or some more, all if there are fewer.

        Servers give the first rows, milvus-lite any; so a range is believed only once its
        rows are as many as the server counts there.
        """
        above = "" if after is None else f"{self._key.name} > {literal(self._key, after)}"
        found = self._sorted(self._read(above, fields, limit=size))
        if not found:
            return []
        place = len(found) - 1
        bound = self._upto(found[place])
        while (counted := self._count(_both(above, bound))) > 2 * size and place:
            # Of rows that are drawn evenly, so many are as far as the wanted one.
            place = min(place // 2, 3 * place * size // (2 * counted))
            bound = self._upto(found[place])
        if place == len(found) - 1 and counted == len(found):
            return found
        return self._whole(_both(above, bound), fields)

    def _whole(self, where: str, fields: Sequence[str]) -> list[Row]:
        """Return all rows of a range.

        Raises:
            UnsupportedError: a key occurs more than once there.
        """
        found: list[Row] = []
        for _ in range(_READ):
            found = self._sorted(self._read(where, fields))
            if self._count(where) == len(found):
                return found
        keys = [str(one[self._key.name]) for one in found]
        counted = self._count(within(self._key, keys))
        if counted <= len(keys):
            return found  # others write there meanwhile
        while len(keys) > 1:
            half = keys[: len(keys) // 2]
            keys = (
                half if self._count(within(self._key, half)) > len(half) else keys[len(half) :]
            )
        raise _twice(self._key.name, keys[0], "")

    def _sorted(self, found: Sequence[Row]) -> list[Row]:
        name = self._key.name
        if self._is_whole:
            return sorted(found, key=lambda one: whole(one[name]))
        return sorted(found, key=lambda one: str(one[name]).encode("utf-8", "surrogatepass"))

    def _upto(self, raw: Row) -> str:
        return f"{self._key.name} <= {literal(self._key, str(raw[self._key.name]))}"

    def _read(
        self, where: str, fields: Sequence[str], *, limit: int | None = None
    ) -> list[Row]:
        wanted = where or self._every()

        def read(client: MilvusClient) -> list[Row]:
            return list(
                client.query(
                    self._place,
                    filter=wanted,
                    output_fields=list(fields),
                    consistency_level=STRONG,
                    timeout=TIMEOUT_S,
                    **({} if limit is None else {"limit": limit}),
                )
            )

        return self._engine.run(read, about=self._place)

    def _every(self) -> str:
        name = self._key.name
        # The least number cannot be written: its digits without the sign are too many.
        return f"({name} < 0 or {name} >= 0)" if self._is_whole else f'{name} >= ""'

    def _count(self, where: str) -> int:
        (counted,) = self._read(where, ["count(*)"])
        return whole(counted["count(*)"])

    def _parameters(self, client: MilvusClient, count: int) -> dict[str, object]:
        if self._index is None:
            self._index = index_of(client, self._layout)
        kind = str(self._index.get("index_type", "")).upper()
        given = {name: int(str(value)) for name, value in self._searched().items()}
        parameters: dict[str, int] = {}
        if kind.startswith("HNSW"):
            parameters["ef"] = max(given.get("ef", 64), count)
        elif kind.startswith("IVF") or kind == "SCANN":
            parameters["nprobe"] = given.get("nprobe", 32)
        elif kind == "DISKANN":
            parameters["search_list"] = max(given.get("ef", 64), count)
        return {"metric_type": self._index["metric_type"], "params": parameters}

    def _searched(self) -> Mapping[str, object]:
        return {} if self._spec is None else self._spec.ann.search

    def _score(self, distance: float, values: FloatVector) -> float:
        metric = Distance.COSINE if self._spec is None else self._spec.distance
        if metric is Distance.COSINE and not np.any(values):
            return 0.0
        return -distance if metric is Distance.L2 else distance

    # Writing

    def _put(self, part: Sequence[Row], client: MilvusClient) -> list[str]:
        if self._schema.key.made:
            done = client.insert(self._place, list(part), timeout=TIMEOUT_S)
            return [str(key) for key in done["ids"]]
        client.upsert(self._place, list(part), timeout=TIMEOUT_S)
        return [str(one[self._key.name]) for one in part]

    def _new_key(self, document: DocumentId) -> str:
        if self._layout.id.name == self._key.name:
            return document
        made = blake2b(document.encode("utf-8", "surrogatepass"), digest_size=16)
        return str(int(made.hexdigest(), 16) >> 65) if self._is_whole else made.hexdigest()


def index_of(client: MilvusClient, layout: Layout) -> Mapping[str, object]:
    """Return the index of the vectors.

    Raises:
        UnsupportedError: there is none.
    """
    for name in client.list_indexes(layout.collection, timeout=TIMEOUT_S):
        found = client.describe_index(layout.collection, name, timeout=TIMEOUT_S)
        if found and found.get("field_name") == layout.vector:
            described: Mapping[str, object] = found
            return described
    raise UnsupportedError(
        driver="milvus",
        what=f"adopting {layout.collection}, whose {layout.vector!r} has no index",
        hint="make the index that your searches use, and load the collection",
    )


def _twice(field: str, name: str, hint: str) -> UnsupportedError:
    return UnsupportedError(
        driver="milvus",
        what=f"{field} {name!r}, which occurs more than once: each row is one document",
        hint=f"keep one of these rows{', or: ' + hint if hint else ': upsert it once more'}",
    )


def _both(one: str, other: str) -> str:
    return f"{one} and {other}" if one else other


def _parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), ASKED):
        yield values[start : start + ASKED]


def _rows_in_parts(rows: Sequence[Row], dimensions: int) -> Iterator[list[Row]]:
    """Yield rows in parts that one call may carry."""
    most = max(1, min(MOST_ROWS, MOST_BYTES // (4 * dimensions + 1)))
    weights = [4 * sum(len(str(value)) for value in _scalars(row)) for row in rows]
    part: list[Row] = []
    size = 0
    for row, weight in zip(rows, weights, strict=True):
        if part and (len(part) == most or size + weight > MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(row)
        size += weight
    if part:
        yield part


def _scalars(row: Row) -> Iterator[object]:
    return itertools.chain(value for value in row.values() if not isinstance(value, list))
