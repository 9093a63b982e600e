"""What a team's own index looks like, and its documents as ours.

A document of the database may hold any value in a field that its mapping takes, so what is
read is what ``_source`` says; the mapping tells what a field can hold.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, TypeAlias, cast

import numpy as np

from repoint.domain.adoption import Layout
from repoint.domain.document import Document, Json
from repoint.domain.ids import DocumentId, Lsn
from repoint.ports.backend import FloatVector

Tree: TypeAlias = Mapping[str, object]

#: The name by which the documents' own ids are meant.
OWN_ID: Final = "_id"
#: Bytes that an id of the database may have.
LONGEST_ID: Final = 512
#: Where repoint's notes stand in a document.
NOTES: Final = "repoint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One document of the team's, as the database gives it."""

    id: str
    source: Tree
    #: Rises with every write, whoever makes it.
    version: int
    seq_no: int
    term: int
    routing: str | None

    @property
    def notes(self) -> Tree:
        """What repoint noted in it; empty where it noted nothing."""
        found = self.source.get(NOTES)
        return found if isinstance(found, dict) else {}

    @property
    def lsn(self) -> Lsn:
        """At which repoint last wrote or noted it; 0 where it never did."""
        return Lsn(int(str(self.notes.get("lsn", 0))))

    @property
    def is_known(self) -> bool:
        """Whether searches through repoint find it, unless somebody wrote to it since."""
        return self.notes.get("known") is True

    @property
    def is_untouched(self) -> bool:
        """Whether nobody wrote to it since repoint did."""
        return bool(self.notes) and self.notes.get("version") == self.version


def row_of(hit: Tree) -> Row:
    """Return a hit of a search that asked for versions and sequence numbers."""
    source, routing = hit.get("_source"), hit.get("_routing")
    return Row(
        id=str(hit["_id"]),
        source=source if isinstance(source, dict) else {},
        version=int(str(hit["_version"])),
        seq_no=int(str(hit["_seq_no"])),
        term=int(str(hit["_primary_term"])),
        routing=None if routing is None else str(routing),
    )


def has_own_ids(layout: Layout) -> bool:
    """Return whether documents have the ids that the database knows them by."""
    return layout.id.name == OWN_ID


def id_of(layout: Layout, row: Row) -> DocumentId:
    """Return a row's document id; empty where it has none."""
    value = row.id if has_own_ids(layout) else row.source.get(layout.id.name)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    fits = isinstance(value, str | int) and not isinstance(value, bool)
    return DocumentId(str(value) if fits else "")


def document_of(layout: Layout, row: Row) -> Document:
    """Return a row as a document; without an id or a text it is an empty one."""
    text = row.source.get(layout.text.name)
    title = row.source.get(layout.title.name) if layout.title is not None else None
    return Document(
        id=id_of(layout, row),
        text=text if isinstance(text, str) else "",
        title=title if isinstance(title, str) else "",
        metadata=_metadata(layout, row.source),
    )


def source_of(layout: Layout, document: Document, before: Tree) -> dict[str, object]:
    """Return a document as the team's fields; what is the team's alone stays as it was."""
    source = {name: value for name, value in before.items() if name != NOTES}
    source[layout.text.name] = document.text
    if not has_own_ids(layout) and id_value(before.get(layout.id.name)) != document.id:
        numeric = layout.id.kind.value == "integer"
        source[layout.id.name] = int(document.id) if numeric else document.id
    values: dict[str, object] = {
        one.name: document.metadata.get(one.name) for one in layout.metadata
    }
    if layout.title is not None:
        values[layout.title.name] = document.title or None
    if layout.object:
        inner = before.get(layout.object)
        old = inner if isinstance(inner, dict) else {}
        left = {name: value for name, value in old.items() if name in layout.left_out}
        values[layout.object] = {**left, **layout.object_of(document)}
    # A field that was not there stays away rather than becoming null.
    return source | {n: v for n, v in values.items() if v is not None or n in before}


def id_value(value: object) -> str:
    """Return an id's value as a document's id; empty for none."""
    return "" if value is None else str(value)


def state_of(layout: Layout, source: Tree) -> str:
    """Return what tells whether a row has another content or vector than before."""
    names = [layout.text.name, layout.object, *(one.name for one in layout.metadata)]
    names += [layout.title.name] if layout.title is not None else []
    seen = {name: source[name] for name in names if source.get(name) is not None}
    vector = vector_of(layout, source)
    seen["vector of it"] = None if vector is None else vector.tobytes().hex()
    written = json.dumps(seen, sort_keys=True, ensure_ascii=True, default=str)
    return blake2b(written.encode(), digest_size=12).hexdigest()


def vector_of(layout: Layout, source: Tree) -> FloatVector | None:
    """Return a row's vector, None where it has none."""
    vector = source.get(layout.vector)
    if not isinstance(vector, list) or not vector:
        return None
    return np.array(vector, dtype=np.float32)


def _metadata(layout: Layout, source: Tree) -> dict[str, Json]:
    found = {one.name: source[one.name] for one in layout.metadata if one.name in source}
    inner = source.get(layout.object) if layout.object else None
    if isinstance(inner, dict):
        found |= {n: v for n, v in inner.items() if n not in found and n not in layout.left_out}
    values = {name: value for name, value in found.items() if value is not None}
    return cast("dict[str, Json]", values)
