"""Which answers mean that a document will never be taken as it is, and in what words.

A bulk answers for each of its items. Only a refusal of the document itself counts: a server
that is busy or full, an index that is closed or blocked, and a missing pipeline say nothing
about the document, and the same write may be taken later.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from opensearchpy.exceptions import TransportError

#: 422 is not told today; 413 is a document that is larger than the server takes.
_OF_DOCUMENTS: Final = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
#: Told with the status of a bad document, but of the index or of the whole server.
_OF_INDICES: Final = frozenset({"index_closed_exception", "validation_exception"})
_LIMIT: Final = "Limit of total fields"
_PIPELINE: Final = "pipeline with id"
_QUOTED: Final = 300


def reason(done: Mapping[str, object]) -> str:
    """Return why an item of a bulk was not written, in the server's words."""
    error = done["error"]
    if not isinstance(error, dict):
        return str(error)[:_QUOTED]
    cause = error.get("caused_by")
    inner = cause.get("reason", "") if isinstance(cause, dict) else ""
    told = str(error.get("reason", error))
    return (f"{told}: {inner}" if inner else told)[:_QUOTED]


def is_of_document(done: Mapping[str, object]) -> bool:
    """Return whether an item of a bulk was refused for what the document is."""
    error = done.get("error")
    kind = error.get("type") if isinstance(error, dict) else None
    if done["status"] not in _OF_DOCUMENTS or kind in _OF_INDICES:
        return False
    return _PIPELINE not in reason(done)


def told(error: TransportError) -> str:
    """Return why a whole request was refused, in the server's words."""
    found = error.info.get("error", "") if isinstance(error.info, dict) else error.info
    if isinstance(found, dict):
        causes = found.get("root_cause") or [found]
        found = causes[0].get("reason") or found.get("reason")
    return " ".join(str(found).split())[:_QUOTED]


def is_full(error: TransportError) -> bool:
    """Return whether a mapping has no place for more fields."""
    return _LIMIT in told(error)
