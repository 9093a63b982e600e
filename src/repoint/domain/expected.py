"""What the answer to a question should rest on: expected citations, and the answer itself.

A citation names a document, or a span of its text. Expected citations are no judgements of
relevance: they say which sources an answer must name, not which documents are about the
question.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

from repoint.domain.ids import DocumentId

#: Characters of an expected answer: far more than anybody reads.
LONGEST_ANSWER: Final = 100_000
#: The part of a cited span that a passage must hold to stand for it: chunks cut spans.
HELD: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Span:
    """A part of a document's own text, in characters: ``text[start:end]``."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What is known of one question's answer."""

    #: Documents to cite, each with the spans that count; no span: any part of it.
    citations: Mapping[DocumentId, tuple[Span, ...]] = field(default_factory=dict)
    #: The answer itself; empty: none is known.
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Cited:
    """How retrieved sources compare with the expected citations."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """The harmonic mean of both; 0 where nothing that was expected was retrieved."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def compared(
    retrieved: Sequence[DocumentId], expected: Expected, *, astray: AbstractSet[DocumentId]
) -> Cited:
    """Compare the retrieved sources, one a document, with the expected citations.

    ``astray`` are documents of which another part was retrieved than the one expected.
    Precision is over what was retrieved, which may be less than was asked for; of an empty
    answer both are 0.
    """
    wanted = expected.citations
    right = sum(one in wanted and one not in astray for one in retrieved)
    return Cited(
        precision=right / len(retrieved) if retrieved else 0.0,
        recall=right / len(wanted) if wanted else 0.0,
    )


def holds(passage: str, quote: str) -> bool:
    """Return whether a passage holds at least half of a quote, in one piece.

    Chunks are cut anywhere, so a quote may begin in one and end in the next.
    """
    if not quote:
        return False
    least = max(1, round(len(quote) * HELD))
    if quote in passage or (len(passage) >= least and passage in quote):
        return True
    return any(quote.startswith(passage[at:]) for at in _places(passage, quote[:least])) or any(
        quote.endswith(passage[: at + least]) for at in _places(passage, quote[-least:])
    )


def _places(text: str, piece: str) -> Iterator[int]:
    at = text.find(piece)
    while at >= 0:
        yield at
        at = text.find(piece, at + 1)
