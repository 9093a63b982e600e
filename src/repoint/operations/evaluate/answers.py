"""What a comparison says of sources and answers: citations, and groundedness by a judge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from repoint.domain.grounding import Grounding, sentences_of
from repoint.domain.ids import QueryId
from repoint.domain.measures import of_citations
from repoint.domain.queries import Query, groups
from repoint.operations.evaluate.comparison import Comparison
from repoint.operations.evaluate.pairing import figures_of
from repoint.operations.evaluate.statistics import Floats
from repoint.operations.evaluate.values import (
    CitationReport,
    Figure,
    GroundingReport,
    GroupFigures,
    Judged,
    WorseAnswer,
)

#: What the figure is called.
GROUNDEDNESS: Final = "Groundedness"
#: Answers that a report shows side by side, and sentences of each.
_EXAMPLES: Final = 20
_SENTENCES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """The answers of which both releases have a verdict of one judge."""

    #: Why there are none to compare; empty: they can be.
    why: str
    queries: Sequence[Query]
    #: All that the candidate's judge has a verdict on.
    candidate: Grounding | None
    baseline: Grounding | None

    def values(self, queries: Sequence[Query]) -> tuple[Floats, Floats]:
        """Return the baseline's and the candidate's shares, one row a query."""
        return _shares(self.baseline, queries), _shares(self.candidate, queries)


def pairs(comparison: Comparison) -> Pairs:
    """Return what can be compared of two runs' verdicts."""
    now, before = comparison.candidate.grounding, comparison.baseline.grounding
    both: list[Query] = []
    if now is None:
        why = "nobody judged the answers of the candidate"
    elif before is None:
        why = "nobody judged the answers of the baseline"
    elif not now.comparable(before):
        why = f"the baseline was judged otherwise: by {before.identity}"
    else:
        why = ""
        both = [
            query
            for query in comparison.queries.questions.queries
            if query.id in now.verdicts and query.id in before.verdicts
        ]
    return Pairs(why=why, queries=both, candidate=now, baseline=before)


def citations(comparison: Comparison, *, seed: int) -> CitationReport | None:
    """Return retrieved sources against expected citations; None where none are expected."""
    cited = comparison.queries.questions.cited()
    if not cited:
        return None
    depth = comparison.candidate.passages or comparison.evaluation.k
    measures = of_citations(depth)
    return CitationReport(
        depth=depth,
        queries=len(cited),
        figures=comparison.figures(measures, cited, seed=seed),
        groups=comparison.figures_by_group(measures, cited, seed=seed),
    )


def grounding(comparison: Comparison, *, seed: int) -> GroundingReport | None:
    """Return what the judge says of both releases' answers; None where nobody judged."""
    found = pairs(comparison)
    now, before = found.candidate, found.baseline
    if now is None:
        return None
    return GroundingReport(
        judge=now.judge,
        identity=now.identity,
        passages=now.passages,
        candidate=_judged(now),
        baseline=None if before is None or found.why else _judged(before),
        figures=_figures(found, found.queries, seed=seed),
        groups=[
            GroupFigures(
                group=name,
                queries=len(members),
                figures=_figures(found, members, seed=seed),
            )
            for name, members in groups(found.queries).items()
        ],
        worse=_worse(comparison, found, now),
    )


def _figures(found: Pairs, queries: Sequence[Query], *, seed: int) -> list[Figure]:
    if not queries:
        return []
    before, now = found.values(queries)
    return figures_of([GROUNDEDNESS], before, now, seed=seed)


def _shares(of: Grounding | None, queries: Sequence[Query]) -> Floats:
    verdicts = {} if of is None else of.verdicts
    return np.array([[verdicts[query.id].share] for query in queries], dtype=np.float64)


def _judged(one: Grounding) -> Judged:
    reasons = Counter(one.failed.values()).most_common(1)
    return Judged(
        answered_by=one.answered_by,
        answers=one.asked,
        failed=len(one.failed),
        why=reasons[0][0] if reasons else "",
        mean=one.mean,
        tokens=one.tokens,
    )


def _worse(comparison: Comparison, found: Pairs, now: Grounding) -> list[WorseAnswer]:
    before, after = found.values(found.queries) if found.queries else (None, None)
    if before is None or after is None:
        return []
    fallen = [
        (float(before[row, 0]), float(after[row, 0]), query)
        for row, query in enumerate(found.queries)
        if after[row, 0] < before[row, 0]
    ]
    fallen.sort(key=lambda one: (one[1] - one[0], one[2].id))
    return [
        WorseAnswer(
            query=query.id,
            text=query.text,
            group=query.group,
            baseline=then,
            candidate=value,
            unsupported=_unsupported(comparison, now, query.id),
        )
        for then, value, query in fallen[:_EXAMPLES]
    ]


def _unsupported(comparison: Comparison, now: Grounding, query: QueryId) -> list[str]:
    expected = comparison.queries.questions.expected.get(query)
    if now.answered_by or expected is None:
        return []
    sentences = sentences_of(expected.answer)
    places = now.verdicts[query].unsupported[:_SENTENCES]
    return [sentences[place] for place in places if place < len(sentences)]
