"""The grid: the questions asked again with one thing changed, and what that wins back.

Stages of the answer (approximate index, filter, lexical search, reranker, cut-off) are
changed by asking the database again. Models, prefixes, distances and vectors are changed in
the pool. Either way one thing changes at a time, and its gain is counted against the same
kind of search on the release as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from repoint.domain.diagnosis import Cell
from repoint.domain.errors import RepointError
from repoint.domain.evaluation import Rankings
from repoint.domain.ids import QueryId
from repoint.domain.spec import Distance, ModelSpec, ReleaseSpec
from repoint.operations.diagnose.asking import Focus, Panel, Values, with_spec
from repoint.operations.diagnose.pool import Vectors, rankings
from repoint.operations.diagnose.spending import Purse
from repoint.operations.spaces import Space, Spaces
from repoint.ports.backend import FloatVector

#: Prefixes that models are published with: one for documents, one for questions.
PUBLISHED: Final = {
    "passage: ": "query: ",
    "search_document: ": "search_query: ",
    "title: none | text: ": "task: search result | query: ",
}

Questions = Mapping[QueryId, FloatVector]


@dataclass(slots=True)
class Grid:
    """Cells as they are measured, and the two that all others are compared with."""

    panel: Panel
    focus: Focus
    baseline: Space
    release: Space
    cells: list[Cell] = field(default_factory=list)
    #: What the release scores as it is, asked and in the pool.
    asked: float = 0.0
    pooled: float = 0.0
    #: What the baseline scores, asked and in the pool.
    baseline_asked: float = 0.0
    baseline_pooled: float = 0.0

    @property
    def lost(self) -> float:
        """How much the questions looked at lose; never negative."""
        return max(self.baseline_asked - self.asked, 0.0)

    def share(self, gain: float, *, pooled: bool) -> float:
        """Return which part of the loss a gain is, from 0 to 1."""
        whole = self.lost
        if pooled:
            whole = max(whole, self.baseline_pooled - self.pooled)
        return min(max(gain / whole, 0.0), 1.0) if whole > 0 else 0.0

    # Asked of the database

    def begin(self) -> None:
        """Ask both as they are."""
        self.asked = self._mean(self.panel.values(self._answers(self.release)))
        self._note("as it is", "release", "release", "index", self.asked, 0.0)
        self.baseline_asked = self._mean(self.panel.values(self._answers(self.baseline)))
        gain = self.baseline_asked - self.asked
        self._note("the baseline", "baseline", "baseline", "index", self.baseline_asked, gain)

    def exact(self) -> float:
        """Return what exact search wins."""
        return self._ask("exact search", self.release, search="exact", exact=True)

    def distinct(self) -> float:
        """Return what each document only once wins."""
        return self._ask("each document once", self.release, distinct=True)

    def unfiltered(self) -> float:
        """Return what leaving the filter out wins."""
        return self._ask("without the filter", self.release, unfiltered=True)

    def without_cut_off(self) -> float:
        """Return what keeping every hit wins."""
        spec = replace(self.release.release.spec, min_score=None)
        return self._ask("without the cut-off", with_spec(self.release, spec))

    def reranked(self) -> float:
        """Return what leaving the reranker out, or taking the baseline's, wins at most."""
        spec, other = self.release.release.spec, self.baseline.release.spec
        gains = [0.0]
        if spec.rerank is not None:
            plain = with_spec(self.release, replace(spec, rerank=None))
            gains.append(self._ask("without the reranker", plain))
        if other.rerank is not None and self.baseline.reranker is not None:
            theirs = replace(
                with_spec(self.release, replace(spec, rerank=other.rerank)),
                reranker=self.baseline.reranker,
            )
            gains.append(self._ask("with the baseline's reranker", theirs))
        return max(gains)

    def hybrid(self) -> float:
        """Return what lexical search as in the baseline wins.

        A collection that was made without it cannot be asked so; then it is what the
        baseline loses without it.
        """
        spec, other = self.release.release.spec, self.baseline.release.spec
        if spec.hybrid is not None:
            says = "lexical search as in the baseline" if other.hybrid else "vectors alone"
            return self._ask(says, with_spec(self.release, replace(spec, hybrid=other.hybrid)))
        plain = with_spec(self.baseline, replace(other, hybrid=None))
        value = self._mean(self.panel.values(self._answers(plain)))
        says = "the baseline by vectors alone"
        self._note(says, "baseline", "baseline", "index", value, value - self.asked)
        return self.baseline_asked - value

    # Worked out in the pool

    def pool(self, held: Vectors, of_baseline: Vectors, *, distance: Distance) -> None:
        """Work out both as they are, and their models and vectors crossed."""
        mine, theirs = self.questions(self.release), self.questions(self.baseline)
        self.pooled = self._worth(mine, held, distance)
        self._note("as it is", "release", "release", "pool", self.pooled, 0.0)
        own = self.baseline.release.spec.distance
        self.baseline_pooled = self._worth(theirs, of_baseline, own)
        gain = self.baseline_pooled - self.pooled
        self._note("the baseline", "baseline", "baseline", "pool", self.baseline_pooled, gain)
        if held.matrix.shape[1] != of_baseline.matrix.shape[1]:
            return
        crossed = self._worth(theirs, held, distance)
        self._note("crossed", "baseline", "release", "pool", crossed, crossed - self.pooled)
        crossed = self._worth(mine, of_baseline, own)
        self._note("crossed", "release", "baseline", "pool", crossed, crossed - self.pooled)

    def work_out(
        self,
        change: str,
        vectors: Vectors,
        *,
        distance: Distance,
        questions: Questions | None = None,
        quiet: bool = False,
    ) -> float:
        """Return what the release scores in the pool with this change."""
        asked = self.questions(self.release) if questions is None else questions
        value = self._worth(asked, vectors, distance)
        if not quiet:
            self._note(change, "release", "release", "pool", value, value - self.pooled)
        return value

    def questions(self, space: Space) -> Questions:
        """Return the vectors of the questions looked at, as a release's model gives them."""
        found: dict[QueryId, FloatVector] = {}
        for query in self.focus.queries:
            question = self.panel.question(space, query)
            if question is not None:
                found[query.id] = question.vector.values
        return found

    def embedded(self, spaces: Spaces, model: ModelSpec, *, purse: Purse) -> Questions | None:
        """Return the questions as the release's model would embed them with other settings.

        None where that fails.
        """
        changed = replace(self.release.release.spec, model=model)
        prepared = {
            query.id: question.prepared
            for query in self.focus.queries
            if (question := self.panel.question(self.release, query)) is not None
        }
        try:
            embedding = spaces.embedding(changed, changed.fingerprint())
            vectors = embedding.queries(list(prepared.values()))
        except RepointError as error:
            purse.left_out.append(f"questions embedded with other settings: {error.message}")
            return None
        purse.pay_questions(model, embedding, list(prepared.values()))
        return {query: one.values for query, one in zip(prepared, vectors, strict=True)}

    def _ask(
        self,
        change: str,
        space: Space,
        *,
        search: str = "index",
        exact: bool = False,
        unfiltered: bool = False,
        distinct: bool = False,
    ) -> float:
        answers = self.panel.ask(
            space,
            self.focus.queries,
            exact=exact,
            unfiltered=unfiltered,
            distinct=distinct,
        )
        value = self._mean(self.panel.values(answers))
        self._note(change, "release", "release", search, value, value - self.asked)
        return value - self.asked

    def _answers(self, space: Space) -> Rankings:
        return self.panel.ask(space, self.focus.queries)

    def _worth(self, questions: Questions, vectors: Vectors, distance: Distance) -> float:
        found = rankings(
            questions,
            vectors,
            distance=distance,
            k=self.panel.k,
            distinct=self.release.release.spec.chunking.size is not None,
        )
        return self._mean(self.panel.values(found))

    def _mean(self, values: Values) -> float:
        return self.focus.mean(values)

    def _note(
        self, change: str, queries: str, collection: str, search: str, value: float, gain: float
    ) -> None:
        self.cells.append(
            Cell(
                change=change,
                queries=queries,
                collection=collection,
                search=search,
                value=value,
                gain=gain,
            )
        )


def unit(vectors: Vectors) -> Vectors:
    """Return the vectors with length one."""
    lengths = np.linalg.norm(vectors.matrix, axis=1, keepdims=True)
    return replace(vectors, matrix=(vectors.matrix / np.maximum(lengths, 1e-12)))


def prefixes(spec: ReleaseSpec, baseline: ReleaseSpec) -> list[str]:
    """Return the prefixes that may be the right ones for questions."""
    declared = spec.model.query_prefix
    likely = [
        "",
        baseline.model.query_prefix,
        PUBLISHED.get(spec.model.document_prefix, ""),
        spec.model.document_prefix,
    ]
    return [prefix for prefix in dict.fromkeys(likely) if prefix != declared]
