"""What a team's own class looks like, and its objects as documents."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final, TypeAlias
from uuid import UUID

import numpy as np
from weaviate.classes.config import DataType, VectorDistances
from weaviate.collections.classes.config import CollectionConfig, PropertyConfig
from weaviate.collections.classes.internal import Object
from weaviate.collections.classes.types import WeaviateProperties

from repoint.backends.weaviate.classes import NOTE
from repoint.domain.adoption import Field, FieldKind, Layout
from repoint.domain.document import Document, Json
from repoint.domain.errors import NotFoundError, UnsupportedError
from repoint.domain.ids import DocumentId
from repoint.ports.adoption import Wish
from repoint.ports.backend import FloatVector

Found: TypeAlias = Object[WeaviateProperties, None]
Properties: TypeAlias = Mapping[str, object]

#: Put before the names of everything that repoint adds to a team's class.
PREFIX: Final = "repoint_"
#: The name by which an object's own id is meant; Weaviate keeps it for itself.
OWN_ID: Final = "id"
#: By what the client names the vectors of a class whose only ones have no name.
UNNAMED: Final = "default"

_KINDS: Final = {
    DataType.TEXT: FieldKind.TEXT,
    DataType.INT: FieldKind.INTEGER,
    DataType.NUMBER: FieldKind.NUMBER,
    DataType.BOOL: FieldKind.BOOLEAN,
    DataType.UUID: FieldKind.UUID,
    DataType.DATE: FieldKind.MOMENT,
}
_ID_KINDS: Final = frozenset({FieldKind.TEXT, FieldKind.INTEGER, FieldKind.UUID})
#: Weaviate keeps whole numbers as doubles: those of more bytes would not come back.
_WHOLE_BYTES: Final = 7


def layout_of(config: CollectionConfig, wish: Wish) -> tuple[Layout, dict[str, str]]:
    """Return the layout that is wished, and which properties are left where they are, and why.

    Raises:
        NotFoundError: there is no such property or vector; it lists those there are.
        UnsupportedError: a property holds what cannot be taken, or there are several vectors.
    """
    known = {one.name: one for one in config.properties if not one.name.startswith(PREFIX)}
    for name in (wish.text_field, wish.title_field, *(wish.metadata or ())):
        if name and name not in known:
            raise NotFoundError(what="property", name=name, known=sorted(known))
    if wish.object_field:
        raise _unsupported(wish.object_field, "whose keys would be metadata: name properties")
    text = _text(known[wish.text_field])
    title = _text(known[wish.title_field]) if wish.title_field else None
    identity = _id(known, wish)
    used = {identity.name, text.name, *([] if title is None else [title.name])}
    wanted, left_out = _metadata(known, wish, used)
    layout = Layout(
        collection=config.name,
        id=identity,
        text=text,
        title=title,
        vector=_vector(config, wish),
        metadata=tuple(_field(known[name]) for name in wanted),
        left_out=wish.left_out,
    )
    return layout, left_out


def index_of(config: CollectionConfig, layout: Layout) -> object:
    """Return how the class's vectors are indexed."""
    if layout.vector:
        return (config.vector_config or {})[layout.vector].vector_index_config
    return config.vector_index_config


def distance_of(config: CollectionConfig, layout: Layout) -> VectorDistances:
    """Return what the class's vectors are compared by."""
    index = index_of(config, layout)
    found: VectorDistances = getattr(index, "distance_metric", VectorDistances.COSINE)
    return found


def has_own_ids(layout: Layout) -> bool:
    """Return whether documents have the ids of their objects."""
    return layout.id.name == OWN_ID


def names_of(layout: Layout) -> list[str]:
    """Return the properties that a document is made of."""
    titles = [layout.title.name] if layout.title is not None else []
    own = [] if has_own_ids(layout) else [layout.id.name]
    return [*own, layout.text.name, *titles, *(one.name for one in layout.metadata)]


def id_of(layout: Layout, found: Found) -> DocumentId:
    """Return an object's document id; empty where it has none."""
    if has_own_ids(layout):
        return DocumentId(str(found.uuid))
    value = plain(layout.id, found.properties.get(layout.id.name))
    return DocumentId("" if value is None else str(value))


def document_of(layout: Layout, found: Found) -> Document:
    """Return an object as a document; without an id or a text it is an empty one."""
    held = found.properties
    title = held.get(layout.title.name) if layout.title is not None else None
    values = {one.name: plain(one, held.get(one.name)) for one in layout.metadata}
    return Document(
        id=id_of(layout, found),
        text=str(held.get(layout.text.name) or ""),
        title=str(title or ""),
        metadata={name: value for name, value in values.items() if value is not None},
    )


def properties_of(layout: Layout, document: Document) -> dict[str, Json]:
    """Return a document as a team's properties; None takes a value away."""
    found: dict[str, Json] = {layout.text.name: document.text}
    if not has_own_ids(layout):
        whole = layout.id.kind is FieldKind.INTEGER
        found[layout.id.name] = int(document.id) if whole else document.id
    if layout.title is not None:
        found[layout.title.name] = document.title or None
    for one in layout.metadata:
        found[one.name] = plain(one, document.metadata.get(one.name))
    return found


def state_of(layout: Layout, properties: Properties) -> str:
    """Return what tells whether an object has another content than before."""
    own = [] if has_own_ids(layout) else [layout.id]
    titles = [] if layout.title is None else [layout.title]
    fields = [*own, layout.text, *titles, *layout.metadata]
    seen = {
        one.name: value
        for one in fields
        if (value := plain(one, properties.get(one.name))) is not None
    }
    written = json.dumps(seen, sort_keys=True, ensure_ascii=True)
    return blake2b(written.encode(), digest_size=12).hexdigest()


def vector_of(layout: Layout, found: Found) -> FloatVector | None:
    """Return an object's vector, None where it has none."""
    vector = found.vector.get(layout.vector or UNNAMED)
    if not vector:
        return None
    return np.asarray(vector, dtype=np.float32)


def made_of(vector: FloatVector | None) -> str:
    """Return a digest of a vector, which Weaviate keeps bit for bit; empty for none."""
    if vector is None:
        return ""
    raw = np.ascontiguousarray(vector, np.float32).tobytes()
    return blake2b(raw, digest_size=12).hexdigest()


def note_of(found: Found) -> Mapping[str, object]:
    """Return what repoint noted of an object; empty where that is nothing."""
    written = found.properties.get(PREFIX + NOTE)
    if not written:
        return {}
    note: Mapping[str, object] = json.loads(str(written))
    return note


def plain(field: Field, value: object) -> Json:
    """Return a property's value as JSON has it, the same however it was spelled."""
    return None if value is None else _PLAIN.get(field.kind, str)(value)


def _moment(value: object) -> str:
    at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    aware = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat()


_PLAIN: Final[Mapping[FieldKind, Callable[[object], Json]]] = {
    FieldKind.INTEGER: lambda value: (
        value if isinstance(value, int) else int(float(str(value)))
    ),
    FieldKind.NUMBER: lambda value: float(str(value)),
    FieldKind.BOOLEAN: bool,
    FieldKind.UUID: lambda value: str(UUID(str(value))),
    FieldKind.MOMENT: _moment,
}


def _metadata(
    known: Mapping[str, PropertyConfig], wish: Wish, used: AbstractSet[str]
) -> tuple[list[str], dict[str, str]]:
    left_out = {name: "as you asked" for name in wish.left_out if name in known}
    if wish.metadata is not None:
        return [name for name in wish.metadata if name not in left_out], left_out
    for name in sorted(known.keys() - used - left_out.keys()):
        if known[name].data_type not in _KINDS:
            left_out[name] = f"{known[name].data_type.value} is no type of a metadata field"
    return sorted(known.keys() - used - left_out.keys()), left_out


def _text(found: PropertyConfig) -> Field:
    field = _field(found)
    if field.kind is not FieldKind.TEXT:
        raise _unsupported(field.name, f"of {field.kind.value} as a text")
    return field


def _field(found: PropertyConfig) -> Field:
    if found.data_type not in _KINDS:
        raise _unsupported(found.name, f"of {found.data_type.value}")
    kind = _KINDS[found.data_type]
    return Field(
        name=found.name, kind=kind, size=_WHOLE_BYTES if kind is FieldKind.INTEGER else None
    )


def _id(known: Mapping[str, PropertyConfig], wish: Wish) -> Field:
    if wish.id_field == OWN_ID:
        return Field(name=OWN_ID, kind=FieldKind.UUID, required=True)
    if wish.id_field not in known:
        raise NotFoundError(what="property", name=wish.id_field, known=[OWN_ID, *sorted(known)])
    found = known[wish.id_field]
    field = _field(found)
    if field.kind not in _ID_KINDS:
        raise _unsupported(found.name, f"of {found.data_type.value} as the id")
    if not found.index_filterable:
        raise UnsupportedError(
            driver="weaviate",
            what=f"ids in {found.name!r}, which has no index to find them by",
            hint="adopt by the objects' own ids: --id-field id",
        )
    return Field(name=field.name, kind=field.kind, required=True, size=field.size)


def _vector(config: CollectionConfig, wish: Wish) -> str:
    named = sorted(config.vector_config or {})
    names = named or [UNNAMED]
    if wish.vector_field and wish.vector_field not in names:
        raise NotFoundError(what="vector", name=wish.vector_field, known=names)
    if not wish.vector_field and len(names) != 1:
        raise UnsupportedError(
            driver="weaviate",
            what=f"a class with {len(names)} vectors an object",
            hint=f"name one: --vector-field {names[0]}",
        )
    return (wish.vector_field or names[0]) if named else ""


def _unsupported(name: str, what: str) -> UnsupportedError:
    return UnsupportedError(driver="weaviate", what=f"the property {name!r} {what}")
