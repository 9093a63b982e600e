"""Reading what is really there for the documents of the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from repoint.client import Index, Repoint
from repoint.demo.claims import Standing
from repoint.demo.records import Written
from repoint.domain.ids import DocumentId, IndexName

_PAGE: Final = 500
#: Newest documents that are looked for by their own words.
_LOOKED_FOR: Final = 60
#: Characters of a document that make a question.
_ASKED: Final = 300


def read_standing(
    opened: Repoint, index: Index, newest: Mapping[DocumentId, Written]
) -> Standing:
    """Return what log, collections and search have of these documents now.

    Every live release is in step with the log when this is called, and nobody writes.
    """
    ids = list(newest)
    name = IndexName(index.name)
    log: dict[DocumentId, tuple[int, str] | None] = {}
    collections: dict[str, dict[DocumentId, int]] = {
        one.name: {} for one in index.status().releases
    }
    for at in range(0, len(ids), _PAGE):
        page = ids[at : at + _PAGE]
        with opened.session.store.read() as view:
            for document, row in view.log.get(name, page).items():
                content = row.document
                log[document] = None if content is None else (row.lsn, content.content_hash())
        for release, held in collections.items():
            space = opened.session.spaces.open(index.release(release))
            stored = space.collection.stored(page)
            held.update(zip(stored.documents, (int(lsn) for lsn in stored.lsns), strict=True))
    kept = [one for one in newest.values() if one.content is not None]
    kept.sort(key=lambda one: -one.lsn)
    return Standing(
        log=log,
        collections=collections,
        found={one.document: _is_found(index, one) for one in kept[:_LOOKED_FOR]},
    )


def _is_found(index: Index, write: Written) -> bool:
    assert write.content is not None  # noqa: S101 - only what was kept is looked for
    words = f"{write.content.title} {write.content.text}"[:_ASKED]
    return any(hit.document == write.document for hit in index.search(words, k=10).hits)
