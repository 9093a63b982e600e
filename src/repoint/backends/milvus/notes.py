"""What is known of a team's rows, in a collection of Milvus (``beside.sides.Notes``)."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Final

from pymilvus import DataType, MilvusClient
from pymilvus.milvus_client import IndexParams

from repoint.backends.milvus import rows
from repoint.backends.milvus.collection import look
from repoint.backends.milvus.engine import STRONG, TIMEOUT_S, Engine
from repoint.backends.milvus.filters import FILLED, Where, among, condition, fields, joined
from repoint.backends.milvus.names import physical
from repoint.beside.sides import Noted
from repoint.domain.errors import FingerprintMismatchError
from repoint.domain.filters import Filter
from repoint.domain.ids import DocumentId, Lsn
from repoint.ports.backend import CollectionSpec

#: Values of one question, and rows of a page.
ASKED: Final = 500
PAGE: Final = 800
_FIELDS: Final = (
    "document", "lsn", "filled", "key", "state", "made", "digest", "text", "differs",
    "start", "end", "metadata",
)  # fmt: skip
#: There must be a vector in every collection; nobody asks for this one.
_VECTOR: Final = "nothing"


class MilvusNotes:
    """The notes of one adopted collection."""

    def __init__(self, engine: Engine, spec: CollectionSpec) -> None:
        self._engine = engine
        self._spec = spec
        self._name = physical(spec.name)

    def require_own(self) -> None:
        """See that it is still this release's."""
        found = self._engine.run(lambda client: look(client, self._spec.name), about=self._name)
        if found is None or found.fingerprint != self._spec.fingerprint:
            raise FingerprintMismatchError(
                collection=self._spec.name,
                expected=self._spec.fingerprint,
                found=found.fingerprint if found else None,
            )

    def of(self, documents: Sequence[DocumentId]) -> dict[DocumentId, Noted]:
        """Return what is known of documents."""
        found = self._among("id", [rows.owner(one) for one in documents], where=True)
        return {one.document: one for one in found}

    def at(self, keys: Sequence[str]) -> dict[str, Noted]:
        """Return what is known of rows, by their keys."""
        places = [rows.owner(DocumentId(key)) for key in keys]
        return {one.key: one for one in self._among("place", places, where=True)}

    def matching(self, keys: Sequence[str], where: Filter | None) -> dict[str, Noted]:
        """Return what is known of those rows that searches find and the filter lets pass."""
        places = [rows.owner(DocumentId(key)) for key in keys]
        return {one.key: one for one in self._among("place", places, where=_filled(where))}

    def passing(self, where: Filter, *, most: int) -> list[str] | None:
        """Return the keys of all rows that pass the filter; None if they are more."""
        wanted = _filled(where)
        if isinstance(wanted, bool):
            return []
        found = self._read(wanted, ["key"], limit=most + 1)
        return None if len(found) > most else [str(one["key"]) for one in found]

    def every(self) -> Iterator[list[Noted]]:
        """Yield all that is known, by ranges of ids."""
        pages = max(1, -(-self._count('id >= ""') // PAGE))
        for low, high in itertools.pairwise(rows.borders(pages)):
            found = self._read(f'id >= "{low}" and id < "{high}"', _FIELDS)
            yield [_noted(one) for one in found]

    def require_fitting(self, notes: Sequence[Noted]) -> None:
        """Refuse a note that Milvus cannot hold."""
        for note in notes:
            _row(note)

    def write(self, notes: Sequence[Noted]) -> None:
        """Write notes, whatever stood there."""
        for part in rows.parts([_row(note) for note in notes], 2):

            def upsert(client: MilvusClient, part: Sequence[rows.Row] = part) -> None:
                client.upsert(self._name, list(part), timeout=TIMEOUT_S)

            self._engine.write(upsert, about=self._name)

    def remove(self, documents: Sequence[DocumentId]) -> None:
        """Forget documents."""
        names = [rows.owner(one) for one in documents]
        for start in range(0, len(names), ASKED):
            self._delete(among("id", names[start : start + ASKED]))

    def remove_emptied(self, below: Lsn) -> None:
        """Forget what was emptied below an LSN."""
        self._delete(f"filled == false and lsn < {int(below)}")

    def counts(self) -> tuple[int, int]:
        """Return how many documents are found by searches, and how many are emptied."""
        return self._count(FILLED), self._count("filled == false")

    def _among(self, field: str, values: Sequence[str], *, where: Where) -> list[Noted]:
        if where is False:
            return []
        found: list[Noted] = []
        for start in range(0, len(values), ASKED):
            wanted = joined([among(field, values[start : start + ASKED]), where], every=True)
            found += [_noted(one) for one in self._read(str(wanted), _FIELDS)]
        return found

    def _read(
        self, where: str, output: Sequence[str], *, limit: int | None = None
    ) -> list[rows.Row]:
        def read(client: MilvusClient) -> list[rows.Row]:
            return list(
                client.query(
                    self._name,
                    filter=where,
                    output_fields=list(output),
                    consistency_level=STRONG,
                    timeout=TIMEOUT_S,
                    **({} if limit is None else {"limit": limit}),
                )
            )

        return self._engine.run(read, about=self._name)

    def _count(self, where: str) -> int:
        (counted,) = self._read(where, ["count(*)"])
        return rows.whole(counted["count(*)"])

    def _delete(self, where: str) -> None:
        self._engine.run(
            lambda client: client.delete(
                self._name, filter=where, consistency_level=STRONG, timeout=TIMEOUT_S
            ),
            about=self._name,
        )


def make(client: MilvusClient, spec: CollectionSpec) -> None:
    """Make the collection of notes, neither indexed nor loaded yet."""
    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("id", DataType.VARCHAR, max_length=32, is_primary=True)
    schema.add_field("document", DataType.VARCHAR, max_length=rows.LONGEST)
    schema.add_field("place", DataType.VARCHAR, max_length=32)
    schema.add_field("key", DataType.VARCHAR, max_length=rows.LONGEST)
    schema.add_field("lsn", DataType.INT64)
    schema.add_field("filled", DataType.BOOL)
    schema.add_field("state", DataType.VARCHAR, max_length=64)
    schema.add_field("made", DataType.VARCHAR, max_length=128)
    schema.add_field("digest", DataType.VARCHAR, max_length=64)
    schema.add_field("differs", DataType.BOOL)
    schema.add_field("text", DataType.VARCHAR, max_length=rows.LONGEST)
    schema.add_field("start", DataType.INT64)
    schema.add_field("end", DataType.INT64)
    schema.add_field("metadata", DataType.VARCHAR, max_length=rows.LONGEST)
    schema.add_field("fields", DataType.JSON)
    schema.add_field(_VECTOR, DataType.FLOAT_VECTOR, dim=2)
    client.create_collection(
        physical(spec.name),
        schema=schema,
        consistency_level="Strong",
        properties=rows.properties(spec),
        timeout=TIMEOUT_S,
    )


def indexes(client: MilvusClient) -> dict[str, IndexParams]:
    """Return the index that there must be for a collection to be loaded."""
    found = client.prepare_index_params()
    found.add_index(_VECTOR, index_name=_VECTOR, index_type="FLAT", metric_type="L2", params={})
    return {_VECTOR: found}


def _filled(where: Filter | None) -> Where:
    return joined([FILLED, True if where is None else condition(where)], every=True)


def _row(note: Noted) -> rows.Row:
    metadata = json.dumps(dict(note.metadata), ensure_ascii=False)
    told = f"metadata of {note.document}"
    indexed = fields(note.metadata)
    rows.fitting(told, json.dumps(indexed))
    return {
        "id": rows.owner(note.document),
        "document": rows.fitting("a document's id", note.document),
        "place": rows.owner(DocumentId(note.key)) if note.key else "",
        "key": note.key,
        "lsn": note.lsn,
        "filled": note.filled,
        "state": note.state,
        "made": note.made,
        "digest": note.digest,
        "differs": note.text is not None,
        "text": rows.fitting(f"chunk of {note.document}", note.text or ""),
        "start": note.start,
        "end": note.end,
        "metadata": rows.fitting(told, metadata),
        "fields": indexed,
        _VECTOR: [0.0, 0.0],
    }


def _noted(found: rows.Row) -> Noted:
    return Noted(
        document=DocumentId(str(found["document"])),
        lsn=Lsn(rows.whole(found["lsn"])),
        filled=bool(found["filled"]),
        key=str(found["key"]),
        state=str(found["state"]),
        made=str(found["made"]),
        digest=str(found["digest"]),
        text=str(found["text"]) if found["differs"] else None,
        start=rows.whole(found["start"]),
        end=rows.whole(found["end"]),
        metadata=json.loads(str(found["metadata"])),
    )
