"""What somebody did to an adopted collection without repoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from repoint.beside.sides import Noted, Notes, TeamRow, TeamRows
from repoint.domain.adoption import Bypass, BypassKind
from repoint.domain.ids import DocumentId

#: Documents of one question.
_ASKED: Final = 500


def deviations(rows: TeamRows, notes: Notes) -> Iterator[Bypass]:
    """Yield what is not as it was noted: rows as they stand, then those that are gone.

    What is known is read first: what repoint writes meanwhile then looks like a row that was
    added or changed, and the log says the same of it. The other way round it would look like
    one that somebody deleted.
    """
    known = {note.document: note for page in notes.every() for note in page}
    by_key = {note.key: note for note in known.values() if note.key}
    seen: set[DocumentId] = set()
    for page in rows.pages(with_vectors=False):
        for row in page:
            note = by_key.get(row.key) if rows.keys_are_made else known.get(row.document.id)
            name = note.document if note else row.document.id
            seen.add(name)
            found = _bypass(row, note)
            if found is not None:
                yield found
    gone = (name for name, note in known.items() if note.filled and name not in seen)
    while part := list(islice(gone, _ASKED)):
        # Asked once more: a row that was written while its page was read may have been missed.
        back = _standing(rows, [known[name] for name in part])
        for name in part:
            if name not in back:
                lsn = known[name].lsn
                yield Bypass(document=name, kind=BypassKind.DELETED, noted=lsn, content=None)


def _standing(rows: TeamRows, notes: Sequence[Noted]) -> set[DocumentId]:
    if rows.keys_are_made:
        by_key = {note.key: note.document for note in notes}
        return {by_key[row.key] for row in rows.named([], list(by_key))}
    return {row.document.id for row in rows.named([note.document for note in notes])}


def _bypass(row: TeamRow, note: Noted | None) -> Bypass | None:
    if note is not None and (row.key, row.state) == (note.key, note.state):
        return None
    if not row.document.id or (not (note and note.filled) and not row.document.text.strip()):
        return None
    if note is None:
        return Bypass.of(row.document, noted=None, emptied=False)
    content = replace(row.document, id=note.document)
    return Bypass.of(content, noted=note.lsn, emptied=not note.filled)
