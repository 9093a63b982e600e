import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from repoint.stores.sql import SqliteStore
from repoint.testing.store import StoreSuite
from repoint.wiring.clock import SystemClock


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("empty") / "store.db"
    SqliteStore.open(file, clock=SystemClock()).close()
    return file


class TestSqliteStore(StoreSuite):
    @pytest.fixture
    def store(self, empty: Path, tmp_path: Path) -> Iterator[SqliteStore]:
        shutil.copy(empty, tmp_path / "store.db")  # saves the time to make the schema anew
        opened = SqliteStore.open(tmp_path / "store.db", clock=SystemClock())
        yield opened
        opened.close()

    @pytest.fixture
    def another(self, store: SqliteStore, tmp_path: Path) -> Iterator[SqliteStore]:
        del store  # its file is there now
        opened = SqliteStore.open(tmp_path / "store.db", clock=SystemClock())
        yield opened
        opened.close()
