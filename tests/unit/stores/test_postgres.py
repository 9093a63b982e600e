"""What is PostgreSQL's own: connections that break, servers that die, clocks, upgrades."""

import os
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import chain

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from tests.unit.stores.others import FORKS, NotedClock, python, said

from repoint.domain.errors import (
    BadInputError,
    CorruptionError,
    RefusedError,
    StoreUnavailableError,
    UnsupportedError,
)
from repoint.domain.ids import IndexName, Lsn, ProcessId, SourceName
from repoint.ports.clock import Clock
from repoint.stores.sql import postgres, schema
from repoint.stores.sql.every_table import metadata
from repoint.stores.sql.postgres import PostgresStore
from repoint.testing.postgres import PostgresServer
from repoint.testing.store import at_once
from repoint.testing.store_feeding import SOURCE
from repoint.testing.store_references import KEEPER
from repoint.testing.store_samples import (
    ANNA,
    DOCS,
    NOW,
    ONE,
    TWO,
    V1,
    ZERO,
    document,
    promotion,
    with_documents,
    with_index,
)
from repoint.wiring.clock import SystemClock

pytestmark = pytest.mark.server("postgres")

PATIENCE_SECONDS = 120
BRIEFLY = timedelta(milliseconds=200)
LONG = timedelta(seconds=PATIENCE_SECONDS)


@contextmanager
def opened(
    url: str, *, busy_timeout: timedelta = LONG, clock: Clock | None = None
) -> Iterator[PostgresStore]:
    with closing(
        PostgresStore.open(url, clock=clock or SystemClock(), busy_timeout=busy_timeout)
    ) as store:
        yield store


@pytest.fixture
def store(postgres_url: str) -> Iterator[PostgresStore]:
    with opened(postgres_url) as store:
        yield store


def raw(url: str, statement: str, *values: object) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True, options="-c search_path=repoint") as connection:
        done = connection.execute(statement.encode(), values or None)
        return done.fetchall() if done.description else []


def end_all_sessions(url: str) -> None:
    """Let the server end every session of the database but the one that asks."""
    raw(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )


def head(store: PostgresStore) -> int:
    with store.read() as view:
        return view.log.head(DOCS)


# The schema


def test_the_database_has_the_tables_that_the_code_knows(postgres_url: str) -> None:
    engine = sa.create_engine(
        postgres_url.replace("postgresql:", "postgresql+psycopg:"),
        connect_args={"options": "-c search_path=repoint"},
    )

    def known(name: str | None, kind: str, _: object) -> bool:
        own = name == "store_state" or (name or "").startswith("documents_")
        return not (kind == "table" and own)

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": known})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_the_log_is_partitioned_and_each_index_is_in_one_part(
    store: PostgresStore, postgres_url: str
) -> None:
    names = [IndexName(f"index{n}") for n in range(12)]
    with store.begin() as tx:
        for name in names:
            tx.indexes.create(name, at=NOW)
            tx.log.append(name, [document("a"), document("b")], at=NOW)

    places = raw(postgres_url, "SELECT DISTINCT tableoid, index_name FROM documents")

    assert len(places) == len(names)
    assert len({place for place, _ in places}) > 1
    kind = raw(postgres_url, "SELECT relkind FROM pg_class WHERE relname = 'documents'")
    assert kind == [("p",)]


def test_processes_that_open_a_new_store_at_once_all_get_it(
    postgres_server: PostgresServer,
) -> None:
    source = """
import sys
from repoint.stores.sql.postgres import PostgresStore
from repoint.wiring.clock import SystemClock
sys.stdin.read()
store = PostgresStore.open(sys.argv[1], clock=SystemClock())
with store.begin() as tx:
    print(tx.audit.append(at=SystemClock().now(), actor="a", action="open").sequence)
store.close()
"""
    url = postgres_server.url(postgres_server.database())
    read, write = os.pipe()
    children = [python(source, url, stdin=read) for _ in range(4)]
    os.close(read)
    os.close(write)  # the end of their input: all go on together
    answers = said(*children)

    assert [err for _, err in answers] == [""] * 4
    assert sorted(int(out) for out, _ in answers) == [1, 2, 3, 4]


def use_all(store: PostgresStore) -> None:
    with_documents(store, 2)
    with store.begin() as tx:
        tx.pointers.move(promotion(tx.pointers.pointer(DOCS), V1))
        tx.audit.append(at=NOW, actor=ANNA, action="promote")


def test_older_code_goes_on_with_a_schema_to_which_a_newer_one_added(
    store: PostgresStore, postgres_url: str
) -> None:
    with_index(store)  # it runs already, with a pool of connections, when the newer one comes
    raw(postgres_url, "ALTER TABLE releases ADD COLUMN new text")
    raw(postgres_url, "ALTER TABLE documents ADD COLUMN new bigint NOT NULL DEFAULT 0")
    raw(postgres_url, "CREATE TABLE newer (name text PRIMARY KEY)")
    raw(postgres_url, "UPDATE store_state SET version = version + 1")

    with store.begin() as tx:
        tx.log.append(DOCS, [document("a")], at=NOW)
    with opened(postgres_url) as later, later.read() as view:
        assert view.releases.get(DOCS, V1).name == V1
        assert view.log.head(DOCS) == 1
    assert raw(postgres_url, "SELECT version FROM store_state") == [(schema.VERSION + 1,)]


def test_code_that_is_too_old_for_the_schema_is_refused(postgres_url: str) -> None:
    raw(postgres_url, "UPDATE store_state SET version = version + 1, oldest = version + 1")

    with pytest.raises(UnsupportedError, match="newer"), opened(postgres_url):
        pass


def test_a_source_that_keeps_its_content_shuts_out_code_that_knows_none(
    postgres_url: str,
) -> None:
    with opened(postgres_url) as store:
        with_index(store)
        with store.begin() as tx:
            tx.sources.add(SOURCE)
        assert raw(postgres_url, "SELECT oldest FROM store_state") == [(schema.OLDEST,)]
        with store.begin() as tx:
            tx.sources.add(replace(KEEPER, name=SourceName("keeper")))
    assert raw(postgres_url, "SELECT oldest FROM store_state") == [(10,)]


def test_the_schema_of_another_program_is_left_alone(postgres_server: PostgresServer) -> None:
    url = postgres_server.url(postgres_server.database())
    raw(url, "CREATE SCHEMA repoint")
    raw(url, "CREATE TABLE repoint.theirs (x int)")

    with pytest.raises(BadInputError, match="another program"), opened(url):
        pass
    assert raw(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'repoint'") == [
        ("theirs",)
    ]


def test_two_stores_in_two_schemas_of_a_database_share_nothing(postgres_url: str) -> None:
    clock = SystemClock()
    with (
        opened(postgres_url) as one,
        closing(PostgresStore.open(postgres_url, clock=clock, schema="second")) as two,
        closing(two.watch()) as feed,
    ):
        feed.changed(timeout=0)
        with one.begin() as outer, two.begin() as inner:  # neither waits for the other
            outer.indexes.create(DOCS, at=NOW)
            assert inner.indexes.names() == []
        with two.read() as view:
            assert view.indexes.names() == []
        assert not feed.changed(timeout=0)


@pytest.mark.parametrize("name", ["", "Repoint", "a b", 'a"b', "pg_mine", "x" * 49, "1a"])
def test_a_name_that_no_schema_should_have_is_refused(name: str) -> None:
    with pytest.raises(BadInputError, match="schema"):
        PostgresStore.open("postgresql://127.0.0.1/x", clock=SystemClock(), schema=name)


def test_a_database_that_cannot_hold_every_text_is_refused(
    postgres_server: PostgresServer,
) -> None:
    postgres_server.execute(
        "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'"
    )

    with pytest.raises(UnsupportedError, match="LATIN1"), opened(postgres_server.url("latin")):
        pass


# Texts


def test_every_text_comes_back_as_it_was(store: PostgresStore) -> None:
    texts = ["\0", "a\0b\x10c", "\x10n", "\x10d\x10", "plain", "ä👩\n\t\\x00"]
    with_index(store)
    with store.begin() as tx:
        tx.log.append(
            DOCS,
            [document(f"d{n}", text, field=text) for n, text in enumerate(texts)],
            at=NOW,
        )
        tx.audit.append(at=NOW, actor=ANNA, action="try", reason="\0\x10")
    with store.read() as view:
        rows = view.log.rows(DOCS, above=ZERO, upto=Lsn(99))
        assert [row.document for row in rows] == [
            document(f"d{n}", text, field=text) for n, text in enumerate(texts)
        ]
        assert view.audit.records()[0].reason == "\0\x10"


def test_ids_are_in_the_order_of_their_characters(store: PostgresStore) -> None:
    ids = sorted(["Z", "a", "B", "ä", "_", "a b", "a-b", "ab", "\x01", "\x10", "\x11", "👩"])
    with_index(store)
    with store.begin() as tx:
        tx.log.append(DOCS, [document(name) for name in reversed(ids)], at=NOW)
    with store.read() as view:
        assert [row.id for row in view.log.scan(DOCS, after=None, limit=99)] == ids
        assert set(view.log.get(DOCS, [document(name).id for name in ids])) == set(ids)


def test_an_id_that_no_index_page_holds_is_bad_input(store: PostgresStore) -> None:
    with_index(store)
    long = "".join(chr(33 + n * 7919 % 9000) for n in range(9_000))
    with pytest.raises(BadInputError), store.begin() as tx:
        tx.log.append(DOCS, [document(long)], at=NOW)
    assert head(store) == 0


# Writers


def test_lsns_are_in_the_order_of_commits_whoever_writes(postgres_url: str) -> None:
    """A reader that follows the head never finds a gap that is filled later."""
    writers, each = 4, 15
    with opened(postgres_url) as store:
        with_index(store)
    done = threading.Event()

    def write(number: int) -> list[int]:
        taken = []
        with opened(postgres_url) as store:  # as many processes: a pool of its own
            for n in range(each):
                with store.begin() as tx:
                    made = tx.log.append(DOCS, [document(f"{number}-{n}")], at=NOW)
                taken.append(int(made.head))
        return taken

    def follow() -> list[int]:
        seen: list[int] = []
        with opened(postgres_url) as store:
            while len(seen) < writers * each:
                last = done.is_set()
                with store.read() as view:
                    upto = view.log.head(DOCS)
                    above = Lsn(seen[-1] if seen else 0)
                    seen += [row.lsn for row in view.log.rows(DOCS, above=above, upto=upto)]
                if last:
                    break
        return seen

    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(follow)
        taken = at_once([partial(write, number) for number in range(writers)])
        done.set()
        seen = following.result(PATIENCE_SECONDS)

    assert all(own == sorted(own) for own in taken)
    assert sorted(chain.from_iterable(taken)) == list(range(1, writers * each + 1))
    assert seen == list(range(1, writers * each + 1))


def test_raw_writers_of_one_index_wait_for_each_other_without_our_lock(
    store: PostgresStore, postgres_url: str
) -> None:
    """The row of the index is locked as well: LSNs do not rest on the advisory lock alone."""
    with_index(store)
    with store.begin() as tx:
        tx.log.append(DOCS, [document("a")], at=NOW)
        with (
            psycopg.connect(postgres_url, options="-c search_path=repoint") as other,
            pytest.raises(psycopg.errors.LockNotAvailable),
        ):
            other.execute("SELECT head FROM indexes WHERE name = 'docs' FOR UPDATE NOWAIT")


def test_a_writer_that_waits_too_long_is_told_to_try_again(postgres_url: str) -> None:
    with (
        opened(postgres_url, busy_timeout=BRIEFLY) as store,
        opened(postgres_url, busy_timeout=BRIEFLY) as another,
    ):
        with_index(store)
        with store.begin():
            with pytest.raises(StoreUnavailableError, match="try again"), another.begin():
                pass
            with ThreadPoolExecutor(1) as pool:
                waited = pool.submit(lambda: enter(store)).result()
        assert isinstance(waited, StoreUnavailableError)
        with another.begin() as tx:
            assert tx.log.append(DOCS, [document("a")], at=NOW).head == 1


def enter(store: PostgresStore) -> StoreUnavailableError | None:
    try:
        with store.begin():
            return None
    except StoreUnavailableError as error:
        return error


def test_a_writer_that_was_stopped_does_not_hold_the_lock_for_ever(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_while() -> None:
        with monkeypatch.context() as patched:
            patched.setattr(postgres, "IDLE_TIMEOUT", BRIEFLY)
            stopped = stack.enter_context(store.begin())
        with suppress(StoreUnavailableError):  # the server may have ended it by now
            stopped.log.append(DOCS, [document("from the stopped one")], at=NOW)
        with another.begin() as other:  # waits until the server has ended the first
            other.log.append(DOCS, [document("a"), document("b")], at=NOW)
        stopped.log.append(DOCS, [document("again")], at=NOW)

    with opened(postgres_url) as store, opened(postgres_url) as another:
        with_index(store)
        with pytest.raises(StoreUnavailableError), ExitStack() as stack:
            write_while()
        assert head(another) == 2


def test_an_error_half_way_cannot_be_passed_over(store: PostgresStore) -> None:
    def pass_over_it() -> None:
        with store.begin() as tx:
            tx.audit.append(at=NOW, actor=ANNA, action="write")
            with suppress(BadInputError):
                tx.audit.append(at=NOW, actor=ANNA, action="write", reason="\udcff")

    with_index(store)
    with pytest.raises(StoreUnavailableError, match="nothing was written"):
        pass_over_it()
    with store.read() as view:
        assert view.audit.records() == []


def test_a_broken_guard_is_corruption(store: PostgresStore) -> None:
    with_documents(store, 2)
    with (
        pytest.raises(CorruptionError, match="watermark_never_passes_head"),
        store.database.writing() as connection,
    ):
        connection.exec_driver_sql("UPDATE watermarks SET watermark = 99")


# Connections that break


def test_sessions_that_ended_while_nobody_used_them_are_replaced(
    store: PostgresStore, postgres_url: str
) -> None:
    with_documents(store, 1)
    end_all_sessions(postgres_url)

    assert head(store) == 1
    end_all_sessions(postgres_url)
    with store.begin() as tx:
        assert tx.log.append(DOCS, [document("new")], at=NOW).head == 2


def test_a_connection_lost_within_a_move_leaves_nothing_of_it(
    store: PostgresStore, postgres_url: str
) -> None:
    def move() -> None:
        with store.begin() as tx:
            tx.pointers.move(promotion(tx.pointers.pointer(DOCS), V1))
            tx.audit.append(at=NOW, actor=ANNA, action="promote")
            end_all_sessions(postgres_url)

    with_index(store)
    with pytest.raises(StoreUnavailableError):
        move()
    with store.read() as view:
        assert view.pointers.pointer(DOCS).epoch == 0
        assert view.audit.records() == []
    with store.begin() as tx:
        tx.pointers.move(promotion(tx.pointers.pointer(DOCS), V1))


def test_a_lost_connection_cannot_be_passed_over(
    store: PostgresStore, postgres_url: str
) -> None:
    def pass_over_it() -> None:
        with store.begin() as tx:
            tx.audit.append(at=NOW, actor=ANNA, action="write")
            end_all_sessions(postgres_url)
            with suppress(StoreUnavailableError):
                tx.audit.append(at=NOW, actor=ANNA, action="go on")
            tx.audit.append(at=NOW, actor=ANNA, action="go on")

    with_index(store)
    with pytest.raises(StoreUnavailableError, match="nothing was written"):
        pass_over_it()
    with store.read() as view:
        assert view.audit.records() == []


class Wire:
    """A way to the server that is cut when a client says a word."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        #: Cut when the client sends this: ``passes_on`` or not.
        self.word = b"never"
        self.passes_on = True
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, url: str) -> str:
        """Return the URL, this way."""
        port = self._listener.getsockname()[1]
        return url.replace(f":{self._server.port}/", f":{port}/")

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server.port))
                self._ends += [client, server]
                for pump in (self._to_server, self._to_client):
                    threading.Thread(target=pump, args=(client, server), daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                cut = self.word in data
                if cut:
                    self.word = b"never"
                    client.shutdown(socket.SHUT_RDWR)  # no answer arrives any more
                if not cut or self.passes_on:
                    server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    def _to_client(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                with suppress(OSError):
                    client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for end in (self._listener, *self._ends):
            end.close()


@pytest.mark.parametrize("arrives", [True, False])
def test_a_commit_whose_answer_was_lost_is_looked_up(
    postgres_server: PostgresServer,
    store: PostgresStore,
    postgres_url: str,
    arrives: bool,  # noqa: FBT001 - pytest passes it by name
) -> None:
    with_index(store)
    wire = Wire(postgres_server)
    with opened(wire.url(postgres_url)) as distant, closing(wire):
        wire.word, wire.passes_on = b"COMMIT\0", arrives

        def move() -> None:
            with distant.begin() as tx:
                tx.pointers.move(promotion(tx.pointers.pointer(DOCS), V1))

        if arrives:
            move()  # it took place, and the caller is told so
        else:
            with pytest.raises(StoreUnavailableError, match="nothing was written"):
                move()
    with store.read() as view:
        assert view.pointers.pointer(DOCS).epoch == (1 if arrives else 0)


def test_a_server_that_is_away_is_named_with_what_to_do() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"postgresql://me:secret%21word@127.0.0.1:{unused.getsockname()[1]}/x"
        with pytest.raises(StoreUnavailableError, match="within reach") as caught, opened(url):
            pass
    assert "secret" not in str(caught.value)
    assert "me@127.0.0.1" in str(caught.value)


def test_a_wrong_password_is_said_and_not_repeated(postgres_server: PostgresServer) -> None:
    url = postgres_server.url().replace(postgres_server.password, "not-the-one")

    with pytest.raises(StoreUnavailableError, match="password") as caught, opened(url):
        pass
    assert "not-the-one" not in str(caught.value)
    assert "not-the-one" not in repr(caught.value.__cause__)


def test_a_user_without_rights_is_told_which_page_has_them(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    postgres_server.execute("DROP ROLE IF EXISTS stranger")
    postgres_server.execute(f"CREATE ROLE stranger LOGIN PASSWORD '{postgres_server.password}'")
    url = postgres_url.replace("//owner:", "//stranger:")

    with pytest.raises(StoreUnavailableError, match="rights"), opened(url):
        pass


GRANTS = (
    "GRANT USAGE ON SCHEMA repoint TO application",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA repoint TO application",
)


def test_a_role_with_the_documented_rights_can_do_everything_but_own(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    postgres_server.execute(
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'application') THEN "
        f"CREATE ROLE application LOGIN PASSWORD '{postgres_server.password}'; END IF; END $$"
    )
    for grant in GRANTS:
        raw(postgres_url, grant)

    with opened(postgres_url.replace("//owner:", "//application:")) as store:
        use_all(store)
        assert not store.database.is_owner()
        with closing(store.watch()) as feed:
            assert feed.changed(timeout=0)
        with pytest.raises(StoreUnavailableError), store.database.writing() as connection:
            connection.exec_driver_sql("DROP TABLE audit")


# The feed of changes


def test_a_notification_lost_while_disconnected_is_not_missed(
    store: PostgresStore, postgres_url: str
) -> None:
    with_index(store)
    with closing(store.watch()) as feed:
        feed.changed(timeout=0)
        end_all_sessions(postgres_url)  # the listener's, too
        with store.begin() as tx:
            tx.log.append(DOCS, [document("while it was away")], at=NOW)

        with pytest.raises(StoreUnavailableError):
            feed.changed(timeout=PATIENCE_SECONDS)
        assert feed.changed(timeout=PATIENCE_SECONDS)
        assert not feed.changed(timeout=0)
        with store.begin() as tx:
            tx.log.append(DOCS, [document("afterwards")], at=NOW)
        assert feed.changed(timeout=PATIENCE_SECONDS)


def test_a_commit_that_told_nobody_is_found_by_the_poll(
    store: PostgresStore, postgres_url: str
) -> None:
    with_index(store)
    with closing(store.watch()) as feed:
        feed.changed(timeout=0)
        raw(postgres_url, "UPDATE store_state SET commits = commits + 1")  # and no NOTIFY

        assert feed.changed(timeout=PATIENCE_SECONDS)


def test_a_feed_waits_for_a_server_that_is_away(postgres_server: PostgresServer) -> None:
    url = postgres_server.url(postgres_server.database())
    with opened(url) as store, closing(store.watch()) as feed:
        feed.changed(timeout=0)
        postgres_server.stop()
        try:
            for _ in range(2):
                with pytest.raises(StoreUnavailableError):
                    feed.changed(timeout=PATIENCE_SECONDS)
        finally:
            postgres_server.start()
        assert feed.changed(timeout=PATIENCE_SECONDS)


def test_closing_a_feed_frees_its_watcher(postgres_url: str) -> None:
    clock = NotedClock()
    with ThreadPoolExecutor(1) as pool, opened(postgres_url, clock=clock) as store:
        feed = store.watch()
        feed.changed(timeout=0)
        clock.asked.clear()
        watching = pool.submit(feed.changed, timeout=2 * PATIENCE_SECONDS)
        assert clock.asked.wait(PATIENCE_SECONDS)
        feed.close()
        assert watching.result(PATIENCE_SECONDS) is False
        with pytest.raises(RuntimeError):
            feed.changed(timeout=0)


# Servers and processes that die


APPENDS = """
import sys
from itertools import count
from repoint.stores.sql.postgres import PostgresStore
from repoint.testing.store_samples import DOCS, NOW, document
from repoint.wiring.clock import SystemClock
store = PostgresStore.open(sys.argv[1], clock=SystemClock())
for n in count():
    with store.begin() as tx:
        done = tx.log.append(DOCS, [document(f"{sys.argv[2]}-{n}")], at=NOW)
    print(done.head, flush=True)
"""


def test_what_was_acknowledged_survives_the_death_of_the_writer(postgres_url: str) -> None:
    with opened(postgres_url) as store:
        with_index(store)
        acknowledged: list[int] = []
        for round_ in range(3):
            with python(APPENDS, postgres_url, round_) as child:
                assert child.stdout is not None
                acknowledged += [int(child.stdout.readline()) for _ in range(20)]
                child.kill()
                acknowledged += [int(line) for line in child.stdout if line.endswith("\n")]
        with store.begin() as tx:  # waits until the server gave up the dead one's lock
            rows = tx.log.rows(DOCS, above=ZERO, upto=Lsn(10**9))
            at_head = tx.log.head(DOCS)

    assert [row.lsn for row in rows] == list(range(1, at_head + 1))
    assert set(acknowledged) <= {int(row.lsn) for row in rows}


def test_a_forked_child_uses_connections_of_its_own(postgres_url: str) -> None:
    assert said(
        python(FORKS, "repoint.stores.sql.postgres", "PostgresStore", postgres_url)
    ) == [("3\n", "")]


# Clocks


class WrongClock(SystemClock):
    """A clock of a machine that is off by so much."""

    def __init__(self, by: timedelta) -> None:
        self._by = by

    def now(self) -> datetime:
        return super().now() + self._by


@pytest.mark.parametrize("off", [timedelta(hours=-7), timedelta(seconds=90), timedelta()])
def test_a_machine_whose_clock_is_off_tells_the_servers_time(
    postgres_url: str, off: timedelta
) -> None:
    with opened(postgres_url, clock=WrongClock(off)) as store:
        ((asked,),) = raw(postgres_url, "SELECT clock_timestamp()")
        told = store.clock.now()
        ((answered,),) = raw(postgres_url, "SELECT clock_timestamp()")
        assert isinstance(asked, datetime)
        assert isinstance(answered, datetime)
        bound = store.clock.bound

    # However long the look took that it rests on: no moment it tells is further off.
    assert asked - bound <= told <= answered + bound


def test_a_lease_holds_between_machines_whose_clocks_differ_by_hours(postgres_url: str) -> None:
    lease_for = timedelta(minutes=1)
    with (
        opened(postgres_url, clock=WrongClock(timedelta(hours=-3))) as early,
        opened(postgres_url, clock=WrongClock(timedelta(hours=3))) as late,
    ):
        with_documents(early, 2)

        def take(store: PostgresStore, owner: ProcessId) -> bool:
            now = store.clock.now()
            with store.begin() as tx:
                tx.catchup.open_window(DOCS, V1, bounds=[Lsn(2)], high=Lsn(2))
                lease = tx.catchup.lease(DOCS, V1, owner=owner, now=now, until=now + lease_for)
            return lease is not None

        assert take(early, ONE)
        assert not take(late, TWO)  # its own clock says that the lease ran out hours ago
        assert not take(early, ONE)


def test_a_copy_that_was_never_put_in_use_is_refused(postgres_url: str) -> None:
    raw(postgres_url, "UPDATE store_state SET standing = 'copied'")

    with pytest.raises(RefusedError, match="never put in use"), opened(postgres_url):
        pass
