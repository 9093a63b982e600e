from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from repoint.domain.ids import DocumentId, QueryId, QuerySetName, ReleaseName
from repoint.domain.queries import Query, QuerySetKind, Questions
from repoint.operations import query_sets
from repoint.operations.evaluate import Options, Report, StoredEvaluations, evaluate
from repoint.operations.promote import PromoteOptions, PromoteReport, promote
from repoint.testing.stage import INDEX, Stage

ITEMS = QuerySetName("items")


@dataclass
class Judged:
    """A stage with a query set over its eight documents."""

    stage: Stage

    def questions(self, count: int = 8, *, group: str = "all") -> Questions:
        names = [f"d{n}" for n in range(count)]
        queries = tuple(
            Query(id=QueryId(f"q{n}"), text=f"document {n}.", group=group) for n in range(count)
        )
        qrels = {
            query.id: {DocumentId(name): 1} for query, name in zip(queries, names, strict=True)
        }
        return Questions(
            queries=queries, qrels=qrels, kind=QuerySetKind.JUDGED, source="a test"
        )

    def add(self, questions: Questions | None = None) -> int:
        made, _ = query_sets.add(
            self.stage.session, INDEX, ITEMS, questions or self.questions()
        )
        return made.version

    def evaluate(
        self, candidate: str = "v2", *, baseline: str = "active", options: Options | None = None
    ) -> Report:
        return evaluate(
            self.stage.session,
            INDEX,
            ReleaseName(candidate),
            baseline=baseline,
            queries=ITEMS,
            options=options or Options(),
        )

    def promote(self, name: str = "v2", *, why: str | None = None) -> PromoteReport:
        return promote(
            self.stage.session,
            INDEX,
            ReleaseName(name),
            reason="it is better",
            evaluations=StoredEvaluations(self.stage.session),
            options=PromoteOptions(without_evaluation=why),
        )

    def lose(self, release: str, names: Sequence[str]) -> None:
        """Take documents out of a release's collection, past repoint."""
        collection = self.stage.space(release).collection
        collection.purge([DocumentId(name) for name in names])


@pytest.fixture
def judged(stage: Stage) -> Judged:
    found = Judged(stage)
    found.add()
    return found
