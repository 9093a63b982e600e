"""What repoint notes of a team's documents: in them, and in an index of its own beside."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from repoint.backends.opensearch.documents import LONGEST, meta_of, sound
from repoint.backends.opensearch.filters import KINDS, Query, fields
from repoint.backends.opensearch.layouts import NOTES
from repoint.domain.document import Entry
from repoint.domain.errors import RowsRefusedError
from repoint.domain.filters import Scalar
from repoint.ports.backend import CollectionSpec

#: Stands for a digest where the row is not as repoint left it; no digest is ever equal.
BYPASSED: Final = "bypassed"
#: Where a team's document holds what filters look at.
COMPARED: Final = f"{NOTES}.fields"
#: A document that searches through repoint find.
KNOWN: Final[Query] = {"term": {f"{NOTES}.known": True}}
#: A known one whose vector is all zeros, which the database's index does not take.
ZERO: Final[Query] = {"term": {f"{NOTES}.zero": True}}
#: A document that repoint wrote or noted.
NOTED: Final[Query] = {"exists": {"field": f"{NOTES}.lsn"}}
#: A tombstone beside.
EMPTIED: Final[Query] = {"term": {"emptied": True}}

_MAPPED: Final = {
    "document": {"type": "keyword"},
    "lsn": {"type": "long"},
    "was": {"type": "long"},
    "known": {"type": "boolean"},
    "zero": {"type": "boolean"},
}


def mapping_of_notes() -> dict[str, object]:
    """Return what is added to the team's mapping; a strict one takes it too."""
    compared = {"type": "object", "dynamic": False, "properties": {}}
    properties = {**_MAPPED, "fields": compared}
    return {"properties": {NOTES: {"dynamic": False, "properties": properties}}}


def mapping_of_fields(names: Iterable[str]) -> dict[str, object]:
    """Return the mapping of fields that filters look at."""
    kinds = dict(KINDS.values())
    properties = {name: {"type": kinds[name[:2]]} for name in names}
    inner = {"fields": {"properties": properties}}
    return {"properties": {NOTES: {"properties": inner}}}


def is_ours(property_: object) -> bool:
    """Return whether a field of a mapping is the one that repoint added."""
    found = property_.get("properties") if isinstance(property_, dict) else None
    return isinstance(found, dict) and found.keys() >= _MAPPED.keys()


def beside_of(spec: CollectionSpec) -> dict[str, object]:
    """Return the index beside: a document's position or its tombstone, each one document."""
    return {
        "settings": {"index": {"number_of_shards": 1, "gc_deletes": "0s"}},
        "mappings": {
            "_meta": meta_of(spec),
            "dynamic": False,
            "properties": {
                "document": {"type": "keyword"},
                "lsn": {"type": "long"},
                "emptied": {"type": "boolean"},
            },
        },
    }


def notes_of(
    entry: Entry, *, state: str, version: int, was: object, zero: bool
) -> dict[str, object]:
    """Return what is noted in a document of the team's.

    Raises:
        RowsRefusedError: a metadata field is longer than filters can compare.
    """
    chunk = entry.chunks[0] if entry.chunks else None
    differs = chunk is not None and (entry.content is None or chunk.text != entry.content.text)
    return {
        "document": entry.document,
        "lsn": entry.lsn,
        "known": chunk is not None,
        "zero": zero,
        "version": version,
        "state": state,
        "digest": chunk.digest if chunk else None,
        "text": sound(chunk.text) if chunk and differs else None,
        "start": chunk.start if chunk else 0,
        "end": chunk.end if chunk else 0,
        "metadata": sound(json.dumps(dict(entry.metadata), ensure_ascii=False)),
        "fields": _compared(entry),
        **({} if was is None else {"was": was}),
    }


def fields_in(entry: Entry) -> set[str]:
    """Return the names of the fields that filters look at in one document."""
    return set(fields(entry.metadata))


def _compared(entry: Entry) -> dict[str, Scalar]:
    compared = fields(entry.metadata)
    for name, value in entry.metadata.items():
        if isinstance(value, str) and len(value.encode("utf-8", "replace")) > LONGEST:
            why = (
                f"the metadata field {name!r} is longer than the {LONGEST:,} bytes that "
                f"filters can compare; leave it where it is: --leave-out {name}"
            )
            raise RowsRefusedError.of({entry.document: why}, driver="opensearch")
    return compared
