from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from repoint.testing.stage import Stage

LONG = "one two three four five six seven eight nine ten eleven twelve"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """v1 answers; v2 of another space is in step with it."""
    with Stage(folder=tmp_path / "stage") as stage:
        stage.write({f"d{n}": f"document {n}. {LONG[: n * 9 % 50]}" for n in range(8)})
        stage.clock.advance(timedelta(seconds=1))
        stage.create("v1", seed=1)
        stage.create("v2", seed=2)
        stage.revive("v1")
        stage.promote("v1")
        stage.revive("v2")
        yield stage


@pytest.fixture
def promoted(stage: Stage) -> Stage:
    """v2 answers, v1 stands behind it."""
    stage.promote("v2")
    stage.clock.advance(timedelta(seconds=1))
    return stage
