from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from repoint.domain.diagnosis import Diagnosis, Fault
from repoint.domain.ids import DocumentId, QueryId, ReleaseName
from repoint.domain.queries import Query, QuerySetKind, Questions
from repoint.domain.spec import ReleaseSpec
from repoint.operations import releases
from repoint.operations.diagnose import Given, Options, Step, diagnose
from repoint.testing.stage import INDEX, Stage, document, spec

#: Enough that a loss is more than chance, few enough to ask in a blink.
COUNT = 24
COLOURS = ("red", "green", "blue")


@dataclass
class Ward:
    """v1 answers; other releases are made beside it, damaged and diagnosed."""

    stage: Stage

    def questions(self) -> Questions:
        queries = tuple(
            Query(id=QueryId(f"q{n}"), text=text(n)[:14], group="odd" if n % 2 else "even")
            for n in range(COUNT)
        )
        return Questions(
            queries=queries,
            qrels={query.id: {DocumentId(f"d{n}"): 1} for n, query in enumerate(queries)},
            kind=QuerySetKind.JUDGED,
            source="a test",
        )

    def make(self, name: str = "v2", made: ReleaseSpec | None = None, *, seed: int = 2) -> None:
        whole = made or replace(spec(seed=seed, chunk=None), min_score=None)
        releases.create(self.stage.session, INDEX, ReleaseName(name), whole, self.stage.drivers)
        self.stage.revive(name)

    def diagnose(
        self,
        name: str = "v2",
        *,
        questions: Questions | None = None,
        options: Options | None = None,
        progress: Callable[[Step], None] | None = None,
    ) -> Diagnosis:
        return diagnose(
            self.stage.session,
            INDEX,
            ReleaseName(name),
            baseline="v1",
            given=Given(questions=questions or self.questions(), source="a test"),
            options=options or Options(),
            progress=progress,
        )

    def named(self, name: str = "v2", *, options: Options | None = None) -> list[Fault]:
        return [one.fault for one in self.diagnose(name, options=options).causes]


def text(number: int) -> str:
    """Return a text that shares no word with the others."""
    letters = "bcdfghjklmnpqrstvwxz"
    first, second = letters[number % 20], letters[number // 20 + 7]
    return f"{first}o{second}u {second}a{first}i {first}e{second}y{first} of page {number}"


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[Ward]:
    with Stage(folder=tmp_path / "stage") as stage:
        stage.write(
            {
                f"d{n}": document(f"d{n}", text(n), colour=COLOURS[n % 3], n=n)
                for n in range(COUNT)
            }
        )
        stage.clock.advance(timedelta(seconds=1))
        ward = Ward(stage)
        ward.make("v1", spec(seed=1, chunk=None))
        stage.promote("v1")
        yield ward
