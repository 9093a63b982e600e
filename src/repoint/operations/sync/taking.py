"""Write what a database takes, and find the documents that it refuses for what they are.

A refused version is emptied, as one is that the model refuses, so that no older one stays in
its place; where not even that is taken (an id that the database cannot hold), nothing of the
document may stand, else the refusal is the caller's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from repoint.domain.document import Entry
from repoint.domain.errors import RowsRefusedError
from repoint.domain.ids import DocumentId
from repoint.ports.backend import Collection, SpaceMatrix


def put_what_is_taken(
    collection: Collection, entries: Sequence[Entry], vectors: SpaceMatrix
) -> dict[DocumentId, RowsRefusedError]:
    """Write documents as ``Collection.put`` does; return those that are refused, and why.

    Raises:
        RowsRefusedError: what is stored of a document can neither be replaced nor emptied.
        UnavailableError: the database did not confirm; write it again.
    """
    refused = _refused(collection, entries, vectors)
    lost = {entry.document: entry for entry in entries if entry.document in refused}
    for document, entry in lost.items():
        if entry.chunks:
            bare = replace(entry, chunks=(), metadata={})
            nothing = SpaceMatrix(vectors.space, vectors.values[:0])
            again = _refused(collection, [bare], nothing).get(document)
        else:
            again = refused.pop(document)  # a delete, or an empty text: no content to refuse
        if again is not None and len(collection.stored([document]).documents):
            raise again
    return refused


def _refused(
    collection: Collection, entries: Sequence[Entry], vectors: SpaceMatrix
) -> dict[DocumentId, RowsRefusedError]:
    """Write all that is taken; halve what is refused without being named."""
    found: dict[DocumentId, RowsRefusedError] = {}
    parts = [(list(entries), vectors.values)]
    while parts:
        part, matrix = parts.pop()
        if not part:
            continue
        try:
            collection.put(part, SpaceMatrix(vectors.space, matrix))
        except RowsRefusedError as error:
            named = {one.document for one in part if one.document in error.reasons}
            if not named and len(part) == 1:
                named = {part[0].document}
            found |= {one: error.about(one) for one in named}
            among = [one.document in named for one in part]
            half = 0 if named else len(part) // 2
            rows = np.repeat(np.arange(len(part)), [len(one.chunks) for one in part])
            for first, last in ((half, len(part)), (0, half)):
                places = [n for n in range(first, last) if not among[n]]
                parts.append(([part[n] for n in places], matrix[np.isin(rows, places)]))
    return found
