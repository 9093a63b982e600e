"""Measures as values: ``nDCG@10`` is a kind and a depth, and is written as it is read.

The words are those of TREC. What computes them is ``operations.evaluate.scoring``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from repoint.domain.errors import BadInputError

#: The deepest that a run can be asked for.
DEEPEST: Final = 1_000


class MeasureKind(StrEnum):
    """What a measure looks at."""

    #: Discounted gain of graded judgements, relative to the best possible order.
    NDCG = "nDCG"
    #: The share of relevant documents that were found.
    RECALL = "R"
    #: One over the rank of the first relevant document.
    RECIPROCAL_RANK = "RR"
    #: Mean precision over the ranks of the relevant documents.
    AVERAGE_PRECISION = "AP"
    #: Whether any relevant document was found.
    SUCCESS = "Success"
    #: The share of what was found that is relevant.
    PRECISION = "P"
    #: The share of retrieved sources that the answer should cite.
    CITATION_PRECISION = "CitationP"
    #: The share of expected citations that were retrieved.
    CITATION_RECALL = "CitationR"
    #: The harmonic mean of both, question by question.
    CITATION_F1 = "CitationF1"


#: Kinds that look at expected citations, not at judgements.
OF_CITATIONS: Final = frozenset(
    {MeasureKind.CITATION_PRECISION, MeasureKind.CITATION_RECALL, MeasureKind.CITATION_F1}
)

#: Kinds that can be had without a depth: to the end of the run.
_OPEN_ENDED: Final = frozenset({MeasureKind.AVERAGE_PRECISION, MeasureKind.RECIPROCAL_RANK})
_WRITTEN: Final = re.compile(r"(?P<kind>[A-Za-z]+1?)(?:@(?P<depth>[1-9]\d{0,3}))?")


@dataclass(frozen=True, slots=True, order=True)
class Measure:
    """One measure."""

    kind: MeasureKind
    #: How many ranks count; None: all of the run.
    depth: int | None = None

    @property
    def is_of_citations(self) -> bool:
        """Whether it looks at expected citations; else it does at judgements."""
        return self.kind in OF_CITATIONS

    def __str__(self) -> str:
        return self.kind.value if self.depth is None else f"{self.kind.value}@{self.depth}"

    @staticmethod
    def parse(text: str) -> Measure:
        """Return the measure that the text names.

        Raises:
            BadInputError: it names none.
        """
        match = _WRITTEN.fullmatch(text.strip())
        kinds = {kind.value.lower(): kind for kind in MeasureKind}
        kind = kinds.get(match["kind"].lower()) if match is not None else None
        if match is None or kind is None:
            raise BadInputError(
                f"{text!r} is no measure",
                hint="write for instance nDCG@10, R@100, RR@10, AP, Success@5, P@5, or of "
                "expected citations CitationP@5, CitationR@5, CitationF1@5",
            )
        depth = None if match["depth"] is None else int(match["depth"])
        if depth is None and kind not in _OPEN_ENDED:
            raise BadInputError(f"{text!r} needs a depth", hint=f"write {kind.value}@10")
        if depth is not None and depth > DEEPEST:
            raise BadInputError(f"{text!r} is deeper than {DEEPEST:,}")
        return Measure(kind, depth)


#: What an evaluation shows where nobody asks for others.
STANDARD: Final = (
    Measure(MeasureKind.NDCG, 10),
    Measure(MeasureKind.RECALL, 100),
    Measure(MeasureKind.RECIPROCAL_RANK, 10),
    Measure(MeasureKind.AVERAGE_PRECISION),
    Measure(MeasureKind.SUCCESS, 5),
)


def standard(k: int) -> tuple[Measure, ...]:
    """Return the standard measures, the one that counts most at this depth."""
    return (Measure(MeasureKind.NDCG, k), *STANDARD[1:])


def of_citations(depth: int) -> tuple[Measure, ...]:
    """Return the citation measures, the one that counts most first."""
    return tuple(
        Measure(kind, depth)
        for kind in (
            MeasureKind.CITATION_F1,
            MeasureKind.CITATION_PRECISION,
            MeasureKind.CITATION_RECALL,
        )
    )
