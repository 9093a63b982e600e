"""From one record of any format to a document, or to an error that names its line."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final, cast

from repoint.domain.document import Document, Json
from repoint.domain.errors import BadLineError
from repoint.domain.ids import DocumentId

#: Characters of a document id.
LONGEST_ID: Final = 512
#: Characters of a text or a title.
LONGEST_TEXT: Final = 16_000_000
#: Lists and objects inside each other in a metadata value.
DEEPEST_METADATA: Final = 16

_KNOWN: Final = frozenset({"_id", "id", "title", "text", "metadata"})
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def document_of(record: object, *, source: str, line: int) -> Document:
    """Return the document that a record describes.

    ``_id`` (or ``id``), ``text`` and ``title`` are its own; every other key joins what
    ``metadata`` holds, so nothing of a record is lost silently.

    Raises:
        BadLineError: it describes none; the error says what is wrong with it.
    """
    try:
        return _document(record)
    except _NoDocumentError as error:
        raise BadLineError(source=source, line=line, why=error.why, hint=error.hint) from None


class _NoDocumentError(Exception):
    """Why a record is no document, before its place is known."""

    def __init__(self, why: str, hint: str = "") -> None:
        self.why, self.hint = why, hint
        super().__init__(why)


def _document(record: object) -> Document:
    if not isinstance(record, dict):
        raise _NoDocumentError(
            f"{_called(record)} is no document",
            hint='write an object a line: {"_id": "1", "title": "", "text": "…"}',
        )
    id_ = _id(record)
    text = _text(record, "text")
    title = _text(record, "title")
    if not (text or title) or not (text.strip() or title.strip()):
        if "text" not in record and "title" not in record:
            raise _NoDocumentError("there is no text", hint='its key is "text"')
        raise _NoDocumentError(
            "text and title are both empty, so nothing could ever find it",
            hint="leave it out, or delete it with: repoint delete",
        )
    return Document(id=id_, text=text, title=title, metadata=_metadata(record))


def _id(record: Mapping[str, object]) -> DocumentId:
    id_ = record.get("_id")
    other = record.get("id")
    if id_ is None:
        id_ = other
    elif other is not None and other != id_:
        raise _NoDocumentError('"_id" and "id" differ', hint="keep one of them")
    if not isinstance(id_, str) or not id_:
        if id_ is None or id_ == "":
            raise _NoDocumentError(
                "the id is missing or empty", hint='its key is "_id" or "id"'
            )
        raise _NoDocumentError(f"the id is {_called(id_)}", hint='write it as text: "_id": "7"')
    if len(id_) > LONGEST_ID:
        raise _NoDocumentError(f"the id has {len(id_)} characters, more than {LONGEST_ID}")
    if _CONTROL.search(id_):
        raise _NoDocumentError("the id holds a control character")
    if _SURROGATE.search(id_):
        raise _NoDocumentError("the id holds half of a surrogate pair")
    return DocumentId(id_)


def _text(record: Mapping[str, object], name: str) -> str:
    text = record.get(name, "")
    if text is None:
        return ""
    if not isinstance(text, str):
        raise _NoDocumentError(f"the {name} is {_called(text)}", hint="write it as text")
    if len(text) > LONGEST_TEXT:
        raise _NoDocumentError(
            f"the {name} has {len(text):,} characters, more than {LONGEST_TEXT:,}",
            hint="split it into several documents",
        )
    if not text.isascii() and _SURROGATE.search(text):
        raise _NoDocumentError(f"the {name} holds half of a surrogate pair")
    return text


def _metadata(record: Mapping[str, object]) -> Mapping[str, Json]:
    given = record.get("metadata")
    if given is None:
        given = {}
    elif not isinstance(given, dict):
        raise _NoDocumentError(
            f"the metadata is {_called(given)}",
            hint='write an object: "metadata": {"lang": "de"}',
        )
    if record.keys() - _KNOWN:
        given = _with_the_rest(given, record)
    for name, value in given.items():
        _check(name, str(name), 0)
        _check(value, str(name), 0)
    return cast("dict[str, Json]", given)  # checked above, value by value


def _with_the_rest(
    given: Mapping[str, object], record: Mapping[str, object]
) -> dict[str, object]:
    rest = {name: value for name, value in record.items() if name not in _KNOWN}
    for name in rest:
        if name in given:
            raise _NoDocumentError(f"{name!r} stands beside the metadata and in it")
    return {**given, **rest}


def _check(value: object, field: str, depth: int) -> None:
    """Return if the value is JSON that every store can hold."""
    if isinstance(value, str):
        if not value.isascii() and _SURROGATE.search(value):
            raise _NoDocumentError(f"metadata field {field!r} holds half of a surrogate pair")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise _NoDocumentError(f"metadata field {field!r} is {value}", hint="write null")
    elif isinstance(value, dict | list):
        if depth >= DEEPEST_METADATA:
            raise _NoDocumentError(
                f"metadata field {field!r} is nested deeper than {DEEPEST_METADATA}"
            )
        _check_parts(value, field, depth + 1)
    elif value is not None and not isinstance(value, int):
        raise _NoDocumentError(
            f"metadata field {field!r} is {_called(value)}",
            hint="write text, a number or a list",
        )


def _check_parts(value: dict[object, object] | list[object], field: str, depth: int) -> None:
    if isinstance(value, dict):
        for name in value:
            if not isinstance(name, str):
                raise _NoDocumentError(f"metadata field {field!r} has a key that is no text")
            _check(name, field, depth)
    for part in value.values() if isinstance(value, dict) else value:
        _check(part, field, depth)


def _called(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}
    if value is None:
        return "null"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "a number"
    return names.get(type(value), f"of the type {type(value).__name__}")
