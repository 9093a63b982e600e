"""Ask both releases the questions, as they are and with one stage left out or put in.

What is asked of a database is the release's own vector, always: where the grid crosses
models and collections, ``pool`` works it out on copies, so that no query of one space ever
reaches the vectors of another (INV-1).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from repoint.domain.diagnosis import Loss
from repoint.domain.errors import BadInputError, InputRejectedError
from repoint.domain.evaluation import Ranking, Rankings
from repoint.domain.filters import Filter
from repoint.domain.ids import DocumentId, QueryId, ReleaseName
from repoint.domain.measures import Measure, MeasureKind
from repoint.domain.queries import Query, Questions, groups
from repoint.domain.spec import ReleaseSpec
from repoint.operations.diagnose.spending import Purse
from repoint.operations.evaluate import statistics
from repoint.operations.evaluate.scoring import score
from repoint.operations.query import Question, find, prepare
from repoint.operations.spaces import Space
from repoint.ports.backend import Hit
from repoint.ports.clock import Clock

#: A loss that chance makes less often than this is one.
CHANCE: Final = 0.05
#: With fewer questions a group proves nothing.
_LEAST_GROUP: Final = 5
#: Distinct documents are looked for this much deeper where chunks may stand twice.
_DEEPER: Final = 4

Values = Mapping[QueryId, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Focus:
    """The questions that causes are measured on, and how many each of them stands for."""

    queries: Sequence[Query]
    weights: Mapping[QueryId, float]
    failing: frozenset[QueryId]

    def mean(self, values: Values) -> float:
        """Return what the values say of all questions in scope."""
        total = sum(self.weights.values())
        return (
            sum(self.weights[query.id] * values.get(query.id, 0.0) for query in self.queries)
            / total
            if total
            else 0.0
        )


class Panel:
    """The questions, who is asked them, and what answers are worth."""

    def __init__(
        self,
        questions: Questions,
        *,
        k: int,
        judged: bool,
        where: Filter | None,
        clock: Clock,
        purse: Purse,
    ) -> None:
        self.questions = questions
        #: Whether people said what is right; else the baseline's answers count as right.
        self.judged = judged
        self.measure = Measure(MeasureKind.NDCG, k)
        self.k = k
        self._where = where
        self._clock = clock
        self._purse = purse
        self._prepared: dict[tuple[ReleaseName, QueryId], Question | None] = {}

    def question(self, space: Space, query: Query) -> Question | None:
        """Return a question as the release's model sees it; None where it refuses it."""
        key = (space.release.name, query.id)
        if key not in self._prepared:
            try:
                made = prepare(space, query.text, cached=False)
            except (BadInputError, InputRejectedError):
                self._prepared[key] = None
                return None
            model = space.release.spec.model
            self._purse.pay_questions(model, space.embedding, [made.prepared])
            self._prepared[key] = made
        return self._prepared[key]

    def ask(
        self,
        space: Space,
        queries: Sequence[Query],
        *,
        exact: bool = False,
        unfiltered: bool = False,
        distinct: bool = False,
    ) -> Rankings:
        """Return the first k documents of each answer, in places as a user sees them.

        A document that comes a second time takes up a place without being found anew.
        ``distinct`` looks further down for others instead.
        """
        limit = self.k * _DEEPER if distinct else self.k
        found: dict[QueryId, Ranking] = {}
        for query in queries:
            question = self.question(space, query)
            hits: Sequence[Hit] = ()
            if question is not None:
                where = None if unfiltered else self._where
                hits, _ = find(
                    space, question, limit=limit, clock=self._clock, where=where, exact=exact
                )
                self._purse.searches += 1
            names = [hit.document for hit in hits]
            if distinct:
                names = list(dict.fromkeys(names))
            found[query.id] = seen_once(names[: self.k])
        return found

    def values(self, ranked: Rankings) -> Values:
        """Return what each answer is worth."""
        return score(self.questions, ranked, [self.measure])[self.measure]

    @property
    def filtered(self) -> bool:
        """Whether the questions are asked with a filter."""
        return self._where is not None


def seen_once(names: Sequence[DocumentId]) -> Ranking:
    """Return the names with every repetition replaced by one that nothing is called."""
    seen: set[DocumentId] = set()
    ranking: list[DocumentId] = []
    for place, name in enumerate(names):
        ranking.append(DocumentId(f"\x01{place}") if name in seen else name)
        seen.add(name)
    return tuple(ranking)


def with_spec(space: Space, spec: ReleaseSpec) -> Space:
    """Return the space with other settings of how it is asked; model and collection stay."""
    changed = replace(space, release=replace(space.release, spec=spec))
    return changed if spec.rerank is not None else replace(changed, reranker=None)


def losses(
    baseline: Values, release: Values, queries: Sequence[Query], *, measure: Measure
) -> tuple[Loss, bool]:
    """Return the loss over all questions, or over one group where only that is worse.

    And whether it is more than chance: a group is looked at as one of several.
    """
    whole = _loss(baseline, release, queries, measure=measure, group="")
    members = {g: q for g, q in groups(queries).items() if len(q) >= _LEAST_GROUP}
    if _is_loss(whole) or not members:
        return whole, _is_loss(whole)
    parts = [
        _loss(baseline, release, inside, measure=measure, group=group)
        for group, inside in members.items()
    ]
    worst = min(parts, key=lambda one: (one.p, one.difference))
    return (worst, True) if _is_loss(worst, looks=len(parts)) else (whole, False)


def _is_loss(loss: Loss, *, looks: int = 1) -> bool:
    return loss.difference < 0 and loss.p <= CHANCE / looks


def focus(
    baseline: Values,
    release: Values,
    queries: Sequence[Query],
    *,
    failing: int,
    others: int,
    seed: int,
) -> Focus:
    """Choose questions: as many failing ones as wanted, and others that may be harmed."""
    chance = random.Random(seed)  # noqa: S311 - a sample, not a secret
    worse = [query for query in queries if release[query.id] < baseline[query.id]]
    rest = [query for query in queries if release[query.id] >= baseline[query.id]]
    chosen: list[Query] = []
    weights: dict[QueryId, float] = {}
    for stratum, wanted in ((worse, failing), (rest, others)):
        drawn = chance.sample(stratum, min(wanted, len(stratum)))
        chosen += drawn
        weights |= {query.id: len(stratum) / len(drawn) for query in drawn}
    return Focus(
        queries=chosen, weights=weights, failing=frozenset(query.id for query in worse)
    )


def _loss(
    baseline: Values,
    release: Values,
    queries: Sequence[Query],
    *,
    measure: Measure,
    group: str,
) -> Loss:
    changes = np.array(
        [[release[query.id] - baseline[query.id]] for query in queries], dtype=np.float64
    )
    bounds = statistics.interval(statistics.resampled_means(changes, seed=0)[:, 0])
    return Loss(
        measure=str(measure),
        group=group,
        questions=len(queries),
        failing=int((changes < 0).sum()),
        baseline=float(np.mean([baseline[query.id] for query in queries])),
        release=float(np.mean([release[query.id] for query in queries])),
        low=bounds.low,
        high=bounds.high,
        p=float(statistics.sign_flip(changes, seed=0)[0]),
    )
