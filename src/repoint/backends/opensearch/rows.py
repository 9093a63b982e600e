"""The rows of a team's index: found by document, and changed only as they were read.

A change names the sequence number that the row had, so the database refuses it where anybody
wrote meanwhile; it is then decided again on what stands.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Final, TypeAlias

from opensearchpy import OpenSearch

from repoint.backends.opensearch import refusals
from repoint.backends.opensearch.documents import MOST_BYTES, MOST_DOCUMENTS
from repoint.backends.opensearch.layouts import (
    OWN_ID,
    Row,
    has_own_ids,
    id_of,
    row_of,
)
from repoint.domain.adoption import Layout
from repoint.domain.errors import BackendUnavailableError, RowsRefusedError
from repoint.domain.ids import DocumentId

#: Ids of one question, and the most hits of one.
ASKED: Final = 500
MOST: Final = 10_000
#: How often a change is decided again before somebody else is let through.
_TRIES: Final = 20

#: What a search must say so that rows can be made of its hits.
VERSIONED: Final[dict[str, object]] = {"version": True, "seq_no_primary_term": True}

#: One change: the action with what it asks of the row, and the new source.
Change: TypeAlias = tuple[str, dict[str, object], dict[str, object] | None]
#: What becomes of a document's row; None leaves it.
Decide: TypeAlias = Callable[[DocumentId, Row | None], Change | None]


def id_path(layout: Layout, mapping: Mapping[str, object]) -> str:
    """Return the field by which rows are asked for by their documents' ids."""
    if has_own_ids(layout):
        return OWN_ID
    properties = mapping.get("properties")
    found = properties.get(layout.id.name, {}) if isinstance(properties, dict) else {}
    if found.get("type") != "text":
        return layout.id.name
    inner = found.get("fields", {})
    named = sorted(name for name, one in inner.items() if one.get("type") == "keyword")
    return f"{layout.id.name}.{named[0]}" if named else ""


def find(
    client: OpenSearch, layout: Layout, path: str, documents: Sequence[DocumentId]
) -> dict[DocumentId, Row]:
    """Return the rows of these documents; of several, one that repoint knows."""
    held = [one for one in documents if not layout.id.refuses_id(one)]
    if not held:
        return {}
    client.indices.refresh(index=layout.collection)
    found: dict[DocumentId, Row] = {}
    for start in range(0, len(held), ASKED):
        asked = held[start : start + ASKED]
        query = {"ids": {"values": asked}} if path == OWN_ID else {"terms": {path: asked}}
        answer = client.search(
            index=layout.collection,
            body={"query": query, "size": MOST, "sort": ["_doc"], **VERSIONED},
        )
        for hit in answer["hits"]["hits"]:
            row = row_of(hit)
            name = id_of(layout, row)
            if name in asked and (name not in found or (row.notes and not found[name].notes)):
                found[name] = row
    return found


def find_own(client: OpenSearch, index: str, ids: Sequence[str]) -> dict[DocumentId, Row]:
    """Return rows by the ids that the database knows them by."""
    client.indices.refresh(index=index)
    found: dict[DocumentId, Row] = {}
    for start in range(0, len(ids), ASKED):
        query = {"ids": {"values": list(ids[start : start + ASKED])}}
        body = {"query": query, "size": MOST, "sort": ["_doc"], **VERSIONED}
        for hit in client.search(index=index, body=body)["hits"]["hits"]:
            row = row_of(hit)
            found[DocumentId(row.id)] = row
    return found


def change(
    client: OpenSearch,
    documents: Sequence[DocumentId],
    *,
    look: Callable[[Sequence[DocumentId]], Mapping[DocumentId, Row]],
    decide: Decide,
    about: str,
) -> None:
    """Change rows as is decided for each, again for those that somebody else wrote to.

    Raises:
        RowsRefusedError: the database will not take some of them; all others are changed.
        BackendUnavailableError: others write to the same rows all the while.
    """
    left = list(documents)
    refused: dict[str, str] = {}
    for _ in range(_TRIES):
        there = look(left)
        decided = [(one, decide(one, there.get(one))) for one in left]
        changes = [(name, made) for name, made in decided if made is not None]
        parts = _parts(changes)
        left = [name for part in parts for name in _sent(client, part, refused, about=about)]
        if not left and refused:
            raise RowsRefusedError.of(refused, driver="opensearch")
        if not left:
            return
    raise BackendUnavailableError(f"{about}: others write to {left[0]!r} all the while")


def place(index: str, row: Row) -> dict[str, object]:
    """Return the place of a row, as it was read."""
    routing = {} if row.routing is None else {"routing": row.routing}
    return {
        "_index": index,
        "_id": row.id,
        "if_seq_no": row.seq_no,
        "if_primary_term": row.term,
        **routing,
    }


def _parts(
    changes: Sequence[tuple[DocumentId, Change]],
) -> Iterator[list[tuple[DocumentId, Change]]]:
    """Yield changes, as many together as a server takes in one request."""
    part: list[tuple[DocumentId, Change]] = []
    size = 0
    for name, made in changes:
        bytes_ = len(json.dumps(made[2])) if made[2] else 0
        if part and (len(part) == MOST_DOCUMENTS or size + bytes_ > MOST_BYTES):
            yield part
            part, size = [], 0
        part.append((name, made))
        size += bytes_
    if part:
        yield part


def _sent(
    client: OpenSearch,
    part: Sequence[tuple[DocumentId, Change]],
    refused: dict[str, str],
    *,
    about: str,
) -> list[DocumentId]:
    """Send changes, and return the documents for which they must be decided again.

    What is refused for what it is gets its reason in ``refused``.
    """
    lines: list[dict[str, object]] = []
    for _, (action, where, source) in part:
        lines.append({action: where})
        if source is not None:
            lines.append(source)
    # The team's own pipeline would make another document of it, perhaps another vector.
    answer = client.bulk(body=lines, params={"refresh": "true", "pipeline": "_none"})
    again = []
    for (name, (action, _, source)), item in zip(part, answer["items"], strict=True):
        done = item[action]
        if done["status"] == HTTPStatus.CONFLICT or _is_other(source, done):
            again.append(name)
        elif refusals.is_of_document(done):
            refused[name] = refusals.reason(done)
        elif "error" in done:
            raise BackendUnavailableError(f"{about}: {refusals.reason(done)}")
    return again


def _is_other(source: Mapping[str, object] | None, done: Mapping[str, object]) -> bool:
    """Return whether a row got another version than was noted in it."""
    notes = (source or {}).get("repoint")
    noted = notes.get("version") if isinstance(notes, dict) else None
    return "error" not in done and noted is not None and noted != done["_version"]
