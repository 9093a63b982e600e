from collections.abc import Iterator
from pathlib import Path

import pytest

from repoint.testing.stage import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """v1 answers."""
    with Stage(folder=tmp_path / "stage") as stage:
        stage.write({f"d{n}": f"document {n}" for n in range(8)})
        stage.create("v1", seed=1)
        stage.revive("v1")
        stage.promote("v1")
        yield stage
