from collections.abc import Iterator
from pathlib import Path

import pytest

from repoint.testing.workbench import Workbench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    with Workbench(tmp_path) as bench:
        yield bench
