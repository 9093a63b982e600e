"""What is known of a team's records, in a collection of Chroma (``beside.sides.Notes``)."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Final
from uuid import UUID, uuid5

from repoint.backends.chroma import records
from repoint.backends.chroma.filters import Where, condition, fields, joined
from repoint.backends.chroma.server import Server, Value
from repoint.beside.sides import Noted
from repoint.domain.errors import CollectionMissingError, FingerprintMismatchError
from repoint.domain.filters import Filter
from repoint.domain.ids import DocumentId, Lsn
from repoint.ports.backend import CollectionSpec

#: Ids of one question, and records of a page.
ASKED: Final = 500
PAGE: Final = 800
_FILLED: Final[Where] = {"filled": True}
_SPACE: Final = UUID("5a6e9a0c-3c43-4f0b-8a0a-4a55c38d9f10")


class ChromaNotes:
    """The notes of one adopted collection. Ids are the documents', so keys are too."""

    def __init__(self, server: Server, spec: CollectionSpec, collection: str) -> None:
        self._server = server
        self._spec = spec
        self._collection = collection

    def require_own(self) -> None:
        """See that it is still this release's."""
        found = self._server.described(self._spec.name)
        if found is None:
            raise CollectionMissingError(collection=self._spec.name)
        spec = records.spec_of(found)
        if spec is None or spec.fingerprint != self._spec.fingerprint:
            raise FingerprintMismatchError(
                collection=self._spec.name,
                expected=self._spec.fingerprint,
                found=spec.fingerprint if spec else None,
            )
        self._collection = found.id

    def of(self, documents: Sequence[DocumentId]) -> dict[DocumentId, Noted]:
        """Return what is known of documents."""
        return {one.document: one for one in self._among(documents, where=True)}

    def at(self, keys: Sequence[str]) -> dict[str, Noted]:
        """Return what is known of records, by their ids."""
        return {str(one.document): one for one in self._among(keys, where=True)}

    def matching(self, keys: Sequence[str], where: Filter | None) -> dict[str, Noted]:
        """Return what is known of those records that searches find and a filter lets pass."""
        return {one.key: one for one in self._among(keys, where=_filled(where))}

    def passing(self, where: Filter, *, most: int) -> list[str] | None:
        """Return the ids of all records that pass the filter; None if they are more."""
        wanted = _filled(where)
        if isinstance(wanted, bool):
            return []
        found = self._server.get(
            self._collection, include=["metadatas"], where=wanted, limit=most + 1
        )
        rows = found.metadatas or []
        return None if len(rows) > most else [str(one["key"]) for one in rows if one]

    def every(self) -> Iterator[list[Noted]]:
        """Yield all that is known, by ranges of places, which no write moves."""
        ranges = max(1, -(-self._server.count(self._collection) // PAGE))
        borders = [records.PLACES * n // ranges for n in range(ranges + 1)]
        for low, high in itertools.pairwise(borders):
            within = {"$and": [{"place": {"$gte": low}}, {"place": {"$lt": high}}]}
            yield self._read(where=within)

    def require_fitting(self, notes: Sequence[Noted]) -> None:
        """Accept all: Chroma's metadata has no size of its own."""

    def write(self, notes: Sequence[Noted]) -> None:
        """Write notes, whatever stood there."""
        if not notes:
            return
        ids = [_id(note.document) for note in notes]
        standing: dict[str, records.Record] = {}
        for start in range(0, len(ids), ASKED):
            got = self._server.get(
                self._collection, include=["metadatas"], ids=ids[start : start + ASKED]
            )
            standing |= dict(
                zip(got.ids, (one or {} for one in got.metadatas or []), strict=True)
            )
        self._server.upsert(
            self._collection,
            ids=ids,
            vectors=records.guard_vectors(ids),
            metadatas=[
                {**dict.fromkeys(standing.get(id_, {})), **_record(id_, note)}
                for id_, note in zip(ids, notes, strict=True)
            ],
        )

    def remove(self, documents: Sequence[DocumentId]) -> None:
        """Forget documents."""
        ids = [_id(one) for one in documents]
        for start in range(0, len(ids), ASKED):
            self._server.remove(self._collection, ids=ids[start : start + ASKED])

    def remove_emptied(self, below: Lsn) -> None:
        """Forget what was emptied below an LSN."""
        old = [{"filled": False}, {"lsn": {"$lt": int(below)}}]
        self._server.remove(self._collection, where={"$and": old})

    def counts(self) -> tuple[int, int]:
        """Return how many documents are found by searches, and how many are emptied."""
        filled = len(self._server.get(self._collection, include=[], where=_FILLED).ids)
        return filled, self._server.count(self._collection) - filled

    def _among(self, names: Sequence[str], *, where: Where) -> list[Noted]:
        if where is False:
            return []
        found: list[Noted] = []
        ids = [_id(name) for name in names]
        given = {} if where is True else {"where": where}
        for start in range(0, len(ids), ASKED):
            found += self._read(ids=ids[start : start + ASKED], **given)
        return found

    def _read(self, **chosen: object) -> list[Noted]:
        got = self._server.get(self._collection, include=["metadatas"], **chosen)
        return [_noted(one) for one in got.metadatas or [] if one]


def _filled(where: Filter | None) -> Where:
    return joined([_FILLED, True if where is None else condition(where)], every=True)


def _id(document: str) -> str:
    return str(uuid5(_SPACE, document))


def _record(id_: str, note: Noted) -> dict[str, Value]:
    return {
        "document": note.document,
        "place": UUID(id_).int % records.PLACES,
        "lsn": int(note.lsn),
        "filled": note.filled,
        "key": note.key,
        "state": note.state,
        "made": note.made,
        "digest": note.digest,
        "start": note.start,
        "end": note.end,
        "metadata": json.dumps(dict(note.metadata)),
        **({} if note.text is None else {"text": note.text}),
        **fields(note.metadata),
    }


def _noted(found: records.Record) -> Noted:
    text = found.get("text")
    return Noted(
        document=DocumentId(str(found["document"])),
        lsn=Lsn(int(found["lsn"])),
        filled=bool(found["filled"]),
        key=str(found["key"]),
        state=str(found["state"]),
        made=str(found["made"]),
        digest=str(found["digest"]),
        text=None if text is None else str(text),
        start=int(found["start"]),
        end=int(found["end"]),
        metadata=json.loads(str(found["metadata"])),
    )
