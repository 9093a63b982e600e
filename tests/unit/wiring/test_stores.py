"""A workspace on PostgreSQL: made, opened, and moved there from a file."""

import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

import psycopg
import pytest

from repoint import Repoint
from repoint.domain.document import Document
from repoint.domain.errors import (
    BadInputError,
    BadSpecError,
    MissingExtraError,
    NotPermittedError,
    RefusedError,
    RepointError,
    StoreUnavailableError,
)
from repoint.domain.ids import DocumentId, IndexName, Lsn
from repoint.domain.spec import ChunkingSpec, ModelSpec, ReleaseSpec
from repoint.operations import documents
from repoint.operations.promote import PromoteOptions
from repoint.stores.sql import SqliteStore, copying, migrating
from repoint.stores.sql.postgres import PostgresDatabase, PostgresStore
from repoint.testing.faults import PowerCut
from repoint.testing.postgres import PostgresServer
from repoint.wiring import migration
from repoint.wiring.clock import SystemClock
from repoint.wiring.config import StoreConfig, read_config, write_store
from repoint.wiring.stores import shown_url

INDEX: Final = IndexName("docs")
SPEC: Final = ReleaseSpec(
    model=ModelSpec(provider="hashing", dimensions=16), chunking=ChunkingSpec(size=40)
)
server = pytest.mark.server("postgres")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A workspace on a file, with everything that a day leaves behind."""
    folder = tmp_path / "home"
    with Repoint.init(folder) as repoint:
        docs = repoint.create_index("docs")
        for name in ("v1", "v2"):
            docs.create_release(name, SPEC)
        docs.upsert({"id": f"d{n}", "text": f"number {n}\0 {'x' * n}"} for n in range(30))
        docs.delete(["d3", "d4"])
        for name in ("v1", "v2"):
            docs.sync(name)
        options = PromoteOptions(without_evaluation="a test")
        docs.promote("v1", options=options)
        docs.promote("v2", options=options)
        docs.rollback(reason="worse")
        docs.upsert([{"id": "late", "text": "not in step yet", "metadata": {"n": 1.5}}])
    return folder


def contents(repoint: Repoint) -> list[object]:
    """Return what must be the same before and after."""
    with repoint.session.store.read() as view:
        head = view.log.head(INDEX)
        return [
            view.log.rows(INDEX, above=Lsn(0), upto=head),
            head,
            view.log.fields(INDEX),
            view.releases.all(INDEX),
            [view.releases.probes(INDEX, one.name) for one in view.releases.all(INDEX)],
            [view.catchup.watermark(INDEX, one.name) for one in view.releases.all(INDEX)],
            view.pointers.moves(INDEX),
            view.pointers.rollout(INDEX),
            view.access.holds(INDEX),
            [one.digest for one in view.audit.records() if one.action != "migrate-store"],
        ]


def before(home: Path) -> list[object]:
    with Repoint.open(home) as repoint:
        return contents(repoint)


# Made and opened


@server
def test_a_workspace_is_made_on_postgres_and_its_password_is_not_written_down(
    tmp_path: Path, postgres_url: str, postgres_server: PostgresServer
) -> None:
    with Repoint.init(tmp_path / "home", store_url=postgres_url) as repoint:
        repoint.create_index("docs")
        assert repoint.store().kind == "postgres"
        assert repoint.store().is_owner

    written = (tmp_path / "home" / "repoint.toml").read_text()
    assert postgres_server.password not in written
    assert not (tmp_path / "home" / "control.db").exists()
    with Repoint.init(tmp_path / "another", store_url=postgres_url) as repoint:
        assert repoint.indexes() == ["docs"]  # a second machine's workspace joins


@server
def test_the_environment_has_the_url_with_the_password(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Repoint.init(tmp_path / "home", store_url=postgres_url).close()
    with pytest.raises(StoreUnavailableError, match="REPOINT_STORE_URL"):
        Repoint.open(tmp_path / "home")

    monkeypatch.setenv("REPOINT_STORE_URL", postgres_url)
    with Repoint.open(tmp_path / "home") as repoint:
        assert repoint.indexes() == []


def test_a_store_on_postgres_without_a_url_is_said_so(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REPOINT_STORE_URL", raising=False)
    write_store(home / "repoint.toml", StoreConfig(kind="postgres"))
    with pytest.raises(BadSpecError, match="REPOINT_STORE_URL"):
        Repoint.open(home)


def test_the_environment_does_not_turn_a_file_into_another_store(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPOINT_STORE_URL", "postgresql://nowhere.invalid/x")
    with Repoint.open(home) as repoint:
        assert repoint.store().kind == "sqlite"


@pytest.mark.parametrize(
    "url",
    [
        "mysql://me:hidden@host/x",
        "me:hidden@host",
        "postgresql://me:hidden@host:port/x?a=%zz&",
        "postgresql://[me:hidden@host/x",
        "host=x password=hidden",
    ],
)
def test_a_url_that_is_none_is_refused_and_not_repeated(tmp_path: Path, url: str) -> None:
    with pytest.raises(RepointError) as caught:
        Repoint.init(tmp_path / "home", store_url=url)
    chain = [caught.value, caught.value.__cause__]
    assert not any("hidden" in repr(each) for each in chain)


def test_a_missing_library_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtraError, match=r"repoint\[postgres\]"):
        Repoint.init(tmp_path / "home", store_url="postgresql://host/x")


def test_a_workspace_on_a_file_loads_nothing_of_postgres(home: Path) -> None:
    source = (
        "import sys; from repoint import Repoint; Repoint.open(sys.argv[1]).close(); "
        "print([n for n in sys.modules if 'psycopg' in n or 'postgres' in n or 'alembic' in n])"
    )
    done = subprocess.run(
        [sys.executable, "-c", source, home], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


# Moved


def guards_that_sleep(url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT tgname FROM pg_trigger WHERE tgenabled <> 'O'"
        ).fetchall()


@server
def test_moving_the_store_keeps_everything(
    home: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    was = before(home)
    config = home / "repoint.toml"
    config.write_text(config.read_text().replace("lease_seconds = 10.0", "lease_seconds = 7.5"))

    moved = Repoint.migrate_store(home, to=postgres_url)

    assert moved.copied is not None
    assert moved.copied.rows["documents"] == 31
    monkeypatch.setenv("REPOINT_STORE_URL", postgres_url)
    with Repoint.open(home) as repoint:
        assert contents(repoint) == was
        assert repoint.verify_audit() == moved.copied.audit_records + 1
        assert repoint.store().kind == "postgres"
        docs = repoint.index("docs")
        docs.sync("v1")
        assert docs.diff("v1").clean
        assert docs.search("number 7", k=1).hits
    assert guards_that_sleep(postgres_url) == []
    assert read_config(config).lease_seconds == 7.5
    assert tomllib.loads(config.read_text())["store"]["kind"] == "postgres"


@server
def test_a_process_that_has_the_file_open_writes_nothing_more_to_it(
    home: Path, postgres_url: str
) -> None:
    late = SqliteStore.open(home / "control.db", clock=SystemClock())
    Repoint.migrate_store(home, to=postgres_url)

    with closing(late), pytest.raises(StoreUnavailableError, match="moved"), late.begin() as tx:
        tx.log.append(
            INDEX, [Document(id=DocumentId("lost"), text="?")], at=SystemClock().now()
        )
    with pytest.raises(RefusedError, match="store migrate"):
        SqliteStore.open(home / "control.db", clock=SystemClock())


@server
def test_a_store_that_processes_work_on_is_not_moved(home: Path, postgres_url: str) -> None:
    was = before(home)
    with Repoint.open(home, program="a server") as repoint:
        repoint.session.announce()
        with pytest.raises(RefusedError, match="a server"):
            Repoint.migrate_store(home, to=postgres_url)
    assert before(home) == was


@server
def test_a_target_with_content_is_left_alone(home: Path, postgres_url: str) -> None:
    was = before(home)
    with closing(PostgresStore.open(postgres_url, clock=SystemClock())) as store:
        with store.begin() as tx:
            tx.indexes.create(IndexName("theirs"), at=SystemClock().now())
        with pytest.raises(RefusedError, match="content"):
            Repoint.migrate_store(home, to=postgres_url)
        with store.read() as view:
            assert view.indexes.names() == ["theirs"]
    assert before(home) == was
    Repoint.migrate_store(home, to=postgres_url, schema_name="ours")


@server
def test_only_an_admin_moves_the_store(home: Path, postgres_url: str) -> None:
    with Repoint.open(home) as repoint:
        repoint.grant("bob", "approver")
    with pytest.raises(NotPermittedError, match="bob"):
        Repoint.migrate_store(home, to=postgres_url, actor="bob")
    with Repoint.open(home) as repoint, repoint.session.store.read() as view:
        assert view.audit.records()[-1].outcome == "denied"


def cut(*_: object, **__: object) -> None:
    raise PowerCut


def cut_after(call: Callable[..., object]) -> Callable[..., object]:  # type: ignore[explicit-any]
    def done(*args: object, **kwargs: object) -> object:
        call(*args, **kwargs)
        raise PowerCut

    return done


#: What is cut, and whether before or after it happened.
CUTS: Final = {
    "while rows are copied": (copying, "_equal_rows", False),
    "before the copy is on record": (migrating, "record_copy", False),
    "before the copy is committed": (migrating, "record_copy", True),
    "after the copy, before the file is left": (migrating, "leave", False),
    "before the file's commit": (migrating, "leave", True),
    "after the file was left": (PostgresDatabase, "put_in_use", False),
    "after the copy was put in use": (PostgresDatabase, "put_in_use", True),
    "before the config is written": (migration, "write_store", False),
    "after the config was written": (migration, "write_store", True),
}


@server
@pytest.mark.parametrize("when", CUTS)
def test_a_death_at_any_point_loses_nothing_and_the_same_command_finishes(
    home: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    was = before(home)
    place, name, after = CUTS[when]
    with monkeypatch.context() as patched:
        patched.setattr(place, name, cut_after(getattr(place, name)) if after else cut)
        with pytest.raises(PowerCut):
            Repoint.migrate_store(home, to=postgres_url)

    monkeypatch.setenv("REPOINT_STORE_URL", postgres_url)
    if read_config(home / "repoint.toml").store.kind == "sqlite":
        Repoint.migrate_store(home, to=postgres_url)
    with Repoint.open(home) as repoint:
        assert repoint.store().kind == "postgres"
        assert contents(repoint) == was
        repoint.verify_audit()
        documents.write(repoint.session, INDEX, [DocumentId("d1")])


@server
@pytest.mark.slow
def test_a_kill_at_any_time_loses_nothing(
    home: Path, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Repoint.open(home, keep_in_step=False) as repoint:
        texts = ({"id": f"more{n}", "text": "x" * 500} for n in range(6_000))
        repoint.index("docs").upsert(texts)
    was = before(home)
    url = postgres_server.url(postgres_server.database())
    monkeypatch.setenv("REPOINT_STORE_URL", url)
    command = [
        sys.executable,
        "-m",
        "repoint",
        "--home",
        str(home),
        "store",
        "migrate",
        "--to",
        url,
    ]
    kills = 0
    for tenths in (2, 8, 12, 16, 21, 30, 40, 600):
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with child:
            try:
                child.communicate(timeout=tenths / 10)
            except subprocess.TimeoutExpired:
                os.kill(child.pid, signal.SIGKILL)
                kills += 1
        if child.returncode == 0:
            break
        assert child.returncode == -signal.SIGKILL
        if read_config(home / "repoint.toml").store.kind == "postgres":
            break
    assert kills
    with Repoint.open(home) as repoint:
        assert contents(repoint) == was
        repoint.verify_audit()


def test_the_url_without_its_password_is_what_people_see() -> None:
    for url, shown in {
        "postgresql://me:pw@host:5432/db": "postgresql://me@host:5432/db",
        "postgres://host/db": "postgres://host/db",
        "postgresql://me:p%40w@/db?host=/run/pg": "postgresql://me@/db?host=/run/pg",
        "postgresql:///db?password=x&sslmode=require": "postgresql:///db?sslmode=require",
    }.items():
        assert shown_url(url) == shown
    with pytest.raises(BadInputError):
        shown_url("sqlite:///x")
