from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.operations.guard.watching import prepare

from repoint.testing.stage import Stage


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Forty documents, their questions, and two releases of which v1 answers."""
    with Stage(folder=tmp_path_factory.mktemp("guard") / "prepared") as stage:
        prepare(stage)
        yield stage


@pytest.fixture
def stage(prepared: Stage, tmp_path: Path) -> Iterator[Stage]:
    """A copy of it."""
    with prepared.twin(tmp_path / "stage") as stage:
        yield stage
