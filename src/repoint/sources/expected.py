"""What a line of queries expects of its answer: ``citations`` and ``answer``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from repoint.domain.expected import LONGEST_ANSWER, Expected, Span
from repoint.domain.ids import DocumentId

#: How it is written, for people.
WRITTEN: Final = (
    'write: {"_id": "1", "text": "a question", "answer": "…", '
    '"citations": ["d7", {"document": "d9", "start": 0, "end": 120}]}'
)


def expected_of(record: Mapping[str, object]) -> Expected | None:
    """Return what a record, or its ``metadata``, expects of the answer; None if nothing.

    Raises:
        ValueError: it is malformed; the message says what is.
    """
    answer = _answer(_field(record, "answer"))
    citations = _citations(_field(record, "citations"))
    return Expected(citations=citations, answer=answer) if citations or answer else None


def _answer(given: object) -> str:
    if given is None:
        return ""
    if not isinstance(given, str):
        raise ValueError('"answer" is no text')  # noqa: TRY004 - the line is wrong, not a caller
    if len(given) > LONGEST_ANSWER:
        raise ValueError(
            f'"answer" has {len(given):,} characters, more than {LONGEST_ANSWER:,}'
        )
    try:
        given.encode()
    except UnicodeEncodeError:
        raise ValueError('"answer" holds half of a surrogate pair') from None
    return given.strip()


def _citations(given: object) -> dict[DocumentId, tuple[Span, ...]]:
    if given is None:
        return {}
    if not isinstance(given, list):
        raise ValueError('"citations" is no list')  # noqa: TRY004 - as above
    found: dict[DocumentId, tuple[Span, ...]] = {}
    for item in given:
        document, span = _citation(item)
        before = found.get(document)
        if before is not None and (span is None or not before or span in before):
            raise ValueError(f'"citations" names document {document!r} twice')
        found[document] = () if span is None else (*(before or ()), span)
    return found


def _citation(item: object) -> tuple[DocumentId, Span | None]:
    if isinstance(item, str) and item:
        return DocumentId(item), None
    if not isinstance(item, Mapping) or set(item) - {"document", "start", "end"}:
        raise ValueError(f"{item!r} is no citation")
    document, start, end = item.get("document"), item.get("start"), item.get("end")
    if not isinstance(document, str) or not document:
        raise ValueError(f"{item!r} names no document")
    if start is None and end is None:
        return DocumentId(document), None
    if type(start) is not int or type(end) is not int or not 0 <= start < end:
        raise ValueError(
            f"{item!r} is no span: start and end count characters of the document's text"
        )
    return DocumentId(document), Span(start=start, end=end)


def _field(record: Mapping[str, object], name: str) -> object:
    metadata = record.get("metadata")
    inner = metadata.get(name) if isinstance(metadata, Mapping) else None
    return record.get(name, inner)
