"""What repoint notes of a team's points, and the conditions that read it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final
from uuid import UUID, uuid5

from qdrant_client import QdrantClient, models

from repoint.backends.qdrant.filters import fields
from repoint.backends.qdrant.layouts import NOTES
from repoint.domain.document import Entry
from repoint.domain.ids import DocumentId, Lsn

#: Stands for a digest where the point is not as repoint left it; no digest is ever equal.
BYPASSED: Final = "bypassed"
#: What ids are made from where a team has others.
SPACE: Final = UUID("0b1c4c2e-6f0b-4b57-9a5e-3f0c7c0d5a11")
#: A point that searches through repoint find.
KNOWN: Final = models.FieldCondition(key=f"{NOTES}.known", match=models.MatchValue(value=True))


def notes_of(entry: Entry, *, state: str, made: str) -> dict[str, object]:
    """Return what is added to the payload of a document's point."""
    chunk = entry.chunks[0] if entry.chunks else None
    differs = chunk is not None and (entry.content is None or chunk.text != entry.content.text)
    notes: dict[str, object] = {
        "lsn": entry.lsn,
        "known": chunk is not None,
        "digest": chunk.digest if chunk else None,
        "text": chunk.text if chunk and differs else None,
        "start": chunk.start if chunk else 0,
        "end": chunk.end if chunk else 0,
        "metadata": json.dumps(dict(entry.metadata), ensure_ascii=False),
        "state": state,
        "made": made,
    }
    return {NOTES: notes, **fields(entry.metadata)}


def beside(document: DocumentId) -> str:
    """Return the id of the point beside that stands for a document."""
    return str(uuid5(SPACE, f"beside {document}"))


def not_newer(lsn: Lsn, *, ids: Sequence[models.ExtendedPointId] = ()) -> models.Filter:
    """Return the condition of a point that has no note, or none of a higher LSN."""
    key = f"{NOTES}.lsn"
    either = models.Filter(
        should=[
            models.IsEmptyCondition(is_empty=models.PayloadField(key=key)),
            models.FieldCondition(key=key, range=models.Range(lte=lsn)),
        ]
    )
    return models.Filter(
        must=[models.HasIdCondition(has_id=list(ids)), either] if ids else [either]
    )


def delete(client: QdrantClient, name: str, wanted: models.Filter) -> None:
    """Delete the points that a condition names."""
    client.delete(name, points_selector=models.FilterSelector(filter=wanted), wait=True)
