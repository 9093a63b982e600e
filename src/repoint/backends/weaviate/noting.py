"""What repoint notes of a team's objects, in them and beside them."""

from __future__ import annotations

import json
from typing import Final

from weaviate.classes.data import DataObject

from repoint.backends.weaviate.classes import GUARD, NOTE
from repoint.backends.weaviate.filters import PART, PARTS, fields
from repoint.backends.weaviate.layouts import PREFIX, Found, note_of
from repoint.backends.weaviate.names import document_key, object_id, sound
from repoint.backends.weaviate.objects import Written
from repoint.domain.document import Entry, Json

#: Stands for a digest where the object is not as repoint left it; no digest is ever equal.
BYPASSED: Final = "bypassed"


def notes_of(entry: Entry, *, before: Found | None, state: str, made: str) -> dict[str, Json]:
    """Return what is added to a document's object; None takes an older value away."""
    chunk = entry.chunks[0] if entry.chunks else None
    differs = chunk is not None and (entry.content is None or chunk.text != entry.content.text)
    note = {
        "lsn": entry.lsn,
        "known": chunk is not None,
        "digest": chunk.digest if chunk else None,
        "text": sound(chunk.text) if chunk and differs else None,
        "start": chunk.start if chunk else 0,
        "end": chunk.end if chunk else 0,
        "metadata": sound(json.dumps(dict(entry.metadata), ensure_ascii=False)),
        "state": state,
        "made": made,
    }
    old: dict[str, Json] = {}
    if before is not None and (noted := note_of(before).get("metadata")):
        old = dict.fromkeys(fields(json.loads(str(noted)), prefix=PREFIX))
    return {
        **old,
        **fields(entry.metadata, prefix=PREFIX),
        PREFIX + NOTE: json.dumps(note, ensure_ascii=False),
        PREFIX + PART: document_key(entry.document).int % PARTS if chunk else None,
    }


def unknown(entry: Entry, *, state: str) -> dict[str, Json]:
    """Return what is noted of an object whose document cannot be taken: no search finds it."""
    note = {"lsn": entry.lsn, "known": False, "state": state, "made": ""}
    return {PREFIX + NOTE: json.dumps(note), PREFIX + PART: None}


def position_of(entry: Entry, *, emptied: bool) -> Written:
    """Return what stands beside a team's class for a document."""
    return DataObject(
        uuid=object_id(entry.document, 0),
        properties={
            "document": entry.document,
            "key": document_key(entry.document),
            "slot": 0,
            "lsn": entry.lsn,
            **({GUARD: entry.lsn} if emptied else {}),
        },
    )
