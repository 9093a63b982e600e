"""Reading a push: documents and deletes as a team's own system sends them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Final

from repoint.domain.document import Document
from repoint.domain.errors import BadInputError, BadLineError, PushTooLargeError
from repoint.domain.ids import DocumentId
from repoint.domain.push import MOST_CHANGES
from repoint.operations.push import Changes
from repoint.sources.files.record import document_of

_DELETE: Final = "delete"


def read(records: Iterable[object]) -> Changes:
    """Return the changes that records describe, each a document or a delete.

    Raises:
        BadLineError: one is neither; the error says the number of the first such one.
        PushTooLargeError: there are too many.
    """
    wanted: list[Document | DocumentId] = []
    digest = blake2b(digest_size=16)
    for number, record in enumerate(records, start=1):
        if number > MOST_CHANGES:
            raise PushTooLargeError(what="changes", most=MOST_CHANGES)
        wanted.append(_change(record, number))
        digest.update(json.dumps(record, sort_keys=True, default=str).encode() + b"\n")
    if not wanted:
        raise BadInputError("the push holds no change", hint="send a document or a delete")
    return Changes(wanted=wanted, digest=digest.hexdigest())


def _change(record: object, number: int) -> Document | DocumentId:
    if not isinstance(record, Mapping) or record.get(_DELETE) is None:
        return document_of(record, source="the push", line=number)
    given = {name: value for name, value in record.items() if name != _DELETE}
    if record[_DELETE] is not True or set(given) - {"id", "_id"}:
        raise BadLineError(
            source="the push",
            line=number,
            why='"delete" stands alone beside the id, and is true',
            hint='write {"id": "7", "delete": true}; a field of that name goes into metadata',
        )
    # Checked as a document's id is; what a tombstone is of may be unknown.
    return document_of({**given, "text": "-"}, source="the push", line=number).id
