"""Collections that a team made itself: how they lie, what fits in, what bypassed repoint.

A foreign collection has one vector a row, and each row is one document. A ``Layout`` says
which of its fields hold what; everything else of it stays the team's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from repoint.domain.document import Document, Json, LogRow
from repoint.domain.ids import Actor, DocumentId, IndexName, Lsn, ReleaseName

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,18}")
#: Bytes of an integer whose size nobody stated.
_WIDEST: Final = 8


class FieldKind(StrEnum):
    """What a field of a foreign collection can hold."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    UUID = "uuid"
    #: A point in time, as ISO 8601.
    MOMENT = "moment"
    DAY = "day"
    #: A text, a number or a boolean.
    SCALAR = "scalar"
    #: Any value that JSON has.
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a foreign collection."""

    name: str
    kind: FieldKind
    #: A row must have a value there.
    required: bool = False
    #: The most characters of a text, or the bytes of an integer.
    size: int | None = None
    #: The database has a value of its own for a row without one.
    filled: bool = False
    #: The size of a text is in bytes of UTF-8.
    in_bytes: bool = False

    def refuses(self, value: Json) -> str:
        """Return why the field cannot hold a value; empty when it can."""
        if value is None:
            return f"{self.name!r} must have a value" if self.required else ""
        if self._takes(value):
            return ""
        shown = repr(value) if len(repr(value)) <= 40 else f"{repr(value)[:40]}…"  # noqa: PLR2004 - a line
        return f"{shown} is no {self.described()} for {self.name!r}"

    def described(self) -> str:
        """Return in words what it holds."""
        if self.size is None:
            return self.kind.value
        text = self.kind is FieldKind.TEXT
        unit = "characters" if text and not self.in_bytes else "bytes"
        return f"{self.kind.value} of at most {self.size} {unit}"

    def _takes(self, value: Json) -> bool:
        match self.kind:
            case FieldKind.JSON:
                return not _has_nul(value)
            case FieldKind.SCALAR:
                return _is_scalar(value)
            case FieldKind.BOOLEAN:
                return isinstance(value, bool)
            case FieldKind.INTEGER:
                return _is_whole(value, self.size or _WIDEST)
            case FieldKind.NUMBER:
                return isinstance(value, int | float) and not isinstance(value, bool)
            case _:
                return isinstance(value, str) and self._takes_text(value)

    def _takes_text(self, value: str) -> bool:
        size = len(value.encode("utf-8", "replace")) if self.in_bytes else len(value)
        if "\0" in value or (self.size is not None and size > self.size):
            return False
        match self.kind:
            case FieldKind.UUID:
                return _UUID.fullmatch(value) is not None
            case FieldKind.MOMENT:
                return _is_moment(value)
            case FieldKind.DAY:
                return _is_day(value)
            case _:
                return True

    def refuses_id(self, document: str) -> str:
        """Return why a document's id cannot be this field's value; empty when it can.

        An id must come back from the database as it was given.
        """
        if self.kind is FieldKind.INTEGER:
            whole = int(document) if _INTEGER.fullmatch(document) else None
            return self.refuses(whole if whole is not None else document)
        return self.refuses(document)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Which fields of a foreign collection hold what."""

    #: The collection's own name in its database.
    collection: str
    id: Field
    text: Field
    title: Field | None = None
    #: The field with the vectors; empty where the database has but one and no name for it.
    vector: str = ""
    #: Fields that are metadata fields of the same name.
    metadata: tuple[Field, ...] = ()
    #: A field with an object whose keys are metadata fields.
    object: str = ""
    #: Keys of that object which are left where they are.
    left_out: tuple[str, ...] = ()
    #: The object holds texts, numbers and booleans only.
    flat: bool = False

    def refuses(self, document: Document) -> str:
        """Return why a document has no place in the collection; empty when it has."""
        found = [self.id.refuses_id(document.id), self.text.refuses(document.text)]
        if self.title is not None:
            found.append(self.title.refuses(document.title or None))
        found += [field.refuses(document.metadata.get(field.name)) for field in self.metadata]
        if self.object and _has_nul(self.object_of(document)):
            found.append(f"{self.object!r} cannot hold the character NUL")
        if self.flat:
            values = self.object_of(document).items()
            found += [Field(name=name, kind=FieldKind.SCALAR).refuses(v) for name, v in values]
        return next((why for why in found if why), "")

    def object_of(self, document: Document) -> dict[str, Json]:
        """Return what belongs into the field with an object."""
        named = {field.name for field in self.metadata}
        return {name: value for name, value in document.metadata.items() if name not in named}


def layout_tree(layout: Layout) -> dict[str, Json]:
    """Return the layout as plain values."""
    return {
        "collection": layout.collection,
        "id": _field_tree(layout.id),
        "text": _field_tree(layout.text),
        "title": None if layout.title is None else _field_tree(layout.title),
        "vector": layout.vector,
        "metadata": [_field_tree(field) for field in layout.metadata],
        "object": layout.object,
        "left_out": list(layout.left_out),
        **({"flat": True} if layout.flat else {}),
    }


def layout_of(tree: Mapping[str, Json]) -> Layout:
    """Return the layout that ``layout_tree`` gave.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    title, metadata, left_out = tree["title"], tree["metadata"], tree["left_out"]
    if not isinstance(metadata, list) or not isinstance(left_out, list):
        raise TypeError("metadata must be a list of fields")
    return Layout(
        collection=str(tree["collection"]),
        id=_field_of(tree["id"]),
        text=_field_of(tree["text"]),
        title=None if title is None else _field_of(title),
        vector=str(tree["vector"]),
        metadata=tuple(_field_of(one) for one in metadata),
        object=str(tree["object"]),
        left_out=tuple(str(one) for one in left_out),
        flat=tree.get("flat") is True,
    )


class BypassKind(StrEnum):
    """What somebody did to an adopted collection without repoint."""

    ADDED = "added"
    CHANGED = "changed"
    DELETED = "deleted"
    #: A row stands where repoint had deleted one.
    RETURNED = "returned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bypass:
    """One document of an adopted collection that is not as repoint left it."""

    document: DocumentId
    kind: BypassKind
    #: The LSN at which repoint last wrote or noted it; None if it never did.
    noted: Lsn | None
    #: What stands there now; None where nothing does.
    content: Document | None

    @classmethod
    def of(cls, content: Document, *, noted: Lsn | None, emptied: bool) -> Bypass:
        """Return what somebody did of whom this stands there, by what repoint knows of it."""
        kind = BypassKind.CHANGED
        if noted is None:
            kind = BypassKind.ADDED
        elif emptied:
            kind = BypassKind.RETURNED
        return cls(document=content.id, kind=kind, noted=noted, content=content)


class Reception(StrEnum):
    """What becomes of a bypass when it is to be taken into the log."""

    #: The log is as it was when repoint last saw the row: the collection is newer.
    TAKEN = "taken"
    #: The log says the same already.
    KNOWN = "known"
    #: Both sides changed, or it was deleted through repoint and is back.
    CONFLICT = "conflict"


def received(bypass: Bypass, row: LogRow | None) -> tuple[Reception, str]:
    """Decide what to do with a bypass, given the log's row, and say why in a conflict."""
    if row is None:
        known = bypass.content is None
        return (Reception.KNOWN, "") if known else (Reception.TAKEN, "")
    if row.document is not None and bypass.content is not None:
        if row.document.content_hash() == bypass.content.content_hash():
            return Reception.KNOWN, ""
    elif row.document is None and bypass.content is None:
        return Reception.KNOWN, ""
    elif row.document is None:
        return Reception.CONFLICT, f"it was deleted through repoint at {row.lsn}, and is back"
    if bypass.noted == row.lsn:
        return Reception.TAKEN, ""
    return Reception.CONFLICT, f"it also changed through repoint, at {row.lsn}"


class AdoptionState(StrEnum):
    """How far an adoption is."""

    #: Its rows are being read into the log.
    SCANNING = "scanning"
    #: The collection is a release.
    ADOPTED = "adopted"
    #: The release was dropped; the collection is the team's again, or gone.
    LET_GO = "let-go"


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """The record of one adoption."""

    index: IndexName
    release: ReleaseName
    backend: str
    layout: Layout
    state: AdoptionState
    #: Where the scan goes on; empty at its beginning.
    cursor: str
    #: Rows read so far, and those of them that have no text.
    rows: int
    without_text: int
    #: Rows that there were when it began, about.
    total: int
    actor: Actor
    started_at: datetime
    finished_at: datetime | None
    #: What was measured before anything was written.
    proof: Mapping[str, Json]

    def advanced(self, *, cursor: str, rows: int, without_text: int) -> Adoption:
        """Return the record after another page."""
        return replace(
            self,
            cursor=cursor,
            rows=self.rows + rows,
            without_text=self.without_text + without_text,
        )


def _has_nul(value: Json) -> bool:
    """Return whether a character NUL stands anywhere in a value; not every database has it."""
    match value:
        case str():
            return "\0" in value
        case list():
            return any(_has_nul(one) for one in value)
        case dict():
            return any(_has_nul(name) or _has_nul(one) for name, one in value.items())
        case _:
            return False


def _is_scalar(value: Json) -> bool:
    if isinstance(value, bool | float):
        return True
    if isinstance(value, int):
        return _is_whole(value, _WIDEST)
    return isinstance(value, str) and "\0" not in value


def _is_whole(value: Json, size: int) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    least = -(1 << (8 * size - 1))
    return value == int(value) and least <= value < -least


def _is_moment(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_day(value: str) -> bool:
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _field_tree(field: Field) -> dict[str, Json]:
    return {
        "name": field.name,
        "kind": field.kind.value,
        "required": field.required,
        "size": field.size,
        "filled": field.filled,
        **({"in_bytes": True} if field.in_bytes else {}),
    }


def _field_of(tree: Json) -> Field:
    if not isinstance(tree, dict):
        raise TypeError(f"{tree!r} is no field")
    size = tree["size"]
    return Field(
        name=str(tree["name"]),
        kind=FieldKind(str(tree["kind"])),
        required=tree["required"] is True,
        size=size if isinstance(size, int) else None,
        filled=tree["filled"] is True,
        in_bytes=tree.get("in_bytes") is True,
    )
