"""What a team's own collection looks like, and its points as documents.

Payloads have no schema, so any value may stand in a field. Where every field is metadata,
the layout's object is ``EVERYTHING``: the payload itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Final, TypeAlias, cast

import numpy as np
from qdrant_client import QdrantClient, models

from repoint.domain.adoption import Field, FieldKind, Layout
from repoint.domain.document import Document, Json
from repoint.domain.errors import NotFoundError, UnsupportedError
from repoint.domain.ids import DocumentId
from repoint.ports.adoption import Wish
from repoint.ports.backend import FloatVector

#: The payload itself, as the object whose keys are metadata fields.
EVERYTHING: Final = "*"
#: The name by which a point's own id is meant, unless its payload has a field of that name.
POINT_ID: Final = "id"
#: Where repoint's notes stand in a payload; fields for filters stand beside it.
NOTES: Final = "repoint"
#: Points that are looked at for the names of fields.
_LOOKED_AT: Final = 256
_FIELD: Final = re.compile(r"[tnb]_([0-9a-f]{2})+")

Payload: TypeAlias = Mapping[str, object]


def layout_of(client: QdrantClient, wish: Wish) -> Layout:
    """Return the layout that is wished, once some points are known to have it.

    Raises:
        NotFoundError: there is no such vector, or no point has such a field.
        UnsupportedError: the collection has no point yet, or several vectors.
    """
    found, _ = client.scroll(wish.collection, limit=_LOOKED_AT, with_payload=True)
    if not found:
        raise UnsupportedError(
            driver="qdrant", what=f"adopting {wish.collection}, which is empty"
        )
    fields = sorted({name for one in found for name in one.payload or {}})
    named = [wish.text_field, wish.title_field, wish.object_field, *(wish.metadata or ())]
    for name in (name for name in named if name):
        if name not in fields:
            raise NotFoundError(what="payload field", name=name, known=fields)
    metadata = [Field(name=name, kind=FieldKind.JSON) for name in wish.metadata or ()]
    return Layout(
        collection=wish.collection,
        id=_id(found, fields, wish),
        text=Field(name=wish.text_field, kind=FieldKind.TEXT),
        title=Field(name=wish.title_field, kind=FieldKind.TEXT) if wish.title_field else None,
        vector=_vector(client, wish),
        metadata=tuple(metadata),
        object=wish.object_field or (EVERYTHING if wish.metadata is None else ""),
        left_out=wish.left_out,
    )


def params_of(client: QdrantClient, layout: Layout) -> models.VectorParams:
    """Return how the vectors are kept."""
    vectors = client.get_collection(layout.collection).config.params.vectors
    return vectors[layout.vector] if layout.vector else vectors


def has_own_ids(layout: Layout) -> bool:
    """Return whether documents have the ids of their points."""
    return layout.id.kind is not FieldKind.TEXT


def id_of(layout: Layout, point: models.Record) -> DocumentId:
    """Return a point's document id; empty where it has none."""
    if has_own_ids(layout):
        return DocumentId(str(point.id))
    value = (point.payload or {}).get(layout.id.name)
    return DocumentId("" if value is None else str(value))


def document_of(layout: Layout, point: models.Record) -> Document:
    """Return a point as a document; without an id or a text it is an empty one."""
    payload: Payload = point.payload or {}
    text = payload.get(layout.text.name)
    title = payload.get(layout.title.name) if layout.title is not None else None
    return Document(
        id=id_of(layout, point),
        text="" if text is None else str(text),
        title="" if title is None else str(title),
        metadata=_metadata(layout, payload),
    )


def payload_of(layout: Layout, document: Document, before: Payload) -> dict[str, object]:
    """Return a document as a payload; what is the team's alone stays as it was before."""
    kept = {
        name: value
        for name, value in before.items()
        if not is_ours(name) and (layout.object != EVERYTHING or name in layout.left_out)
    }
    payload: dict[str, object] = {**kept, layout.text.name: document.text}
    if not has_own_ids(layout):
        payload[layout.id.name] = document.id
    if layout.title is not None:
        payload[layout.title.name] = document.title or None
    payload |= {one.name: document.metadata.get(one.name) for one in layout.metadata}
    if layout.object == EVERYTHING:
        return payload | layout.object_of(document)
    if layout.object:
        inner = before.get(layout.object)
        old = inner if isinstance(inner, dict) else {}
        left = {name: value for name, value in old.items() if name in layout.left_out}
        payload[layout.object] = {**left, **layout.object_of(document)}
    return payload


def state_of(layout: Layout, payload: Payload) -> str:
    """Return what tells whether a payload has another content than before."""
    names = [layout.text.name, layout.object, *(one.name for one in layout.metadata)]
    names += [layout.title.name] if layout.title is not None else []
    whole = layout.object == EVERYTHING
    seen = {
        name: value
        for name, value in payload.items()
        if not is_ours(name) and value is not None and (whole or name in names)
    }
    written = json.dumps(seen, sort_keys=True, ensure_ascii=True, default=str)
    return blake2b(written.encode(), digest_size=12).hexdigest()


def vector_of(layout: Layout, point: models.Record) -> FloatVector | None:
    """Return a point's vector, None where it has none."""
    vector = point.vector
    if layout.vector or isinstance(vector, dict):
        vector = (vector or {}).get(layout.vector)
    return None if vector is None else np.asarray(vector, dtype=np.float32)


def is_ours(name: str) -> bool:
    """Return whether a payload's field is one that repoint added."""
    return name == NOTES or _FIELD.fullmatch(name) is not None


def _id(found: Sequence[models.Record], fields: Sequence[str], wish: Wish) -> Field:
    if wish.id_field in fields:
        return Field(name=wish.id_field, kind=FieldKind.TEXT, required=True)
    if wish.id_field != POINT_ID:
        known = [POINT_ID, *fields]
        raise NotFoundError(what="payload field", name=wish.id_field, known=known)
    if isinstance(found[0].id, int):
        return Field(name=POINT_ID, kind=FieldKind.INTEGER, required=True, size=8)
    return Field(name=POINT_ID, kind=FieldKind.UUID, required=True)


def _vector(client: QdrantClient, wish: Wish) -> str:
    vectors = client.get_collection(wish.collection).config.params.vectors
    names = list(vectors) if isinstance(vectors, dict) else [""]
    if wish.vector_field and wish.vector_field not in names:
        raise NotFoundError(what="vector", name=wish.vector_field, known=names)
    if not wish.vector_field and len(names) != 1:
        raise UnsupportedError(
            driver="qdrant",
            what=f"a collection with {len(names)} vectors a point",
            hint=f"name one: --vector-field {names[0]}" if names else "",
        )
    return wish.vector_field or str(names[0])


def _metadata(layout: Layout, payload: Payload) -> dict[str, Json]:
    used = {layout.text.name, *layout.left_out}
    used |= set() if has_own_ids(layout) else {layout.id.name}
    used |= {layout.title.name} if layout.title is not None else set()
    inner: object = {}
    if layout.object == EVERYTHING:
        inner = {
            name: v for name, v in payload.items() if name not in used and not is_ours(name)
        }
    elif layout.object:
        inner = payload.get(layout.object)
    found = {one.name: payload[one.name] for one in layout.metadata if one.name in payload}
    if isinstance(inner, dict):
        found |= {n: v for n, v in inner.items() if n not in found and n not in layout.left_out}
    values = {name: value for name, value in found.items() if value is not None}
    return cast("dict[str, Json]", values)
