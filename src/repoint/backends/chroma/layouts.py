"""What a team's own collection looks like, and its records as documents.

Metadata has no schema. Where every key is metadata, the layout's object is ``EVERYTHING``.
Keys with lists are left where they are: not every server has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, cast

import numpy as np

from repoint.backends.chroma.server import Foreign, Server, Value
from repoint.beside.sides import TeamRow, state_of
from repoint.domain.adoption import Field, FieldKind, Layout
from repoint.domain.document import Document, Json
from repoint.domain.errors import NotFoundError, UnsupportedError
from repoint.domain.ids import DocumentId
from repoint.ports.adoption import Wish

#: The metadata itself, as the object whose keys are metadata fields.
EVERYTHING: Final = "*"
#: By these names the record's own id, text and vector are meant.
ID: Final = "id"
DOCUMENT: Final = "document"
VECTOR: Final = "embedding"
#: Records that are looked at for the names of keys.
_LOOKED_AT: Final = 256

Record = Mapping[str, object]


def layout_of(server: Server, collection: str, wish: Wish) -> Layout:
    """Return the layout that is wished, once some records are known to have it.

    Raises:
        NotFoundError: no record has such a key.
        UnsupportedError: the collection has no record yet, or an object is asked for.
    """
    found = server.foreign(collection, include=["metadatas", "documents"], limit=_LOOKED_AT)
    if not found.ids:
        raise UnsupportedError(
            driver="chroma", what=f"adopting {wish.collection}, which is empty"
        )
    if wish.id_field != ID:
        raise NotFoundError(what="field for ids", name=wish.id_field, known=[ID])
    if wish.vector_field not in {"", VECTOR}:
        raise NotFoundError(what="vector", name=wish.vector_field, known=[VECTOR])
    if wish.object_field:
        raise UnsupportedError(
            driver="chroma",
            what=f"an object in {wish.object_field!r}: metadata holds no objects",
            hint="name its keys: --metadata-field, or all of them",
        )
    _require_known(found, wish)
    return Layout(
        collection=wish.collection,
        id=Field(name=ID, kind=FieldKind.TEXT, required=True),
        text=Field(name=wish.text_field, kind=FieldKind.TEXT),
        title=Field(name=wish.title_field, kind=FieldKind.TEXT) if wish.title_field else None,
        metadata=tuple(Field(name=name, kind=FieldKind.SCALAR) for name in wish.metadata or ()),
        object=EVERYTHING if wish.metadata is None else "",
        left_out=wish.left_out,
        flat=True,
    )


def _require_known(found: Foreign, wish: Wish) -> None:
    known = sorted({name for one in found.metadatas or () for name in one or {}})
    texts = [DOCUMENT] if any(one is not None for one in found.documents or ()) else []
    for name in (wish.text_field, wish.title_field):
        if name and name not in {*texts, *known}:
            raise NotFoundError(what="metadata key", name=name, known=[*texts, *known])
    for name in wish.metadata or ():
        if name not in known:
            raise NotFoundError(what="metadata key", name=name, known=known)


def rows_of(layout: Layout, found: Foreign) -> Iterator[TeamRow]:
    """Yield records as rows."""
    nothing: Sequence[None] = [None] * len(found.ids)
    for key, metadata, text, vector in zip(
        found.ids,
        found.metadatas or nothing,
        found.documents or nothing,
        found.embeddings or nothing,
        strict=True,
    ):
        raw = {**(metadata or {})}
        yield TeamRow(
            key=key,
            document=_document(layout, key, text, raw),
            state=state_of(content_of(layout, text, raw)),
            vector=None if vector is None else np.asarray(vector, dtype=np.float32),
            raw=raw,
        )


def text_of(layout: Layout, text: str | None, metadata: Record) -> str:
    """Return a record's text; empty where it has none."""
    held = text if layout.text.name == DOCUMENT else metadata.get(layout.text.name)
    return "" if held is None else str(held)


def content_of(layout: Layout, text: str | None, metadata: Record) -> dict[str, object]:
    """Return what of a record is a document's."""
    names = {layout.text.name, *(one.name for one in layout.metadata)}
    names |= {layout.title.name} if layout.title is not None else set()
    if layout.object == EVERYTHING:
        names |= metadata.keys() - set(layout.left_out)
    content = {
        name: value
        for name, value in metadata.items()
        if name in names and isinstance(value, Value)
    }
    return content | ({DOCUMENT: text} if layout.text.name == DOCUMENT else {})


def written(
    layout: Layout, document: Document, before: Record
) -> tuple[str | None, dict[str, Value | None]]:
    """Return a document as a record's text and metadata; a key that is to go is None.

    A write joins its keys to those that stand, so what is the team's alone stays.
    """
    values: dict[str, Json] = dict.fromkeys(content_of(layout, None, before))
    values |= {one.name: document.metadata.get(one.name) for one in layout.metadata}
    if layout.object == EVERYTHING:
        values |= layout.object_of(document)
    if layout.title is not None:
        values[layout.title.name] = document.title or None
    own = layout.text.name == DOCUMENT
    if own:
        values.pop(DOCUMENT, None)
    else:
        values[layout.text.name] = document.text
    kept = {
        name: value for name, value in values.items() if value is not None or name in before
    }
    return document.text if own else None, cast("dict[str, Value | None]", kept)


def _document(layout: Layout, key: str, text: str | None, metadata: Record) -> Document:
    title = metadata.get(layout.title.name) if layout.title is not None else None
    used = {layout.text.name, layout.title.name if layout.title else ""}
    found = {
        name: value
        for name, value in content_of(layout, None, metadata).items()
        if name not in used and value is not None
    }
    return Document(
        id=DocumentId(key),
        text=text_of(layout, text, metadata),
        title="" if title is None else str(title),
        metadata=cast("dict[str, Json]", found),
    )
