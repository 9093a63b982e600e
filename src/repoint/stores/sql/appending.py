"""Appending to the document log: the control store's hot path.

Everything is looked at before anything is written: texts that cannot be stored, fields
whose type changed, contents that are already the newest. Then consecutive LSNs are taken
and all rows go in with one statement.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Final, NamedTuple

import sqlalchemy as sa

from repoint.domain.document import Document, FieldType, Json
from repoint.domain.errors import BadInputError, FieldTypeError
from repoint.domain.ids import DocumentId, IndexName, Lsn
from repoint.ports.store import Appended
from repoint.stores.sql.dialect import insert, insert_on, is_text, members, positional
from repoint.stores.sql.indexes import require_index
from repoint.stores.sql.tables import documents, fields, indexes, micros

_COLUMNS: Final = (
    "index_name", "id", "lsn", "first_lsn", "deleted", "characters", "written_at",
    "content_hash", "title", "text", "metadata", "source", "version",
)  # fmt: skip
#: What a newer version replaces: the key and the first LSN stay.
_REPLACED: Final = tuple(
    name for name in _COLUMNS if name not in {"index_name", "id", "first_lsn"}
)


@cache
def _upsert(database: str) -> tuple[str, list[int]]:
    statement = insert_on(database, documents)
    return positional(
        statement.on_conflict_do_update(
            index_elements=["index_name", "id"],
            set_={name: statement.excluded[name] for name in _REPLACED},
        ),
        _COLUMNS,
        database,
    )


class _Content(NamedTuple):
    """A change as it will be stored; the hash of a tombstone is empty."""

    deleted: int
    characters: int
    content_hash: str
    title: str
    text: str
    metadata: str
    source: str
    version: str


_TOMBSTONE: Final = _Content(1, 0, "", "", "", "{}", "", "")


def append(
    connection: sa.Connection,
    index: IndexName,
    changes: Sequence[Document | DocumentId],
    *,
    at: datetime,
) -> Appended:
    """Record the changes within the caller's transaction."""
    # The row's lock is what puts LSNs into the order of commits; SQLite has locked it all.
    head = connection.scalar(
        sa.select(indexes.c.head).where(indexes.c.name == index).with_for_update()
    )
    if head is None:
        require_index(connection, index)
    wanted = _last_of_each(changes)
    contents = {
        document: _TOMBSTONE if isinstance(change, str) else _content(change)
        for document, change in wanted.items()
    }
    _check_ids(wanted)
    kinds = _new_fields(
        connection, index, (c for c in wanted.values() if isinstance(c, Document))
    )
    stored = _stored_hashes(connection, index, wanted)
    changed = [
        (document, content)
        for document, content in contents.items()
        # None: the log has never heard of it, and a tombstone of nothing is nothing.
        if stored.get(document, ("", "")) != (content.content_hash, content.source)
    ]
    before = head or 0
    head = before + len(changed)
    if kinds:
        _register(connection, index, kinds)
    if changed:
        connection.execute(sa.update(indexes).where(indexes.c.name == index).values(head=head))
        _write(connection, index, changed, above=before, at=at)
    return Appended(head=Lsn(head), written=len(changed), unchanged=len(wanted) - len(changed))


#: Made once: an encoder costs more than most metadata takes to encode.
_ENCODED: Final = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False
).encode


def _last_of_each(
    changes: Iterable[Document | DocumentId],
) -> dict[DocumentId, Document | DocumentId]:
    """Return the change that stands for each id, in the order of those that stand."""
    wanted: dict[DocumentId, Document | DocumentId] = {}
    for change in changes:
        document = change if isinstance(change, str) else change.id
        wanted.pop(document, None)
        wanted[document] = change
    return wanted


def _content(document: Document) -> _Content:
    try:
        metadata = _ENCODED(document.metadata) if document.metadata else "{}"
        (document.title + document.text + metadata).encode()
    except UnicodeEncodeError as problem:
        raise BadInputError(
            f"document {document.id!r} holds half a surrogate pair, which is no character: "
            f"{problem.object[problem.start : problem.end]!r}",
            hint="decode the source with its own encoding, or with errors='replace'",
        ) from problem
    except (TypeError, ValueError, RecursionError) as problem:
        raise BadInputError(
            f"document {document.id!r} has metadata that JSON cannot hold: {problem}"
        ) from problem
    size, where = len(document.title) + len(document.text), document.reference
    if where is not None:
        return _Content(
            0, size, where.content_hash, "", "", metadata, where.source, where.version
        )
    return _Content(
        0, size, document.content_hash(), document.title, document.text, metadata, "", ""
    )


def _check_ids(ids: Iterable[DocumentId]) -> None:
    for document in ids:
        if not document or "\0" in document or not is_text(document):
            raise BadInputError(
                f"{document!r} cannot be a document's id",
                hint="use at least one character, no NUL and no half surrogate pair",
            )


def _stored_hashes(
    connection: sa.Connection, index: IndexName, ids: Iterable[DocumentId]
) -> dict[str, tuple[str, str]]:
    """Return the hash of each document, and the source that keeps its content, if any."""
    found = connection.execute(
        sa.select(documents.c.id, documents.c.content_hash, documents.c.source).where(
            documents.c.index_name == index, documents.c.id.in_(members(ids))
        )
    )
    return {row[0]: (row[1], row[2]) for row in found}


def _write(
    connection: sa.Connection,
    index: IndexName,
    changed: Iterable[tuple[DocumentId, _Content]],
    *,
    above: int,
    at: datetime,
) -> None:
    written_at = micros(at)
    rows = (
        (index, document, lsn, lsn, content[0], content[1], written_at, *content[2:])
        for lsn, (document, content) in enumerate(changed, above + 1)
    )
    upsert, places = _upsert(connection.dialect.name)
    if list(range(len(_COLUMNS))) == places:
        connection.exec_driver_sql(upsert, list(rows))
    else:
        connection.exec_driver_sql(
            upsert, [tuple(row[place] for place in places) for row in rows]
        )


def _kind(value: Json) -> FieldType | None:
    """Return the type of a value; None leaves it open."""
    match value:
        case None:
            return None
        case bool():
            return FieldType.BOOLEAN
        case str():
            return FieldType.TEXT
        case int() | float():
            return FieldType.NUMBER
        case _:
            return FieldType.OPAQUE


def _new_fields(
    connection: sa.Connection, index: IndexName, upserts: Iterable[Document]
) -> dict[str, FieldType | None]:
    """Return what the index learns about fields from these documents.

    Raises:
        FieldTypeError: a field has another type than before.
    """
    known: dict[str, FieldType | None] | None = None
    learnt: dict[str, FieldType | None] = {}
    for document in upserts:
        if not document.metadata:
            continue
        if known is None:
            known = _known_fields(connection, index)
        for name, value in document.metadata.items():
            kind = _kind(value)
            seen = known.get(name)
            if kind is not None and seen is not None and kind is not seen:
                raise FieldTypeError(
                    index=index, document=document.id, field=name, found=kind, seen=seen
                )
            if name not in known or (seen is None and kind is not None):
                known[name] = learnt[name] = kind
    return learnt


def _known_fields(connection: sa.Connection, index: IndexName) -> dict[str, FieldType | None]:
    found = connection.execute(
        sa.select(fields.c.name, fields.c.type).where(fields.c.index_name == index)
    )
    return {row.name: None if row.type is None else FieldType(row.type) for row in found}


def _register(
    connection: sa.Connection, index: IndexName, kinds: Mapping[str, FieldType | None]
) -> None:
    statement = insert(connection, fields)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["index_name", "name"], set_={"type": statement.excluded.type}
        ),
        [
            {"index_name": index, "name": name, "type": None if kind is None else kind.value}
            for name, kind in kinds.items()
        ],
    )
