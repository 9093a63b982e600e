from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import lancedb
import pytest

from repoint.backends.lancedb import LanceBackend
from repoint.domain.ids import CollectionName
from repoint.testing.backend import BackendSuite
from repoint.testing.collection import CollectionSuite
from repoint.testing.collections import Place, RawRow

pytestmark = pytest.mark.backend("lancedb")


@pytest.fixture
def lance(tmp_path: Path) -> Place:
    folder = tmp_path / "vectors"

    def tamper(name: CollectionName, rows: Sequence[RawRow]) -> None:
        table = lancedb.connect(folder).open_table(name)
        table.add([asdict(row) for row in rows])

    return Place(opened=lambda: LanceBackend(folder), tamper=tamper)


class TestLanceBackend(BackendSuite):
    @pytest.fixture
    def place(self, lance: Place) -> Place:
        return lance


class TestLanceCollection(CollectionSuite):
    @pytest.fixture
    def place(self, lance: Place) -> Place:
        return lance
