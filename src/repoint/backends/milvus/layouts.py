"""What a team's own collection looks like, and its rows as documents.

Where every key of the dynamic field is metadata, the layout's object is ``DYNAMIC``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, cast

import numpy as np
from pymilvus import DataType, MilvusClient

from repoint.backends.milvus.engine import STRONG, TIMEOUT_S
from repoint.backends.milvus.literals import is_plain
from repoint.backends.milvus.schemas import DYNAMIC, KINDS, Column, Schema
from repoint.beside.sides import TeamRow, state_of
from repoint.domain.adoption import Field, FieldKind, Layout
from repoint.domain.document import Document, Json
from repoint.domain.errors import NotFoundError, UnsupportedError
from repoint.domain.ids import DocumentId
from repoint.ports.adoption import Wish

#: Rows that are looked at for the names of dynamic keys.
_LOOKED_AT: Final = 256
#: The shortest text key into which a made key fits.
_MADE_KEY: Final = 32
_DENSE: Final = frozenset({DataType.FLOAT_VECTOR})


def layout_of(client: MilvusClient, wish: Wish, schema: Schema) -> Layout:
    """Return the layout that is wished.

    Raises:
        NotFoundError: there is no such field, nor a row with such a dynamic key.
        UnsupportedError: it cannot be adopted; it says why and what to do.
    """
    return _Chooser(client, wish, schema).layout()


class _Chooser:
    """Finds the fields of one wish."""

    def __init__(self, client: MilvusClient, wish: Wish, schema: Schema) -> None:
        self._wish = wish
        self._schema = schema
        self._keys = _dynamic_keys(client, wish.collection, schema)

    def layout(self) -> Layout:
        wish = self._wish
        text = self._field(wish.text_field, FieldKind.TEXT, "texts")
        title = (
            self._field(wish.title_field, FieldKind.TEXT, "titles")
            if wish.title_field
            else None
        )
        id_, vector = self._id(), self._vector()
        holds = self._object()
        used = {wish.id_field, wish.text_field, wish.title_field, holds, *wish.left_out}
        names = self._all(used) if wish.metadata is None else list(wish.metadata)
        metadata = [self._metadata(name) for name in names if name not in wish.left_out]
        used |= {one.name for one in metadata}
        self._require_writable(used - set(wish.left_out))
        return Layout(
            collection=wish.collection,
            id=id_,
            text=text,
            title=title,
            vector=vector,
            metadata=tuple(metadata),
            object=holds,
            left_out=wish.left_out,
        )

    def _all(self, used: set[str]) -> list[str]:
        return [
            name
            for name, one in self._schema.columns.items()
            if name not in used and one.field() is not None and not one.is_key and not one.made
        ]

    def _metadata(self, name: str) -> Field:
        return self._field(name, None, "metadata")

    def _field(self, name: str, kind: FieldKind | None, what: str) -> Field:
        column = self._schema.columns.get(name)
        if column is None:
            if name not in self._keys:
                known = [*self._schema.columns, *self._keys]
                raise NotFoundError(what="field", name=name, known=known)
            return Field(name=name, kind=kind or FieldKind.JSON)
        field = column.field()
        if field is None or (kind is not None and field.kind is not kind):
            raise UnsupportedError(
                driver="milvus",
                what=f"{what} in a field of type {column.type.name}: {name!r}",
                hint="texts are VARCHAR; metadata is VARCHAR, a number, BOOL or JSON",
            )
        return field

    def _id(self) -> Field:
        name, key = self._wish.id_field, self._schema.key
        column = self._schema.columns.get(name)
        if column is None:
            known = [one.name for one in self._schema.columns.values() if _can_be_id(one)]
            raise NotFoundError(what="field for ids", name=name, known=known)
        if not _can_be_id(column):
            raise UnsupportedError(
                driver="milvus",
                what=f"ids in a field of type {column.type.name}: {name!r}",
                hint=f"it must be VARCHAR or INT64; the primary key is {key.name}",
            )
        if column.is_key and column.made:
            # Documents that are new have ids of their own, which stand beside.
            return Field(name=name, kind=FieldKind.TEXT, required=True, filled=True)
        field = column.field()
        assert field is not None  # noqa: S101 - its type was checked
        short = key.type == DataType.VARCHAR and int(str(key.parameters["max_length"]))
        if not column.is_key and not key.made and short and short < _MADE_KEY:
            raise UnsupportedError(
                driver="milvus",
                what=f"new rows whose key {key.name!r} holds only {short} characters",
                hint=f"take the key as the id: --id-field {key.name}",
            )
        return field

    def _vector(self) -> str:
        vectors = [one for one in self._schema.columns.values() if one.is_vector]
        given = [one.name for one in vectors if not one.made]
        dense = [one.name for one in vectors if one.type in _DENSE]
        wished = self._wish.vector_field
        if wished and wished not in dense:
            raise NotFoundError(what="field of type FLOAT_VECTOR", name=wished, known=dense)
        if len(given) != 1 or not dense:
            raise UnsupportedError(
                driver="milvus",
                what=f"a collection with {len(given)} vectors a row ({', '.join(given)})",
                hint="a new row must have each of them, and a release makes one; it must be "
                "a FLOAT_VECTOR",
            )
        return given[0]

    def _object(self) -> str:
        name = self._wish.object_field
        if not name:
            everything = self._wish.metadata is None and self._schema.dynamic
            return DYNAMIC if everything else ""
        if name == DYNAMIC and self._schema.dynamic:
            return DYNAMIC
        return self._field(name, FieldKind.JSON, "an object").name

    def _require_writable(self, used: set[str]) -> None:
        for name, one in self._schema.columns.items():
            if name in used or one.is_key or one.made or one.optional or one.is_vector:
                continue
            takes = one.field() is not None
            raise UnsupportedError(
                driver="milvus",
                what=f"new rows without a value for {name!r}, which must have one",
                hint=f"take it as metadata: --metadata-field {name}"
                if takes
                else f"fields of type {one.type.name} cannot be metadata: make it nullable",
            )


def left_out(layout: Layout, schema: Schema) -> dict[str, str]:
    """Return the fields that are left where they are, and why."""
    used = {layout.id.name, layout.text.name, layout.vector, layout.object}
    used |= {one.name for one in layout.metadata}
    used |= {layout.title.name} if layout.title else set()
    found = {
        name: "its values are made by the database"
        if one.made or one.is_key
        else f"values of type {one.type.name} are no metadata"
        if one.field() is None
        else "nobody named it"
        for name, one in schema.columns.items()
        if name not in used
    }
    if schema.dynamic and layout.object != DYNAMIC:
        found[DYNAMIC] = "keys that nobody named stay where they are"
    return found


def row_of(layout: Layout, schema: Schema, raw: Mapping[str, object]) -> TeamRow:
    """Return a row as it came."""
    named = raw.get(layout.id.name)
    content = content_of(layout, schema, raw)
    text, metadata = content.get(layout.text.name), dict(_metadata(layout, schema, content))
    title = content.get(layout.title.name) if layout.title is not None else None
    vector = raw.get(layout.vector)
    return TeamRow(
        key=str(raw[schema.key.name]),
        document=Document(
            id=DocumentId("" if named is None else str(named)),
            text="" if text is None else str(text),
            title="" if title is None else str(title),
            metadata=cast("dict[str, Json]", metadata),
        ),
        state=state_of(content),
        vector=None if vector is None else np.asarray(vector, dtype=np.float32),
        raw={name: value for name, value in raw.items() if name != layout.vector},
    )


def content_of(layout: Layout, schema: Schema, raw: Mapping[str, object]) -> dict[str, object]:
    """Return what of a row is a document's, as the database would give it back."""
    names = [layout.text.name, *(one.name for one in layout.metadata)]
    names += [layout.title.name] if layout.title is not None else []
    if layout.object == DYNAMIC:
        names += [
            name for name in raw if name not in schema.columns and name not in layout.left_out
        ]
    elif layout.object:
        names.append(layout.object)
    return {
        name: _as_stored(schema.columns.get(name), raw[name])
        for name in dict.fromkeys(names)
        if raw.get(name) is not None
    }


def written(
    layout: Layout, schema: Schema, document: Document, before: Mapping[str, object]
) -> dict[str, object]:
    """Return a document as a row without key and vector; the rest is as it was before."""
    kept = {
        name: value
        for name, value in before.items()
        if _is_kept(layout, schema, name) and value is not None
    }
    row: dict[str, object] = {**kept, layout.text.name: document.text}
    if layout.id.name != schema.key.name:
        whole = layout.id.kind is FieldKind.INTEGER
        row[layout.id.name] = int(document.id) if whole else document.id
    values: dict[str, Json] = {
        one.name: document.metadata.get(one.name) for one in layout.metadata
    }
    if layout.title is not None:
        values[layout.title.name] = document.title or None
    if layout.object == DYNAMIC:
        values |= layout.object_of(document)
    elif layout.object:
        inner = before.get(layout.object)
        old = inner if isinstance(inner, dict) else {}
        left = {name: value for name, value in old.items() if name in layout.left_out}
        values[layout.object] = {**left, **layout.object_of(document)}
    for name, value in values.items():
        column = schema.columns.get(name)
        if value is not None:
            row[name] = _typed(column, value)
        elif column is not None:
            row[name] = None
        else:
            row.pop(name, None)
    return row


def _is_kept(layout: Layout, schema: Schema, name: str) -> bool:
    column = schema.columns.get(name)
    if column is not None:
        return not (column.is_key or column.made or column.is_vector)
    return name != DYNAMIC and (layout.object != DYNAMIC or name in layout.left_out)


def _metadata(
    layout: Layout, schema: Schema, content: Mapping[str, object]
) -> dict[str, object]:
    found = {one.name: content[one.name] for one in layout.metadata if one.name in content}
    inner: object = {}
    if layout.object == DYNAMIC:
        used = {layout.text.name, layout.title.name if layout.title else ""}
        inner = {
            name: value
            for name, value in content.items()
            if name not in schema.columns and name not in used
        }
    elif layout.object:
        inner = content.get(layout.object)
    if isinstance(inner, dict):
        found |= {
            name: value
            for name, value in inner.items()
            if name not in found and name not in layout.left_out
        }
    return {name: value for name, value in found.items() if value is not None}


def _as_stored(column: Column | None, value: object) -> object:
    """Return a value as it comes back: a FLOAT keeps half of a number's digits."""
    if column is not None and column.type == DataType.FLOAT:
        return float(np.float32(str(value)))
    if column is not None and column.type == DataType.DOUBLE:
        return float(str(value))
    return value


def _typed(column: Column | None, value: Json) -> Json:
    if column is None or not isinstance(value, int | float) or isinstance(value, bool):
        return value
    kind = KINDS.get(column.type, (None, None))[0]
    if kind is FieldKind.INTEGER:
        return int(value)
    return float(value) if kind is FieldKind.NUMBER else value


def _can_be_id(column: Column) -> bool:
    return column.type in {DataType.VARCHAR, DataType.INT64} and is_plain(column.name)


def _dynamic_keys(client: MilvusClient, collection: str, schema: Schema) -> Sequence[str]:
    if not schema.dynamic:
        return ()
    found = client.query(
        collection,
        filter="",
        limit=_LOOKED_AT,
        output_fields=schema.read(),
        consistency_level=STRONG,
        timeout=TIMEOUT_S,
    )
    return sorted({name for row in found for name in row} - set(schema.columns))
