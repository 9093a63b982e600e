"""What is SQLite's own: files that are odd, full, locked or shared, and processes that die."""

import json
import os
import resource
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from tests.unit.stores.others import FORKS, NotedClock, python, said

from repoint.domain.errors import (
    BadInputError,
    CorruptionError,
    StoreUnavailableError,
    UnsupportedError,
)
from repoint.domain.ids import Lsn
from repoint.stores.sql import SqliteStore, schema, sqlite
from repoint.stores.sql.every_table import metadata
from repoint.testing.store_samples import (
    ANNA,
    DOCS,
    NOW,
    ZERO,
    document,
    with_documents,
    with_index,
)
from repoint.wiring.clock import SystemClock

PATIENCE_SECONDS = 120
BRIEFLY = timedelta(milliseconds=50)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@contextmanager
def opened(file: Path, *, busy_timeout: timedelta = BRIEFLY) -> Iterator[SqliteStore]:
    with closing(
        SqliteStore.open(file, clock=SystemClock(), busy_timeout=busy_timeout)
    ) as store:
        yield store


def test_the_file_has_the_tables_that_the_code_knows(file: Path) -> None:
    with opened(file):
        engine = sa.create_engine(f"sqlite:///{file}")
        with engine.connect() as connection:
            context = MigrationContext.configure(connection)
            assert compare_metadata(context, metadata) == []
        engine.dispose()


def test_the_version_counts_the_revisions() -> None:
    folder = Path(schema.__file__).parent / "migrations"
    revisions = list(ScriptDirectory(str(folder)).walk_revisions())

    assert max(int(one.revision) for one in revisions) == schema.VERSION


def test_opening_a_current_store_does_not_load_alembic(file: Path) -> None:
    with opened(file):
        pass
    source = """
import sys
from pathlib import Path
from repoint.stores.sql import SqliteStore
from repoint.wiring.clock import SystemClock
SqliteStore.open(Path(sys.argv[1]), clock=SystemClock()).close()
print([name for name in sys.modules if name.startswith("alembic")])
"""
    ((out, err),) = said(python(source, file))

    assert (out.strip(), err) == ("[]", "")


def test_processes_that_open_a_new_store_at_once_all_get_it(file: Path) -> None:
    source = """
import sys
from pathlib import Path
from repoint.stores.sql import SqliteStore
from repoint.wiring.clock import SystemClock
sys.stdin.read()
store = SqliteStore.open(Path(sys.argv[1]), clock=SystemClock())
with store.begin() as tx:
    print(tx.audit.append(at=SystemClock().now(), actor="a", action="open").sequence)
store.close()
"""
    read, write = os.pipe()
    children = [python(source, file, stdin=read) for _ in range(3)]
    os.close(read)
    os.close(write)  # the end of their input: all go on together
    answers = said(*children)

    assert [err for _, err in answers] == ["", "", ""]
    assert sorted(int(out) for out, _ in answers) == [1, 2, 3]


def test_a_new_store_waits_for_whoever_makes_it_longer_than_a_writer_waits(file: Path) -> None:
    clock = SystemClock()
    with (
        ThreadPoolExecutor(1) as pool,
        closing(sqlite3.connect(file, isolation_level=None)) as another,
    ):
        another.execute("PRAGMA journal_mode = WAL")
        another.execute("BEGIN IMMEDIATE")  # as a process that makes the tables
        opening = pool.submit(SqliteStore.open, file, clock=clock, busy_timeout=BRIEFLY)
        with pytest.raises(TimeoutError):
            opening.result(timeout=BRIEFLY.total_seconds() * 4)
        another.execute("ROLLBACK")
        with closing(opening.result(PATIENCE_SECONDS)) as store:
            with_index(store)


def test_a_file_that_is_no_database_is_left_alone(file: Path) -> None:
    content = b"dear diary, " * 100
    file.write_bytes(content)

    with pytest.raises(CorruptionError, match="backup"):
        SqliteStore.open(file, clock=SystemClock())
    assert file.read_bytes() == content


def test_the_database_of_another_program_is_left_alone(file: Path) -> None:
    with closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE theirs (x)")
    content = file.read_bytes()

    with pytest.raises(BadInputError, match="another program"):
        SqliteStore.open(file, clock=SystemClock())
    assert file.read_bytes() == content


def test_a_store_that_a_newer_repoint_wrote_is_left_alone(file: Path) -> None:
    with opened(file):
        pass
    with closing(sqlite3.connect(file)) as newer:
        newer.execute(f"PRAGMA user_version = {schema.VERSION + 1}")

    with pytest.raises(UnsupportedError, match="newer"):
        SqliteStore.open(file, clock=SystemClock())


def test_damage_is_called_damage(file: Path) -> None:
    with opened(file) as store:
        with_documents(store, 200)
    with file.open("r+b") as handle:
        handle.seek(8192)
        handle.write(b"\xff" * (file.stat().st_size - 8192))

    with pytest.raises(CorruptionError), opened(file) as store, store.read() as tx:
        tx.log.rows(DOCS, above=ZERO, upto=Lsn(999))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="folder"):
        SqliteStore.open(tmp_path / "nowhere" / "store.db", clock=SystemClock())


@contextmanager
def unprivileged() -> Iterator[None]:
    """Root may write everywhere; be nobody for a while."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_folder_that_may_not_be_written_is_said_so() -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        with opened(folder / "store.db") as store:
            with_documents(store, 1)
        (folder / "store.db").chmod(0o444)
        folder.chmod(0o555)
        with (
            unprivileged(),
            pytest.raises(StoreUnavailableError, match="writable"),
            opened(folder / "store.db") as store,
            store.begin() as tx,
        ):
            tx.log.append(DOCS, [document("new")], at=NOW)
        with unprivileged(), pytest.raises(StoreUnavailableError, match="folder"):
            SqliteStore.open(folder / "new.db", clock=SystemClock())
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


BIG = [document(f"big{n}", "x" * 4000) for n in range(50)]


@pytest.fixture
def full(file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqliteStore]:
    """A store with three documents and no room for much more."""
    with opened(file) as store:
        with_documents(store, 3)
    pages = file.stat().st_size // 4096
    limit = f"PRAGMA max_page_count = {pages + 5}"
    monkeypatch.setattr(sqlite, "PRAGMAS", (*sqlite.PRAGMAS, limit))
    with opened(file) as store:
        yield store


def write_too_much(store: SqliteStore) -> None:
    with store.begin() as tx:
        tx.audit.append(at=NOW, actor=ANNA, action="write")
        tx.log.append(DOCS, BIG, at=NOW)


def pass_over_the_error(store: SqliteStore) -> None:
    with store.begin() as tx:
        tx.audit.append(at=NOW, actor=ANNA, action="write")
        with suppress(StoreUnavailableError):
            tx.log.append(DOCS, BIG, at=NOW)
        with suppress(StoreUnavailableError):
            tx.audit.append(at=NOW, actor=ANNA, action="go on")


def test_a_full_disk_leaves_nothing_half_done(full: SqliteStore) -> None:
    with pytest.raises(StoreUnavailableError, match="disk space"):
        write_too_much(full)

    with full.begin() as tx:
        assert tx.log.append(DOCS, [document("small")], at=NOW).head == 4
        assert tx.audit.records() == []


def test_an_error_half_way_cannot_be_passed_over(full: SqliteStore) -> None:
    with pytest.raises(StoreUnavailableError, match="nothing was written"):
        pass_over_the_error(full)

    with full.read() as tx:
        assert tx.audit.records() == []
        assert tx.log.head(DOCS) == 3
    with full.begin() as tx:
        assert tx.audit.append(at=NOW, actor=ANNA, action="later").sequence == 1


def test_a_write_that_the_system_refuses_is_unavailable(file: Path) -> None:
    with opened(file) as store:
        with_documents(store, 3)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size, hard))
        try:
            with pytest.raises(StoreUnavailableError), store.begin() as tx:
                tx.log.append(
                    DOCS, [document(f"big{n}", "x" * 4000) for n in range(400)], at=NOW
                )
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        with store.read() as tx:
            assert tx.log.head(DOCS) == 3


def test_a_writer_that_waits_too_long_is_told_to_try_again(file: Path) -> None:
    with opened(file) as store, opened(file) as another:
        with_index(store)
        with store.begin():
            with pytest.raises(StoreUnavailableError, match="try again"), another.begin():
                pass
            waited = in_thread(lambda: enter(store))
        assert isinstance(waited, StoreUnavailableError)
        with another.begin() as tx:
            assert tx.log.append(DOCS, [document("a")], at=NOW).head == 1


def enter(store: SqliteStore) -> StoreUnavailableError | None:
    try:
        with store.begin():
            return None
    except StoreUnavailableError as error:
        return error


def in_thread(call: Callable[[], object]) -> object:
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(call()))
    thread.start()
    thread.join(PATIENCE_SECONDS)
    return found[0]


APPENDS = """
import json, sys
from itertools import count
from pathlib import Path
from repoint.stores.sql import SqliteStore
from repoint.testing.store_samples import DOCS, NOW, document
from repoint.wiring.clock import SystemClock
store = SqliteStore.open(Path(sys.argv[1]), clock=SystemClock())
for n in count():
    name = f"{sys.argv[2]}-{n}"
    with store.begin() as tx:
        done = tx.log.append(DOCS, [document(name)], at=NOW)
    print(json.dumps([name, done.head]), flush=True)
"""


def test_what_was_acknowledged_survives_a_kill(file: Path) -> None:
    with opened(file) as store:
        with_index(store)
    acknowledged: list[tuple[str, int]] = []
    for round_ in range(3):
        with python(APPENDS, file, round_) as child:
            assert child.stdout is not None
            lines = [child.stdout.readline() for _ in range(5 * (round_ + 1))]
            child.kill()
            lines += child.stdout.readlines()
        acknowledged += [tuple(json.loads(line)) for line in lines if line.endswith("]\n")]

        with opened(file) as store, store.read() as tx:
            rows = tx.log.rows(DOCS, above=ZERO, upto=Lsn(10**9))
            head = tx.log.head(DOCS)
        stored = {(str(row.id), int(row.lsn)) for row in rows}
        assert set(acknowledged) <= stored
        assert [row.lsn for row in rows] == list(range(1, head + 1))


def test_a_forked_child_uses_connections_of_its_own(file: Path) -> None:
    assert said(python(FORKS, "repoint.stores.sql", "SqliteStore", file)) == [("3\n", "")]


def test_closing_a_feed_frees_its_watcher(file: Path) -> None:
    clock = NotedClock()
    with ThreadPoolExecutor(1) as pool, closing(SqliteStore.open(file, clock=clock)) as store:
        feed = store.watch()
        feed.changed(timeout=0)
        clock.asked.clear()
        watching = pool.submit(feed.changed, timeout=2 * PATIENCE_SECONDS)
        assert clock.asked.wait(PATIENCE_SECONDS)
        feed.close()
        assert watching.result(PATIENCE_SECONDS) is False
        with pytest.raises(RuntimeError):
            feed.changed(timeout=0)


def test_half_a_surrogate_pair_in_a_reason_is_bad_input(file: Path) -> None:
    with opened(file) as store, pytest.raises(BadInputError), store.begin() as tx:
        tx.audit.append(at=NOW, actor=ANNA, action="freeze", reason="\udcff")


def test_forgotten_text_is_gone_from_every_file_at_once(file: Path) -> None:
    secret = "the secret of this document " * 20
    with opened(file) as store:
        with_index(store)
        with store.begin() as tx:
            tx.log.append(DOCS, [document("a", secret), document("b", secret)], at=NOW)
        with store.begin() as tx:
            tx.log.append(DOCS, [document("a").id], at=NOW)
            tx.log.forget(DOCS, [document("b").id])

        content = b"".join(part.read_bytes() for part in file.parent.glob("store.db*"))
        assert b"the secret" not in content


def test_forgetting_does_not_wait_for_a_view(file: Path) -> None:
    with opened(file, busy_timeout=timedelta(seconds=PATIENCE_SECONDS)) as store:
        with_documents(store, 2)
        with store.read() as view:
            assert view.log.head(DOCS) == 2
            with store.begin() as tx:
                tx.log.forget(DOCS, [document("d1").id])
            assert [row.id for row in view.log.scan(DOCS, after=None, limit=9)] == ["d1", "d2"]
        with store.begin() as tx:
            assert [row.id for row in tx.log.scan(DOCS, after=None, limit=9)] == ["d2"]


def test_a_store_stays_the_same_when_the_working_folder_changes(
    file: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    with opened(Path(file.name)) as store:
        monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
        with_documents(store, 1)
    with opened(file) as store, store.read() as tx:
        assert tx.log.head(DOCS) == 1
