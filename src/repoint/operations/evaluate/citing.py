"""Which retrieved documents were found by another part of theirs than the one to be cited.

A span counts characters of the document's own text as it stands in the log. What it says is
looked for in the passage after the release's own text steps, so that releases which cut and
prepare texts in their own ways are held to the same citation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from repoint.domain.access import Action
from repoint.domain.expected import holds
from repoint.domain.ids import DocumentId, IndexName, QueryId
from repoint.domain.queries import Query, Questions
from repoint.operations.session import Session, authorise
from repoint.operations.spaces import Space
from repoint.ports.backend import Hit

#: Documents read from the log at once.
_BATCH: Final = 500

Quoted = Mapping[DocumentId, Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotes:
    """What the cited spans of a query set say."""

    of: Mapping[QueryId, Quoted]
    #: Spans that lie outside their document, or whose document the log does not hold.
    outside: int

    @staticmethod
    def read(session: Session, index: IndexName, questions: Questions) -> Quotes:
        """Read them from the log; of sets without spans nothing is read."""
        spanned = {
            query: {document: spans for document, spans in one.citations.items() if spans}
            for query, one in questions.expected.items()
            if any(one.citations.values())
        }
        texts = _texts(session, index, {doc for spans in spanned.values() for doc in spans})
        outside = 0
        of: dict[QueryId, Quoted] = {}
        for query, cited in spanned.items():
            of[query] = {
                document: [texts.get(document, "")[span.start : span.end] for span in spans]
                for document, spans in cited.items()
            }
            outside += sum(
                span.end > len(texts.get(document, ""))
                for document, spans in cited.items()
                for span in spans
            )
        return Quotes(of=of, outside=outside)

    def astray(self, space: Space, query: Query, hits: Sequence[Hit]) -> frozenset[DocumentId]:
        """Return the hits' documents of which none of the cited spans was retrieved."""
        quoted = self.of.get(query.id)
        if not quoted:
            return frozenset()
        return frozenset(
            hit.document
            for hit in hits
            if hit.document in quoted and not _held(space, hit, quoted[hit.document])
        )


def spans_outside(session: Session, index: IndexName, questions: Questions) -> int:
    """Return how many cited spans no passage can hold, as the documents stand now."""
    authorise(session, Action.READ, index)
    return Quotes.read(session, index, questions).outside


def _held(space: Space, hit: Hit, quotes: Sequence[str]) -> bool:
    return any(holds(hit.text, space.preparer.prepare_query(one)) for one in quotes)


def _texts(session: Session, index: IndexName, named: set[DocumentId]) -> dict[DocumentId, str]:
    texts: dict[DocumentId, str] = {}
    ordered = sorted(named)
    for start in range(0, len(ordered), _BATCH):
        with session.store.read() as view:
            rows = view.log.get(index, ordered[start : start + _BATCH])
        texts |= {
            name: row.document.text for name, row in rows.items() if row.document is not None
        }
    return texts
