"""What a team's own table looks like, and its rows as documents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import Final, TypeAlias

import numpy as np
import pyarrow as pa

from repoint.domain.adoption import Field, FieldKind, Layout
from repoint.domain.document import Document, Json
from repoint.domain.errors import NotFoundError, UnsupportedError
from repoint.domain.ids import DocumentId
from repoint.ports.adoption import Wish
from repoint.ports.backend import FloatVector

#: One row, column by column.
TeamRow: TypeAlias = Mapping[str, object]

_IDS: Final = frozenset({FieldKind.TEXT, FieldKind.INTEGER})


def field_of(found: pa.Field) -> Field | None:
    """Return a column as a field, None where its type cannot be taken."""
    kind, size = _kind(found.type)
    if kind is None:
        return None
    return Field(name=found.name, kind=kind, required=not found.nullable, size=size)


def layout_of(schema: pa.Schema, wish: Wish) -> Layout:
    """Return the layout that is wished, once the table is known to have it.

    Raises:
        NotFoundError: there is no such column.
        UnsupportedError: a column cannot be what it is said to be.
    """
    if wish.object_field:
        raise UnsupportedError(
            driver="lancedb",
            what="a field with an object of metadata",
            hint="name its columns: --metadata-field",
        )
    key = _typed(schema, wish.id_field, _IDS, "the id")
    text = _typed(schema, wish.text_field, frozenset({FieldKind.TEXT}), "the text")
    title = (
        _typed(schema, wish.title_field, frozenset({FieldKind.TEXT}), "the title")
        if wish.title_field
        else None
    )
    vector = _vector(schema, wish.vector_field)
    used = {key.name, text.name, vector} | ({title.name} if title else set())
    layout = Layout(
        collection=wish.collection,
        id=key,
        text=text,
        title=title,
        vector=vector,
        metadata=_metadata(schema, wish, used),
        left_out=wish.left_out,
    )
    _require_writable(schema, layout)
    return layout


def left_out(schema: pa.Schema, layout: Layout) -> dict[str, str]:
    """Return the columns that are left where they are, and why."""
    return {
        found.name: "nobody named it"
        if field_of(found) is not None
        else f"values of type {found.type} are no metadata"
        for found in schema
        if found.name not in {*columns_of(layout), layout.vector}
    }


def columns_of(layout: Layout) -> list[str]:
    """Return the team's columns that documents are made of, the vector aside."""
    titles = [layout.title.name] if layout.title is not None else []
    return [layout.id.name, layout.text.name, *titles, *(one.name for one in layout.metadata)]


def document_of(layout: Layout, row: TeamRow) -> Document:
    """Return a row as a document; without an id or a text it is an empty one."""
    key, text = row[layout.id.name], row[layout.text.name]
    title = row[layout.title.name] if layout.title is not None else None
    metadata: dict[str, Json] = {}
    for field in layout.metadata:
        value = row[field.name]
        if isinstance(value, str | bool | int) or (
            isinstance(value, float) and np.isfinite(value)
        ):
            metadata[field.name] = value
    return Document(
        id=DocumentId("" if key is None else str(key)),
        text="" if text is None else str(text),
        title="" if title is None else str(title),
        metadata=metadata,
    )


def state_of(layout: Layout, row: TeamRow) -> str:
    """Return what tells whether a row has another content than before."""
    values = [row[name] for name in columns_of(layout)]
    written = json.dumps(values, ensure_ascii=True, default=str)
    return blake2b(written.encode(), digest_size=12).hexdigest()


def made_of(vector: FloatVector | None) -> str:
    """Return what tells whether a row has another vector than before; empty for none."""
    if vector is None:
        return ""
    return blake2b(np.ascontiguousarray(vector).tobytes(), digest_size=12).hexdigest()


def row_of(layout: Layout, document: Document) -> dict[str, object]:
    """Return a document as the team's columns."""
    key = document.id
    row: dict[str, object] = {
        layout.id.name: int(key) if layout.id.kind is FieldKind.INTEGER else str(key),
        layout.text.name: document.text,
    }
    if layout.title is not None:
        row[layout.title.name] = document.title or None
    return row | {one.name: document.metadata.get(one.name) for one in layout.metadata}


def dimensions_of(schema: pa.Schema, layout: Layout) -> int:
    """Return the length of the vectors."""
    return int(schema.field(layout.vector).type.list_size)


def _kind(kind: pa.DataType) -> tuple[FieldKind | None, int | None]:
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return FieldKind.TEXT, None
    if pa.types.is_boolean(kind):
        return FieldKind.BOOLEAN, None
    if pa.types.is_signed_integer(kind):
        return FieldKind.INTEGER, kind.bit_width // 8
    if pa.types.is_floating(kind):
        return FieldKind.NUMBER, None
    return None, None


def _column(schema: pa.Schema, name: str) -> pa.Field:
    if name not in schema.names:
        raise NotFoundError(what="column", name=name, known=schema.names)
    return schema.field(name)


def _typed(schema: pa.Schema, name: str, kinds: frozenset[FieldKind], what: str) -> Field:
    found = _column(schema, name)
    field = field_of(found)
    if field is None or field.kind not in kinds:
        raise UnsupportedError(
            driver="lancedb",
            what=f"{what} in a column of type {found.type}: {name!r}",
            hint=f"it must be one of: {', '.join(sorted(kinds))}",
        )
    return field


def _vector(schema: pa.Schema, wished: str) -> str:
    if wished:
        if not _is_vector(_column(schema, wished).type):
            raise UnsupportedError(
                driver="lancedb",
                what=f"vectors in a column of type {schema.field(wished).type}: {wished!r}",
                hint="it must be a list of float32 of one length",
            )
        return wished
    named = [one.name for one in schema if _is_vector(one.type)]
    if len(named) != 1:
        raise UnsupportedError(
            driver="lancedb",
            what=f"a table with {len(named)} columns of vectors",
            hint=f"name one: --vector-field {named[0]}"
            if named
            else "vectors that are no float32 are not adopted",
        )
    return str(named[0])


def _is_vector(kind: pa.DataType) -> bool:
    return bool(pa.types.is_fixed_size_list(kind) and pa.types.is_float32(kind.value_type))


def _metadata(schema: pa.Schema, wish: Wish, used: set[str]) -> tuple[Field, ...]:
    found = []
    for name in schema.names if wish.metadata is None else wish.metadata:
        if name in used or name in wish.left_out:
            continue
        field = field_of(_column(schema, name))
        if field is not None:
            found.append(field)
        elif wish.metadata is not None:
            raise UnsupportedError(
                driver="lancedb",
                what=f"metadata in a column of type {schema.field(name).type}: {name!r}",
                hint="text, whole numbers, numbers and booleans can be taken",
            )
    return tuple(found)


def _require_writable(schema: pa.Schema, layout: Layout) -> None:
    used = {*columns_of(layout), layout.vector}
    missing = [one.name for one in schema if not one.nullable and one.name not in used]
    if missing:
        raise UnsupportedError(
            driver="lancedb",
            what=f"new rows without a value for {missing[0]!r}, which must have one",
            hint=f"take it as metadata: --metadata-field {missing[0]}",
        )
