"""What is special about PostgreSQL: the graph with filters, views, and what others do there."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import psycopg
import pytest
from psycopg import sql

from repoint.backends.pgvector.backend import PgvectorBackend
from repoint.backends.pgvector.connections import Connections
from repoint.backends.pgvector.text import escaped, plain
from repoint.domain.errors import (
    AlreadyExistsError,
    BackendUnavailableError,
    CollectionMissingError,
    FingerprintMismatchError,
    MissingSettingError,
    UnsupportedError,
)
from repoint.domain.filters import Compare, Comparison
from repoint.domain.ids import CollectionName, DocumentId
from repoint.domain.spec import AnnKind, AnnSpec, Distance
from repoint.ports.backend import Collection, FloatMatrix, SpaceVector
from repoint.testing.collections import (
    NAME,
    OTHER_SPACE,
    SPACE,
    Version,
    contents,
    places,
    put,
    query,
    spec,
)
from repoint.testing.postgres import PostgresServer

pytestmark = pytest.mark.backend("pgvector")

SCHEMA = 'it\'s "here"'
SECOND = CollectionName("docs_v2_bbbbbbbbbbbb")
GRAPH = AnnSpec(kind=AnnKind.HNSW, build={"m": 16, "ef_construction": 64}, search={"ef": 80})


class Database:
    """A database of a test's own, with a backend on it and a client that is not ours."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.backend = PgvectorBackend(Connections(url), schema=SCHEMA)

    @contextmanager
    def client(self) -> Iterator[psycopg.Connection]:
        """Connect as an application that knows nothing of repoint."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            yield connection

    def do(self, statement: str) -> None:
        """Run a statement with ``{schema}`` in it."""
        with self.client() as connection:
            connection.execute(sql.SQL(statement).format(schema=sql.Identifier(SCHEMA)))

    def graph_scans(self) -> int:
        """Return how many searches the graphs answered on connections that have ended.

        The server hears of a connection's end later than the client: it is waited for,
        because its scans are counted by then and not before.
        """
        with self.client() as connection:
            for _ in range(6_000):
                others = connection.execute(
                    "SELECT count(*), pg_sleep(0.01) FROM pg_stat_activity WHERE "
                    "datname = current_database() AND pid <> pg_backend_pid() "
                    "AND backend_type = 'client backend'"
                ).fetchone()
                if others is not None and others[0] == 0:
                    break
            else:
                pytest.fail("other connections do not end")
            found = connection.execute(
                "SELECT coalesce(sum(s.idx_scan), 0) FROM pg_stat_user_indexes s "
                "JOIN pg_class c ON c.oid = s.indexrelid JOIN pg_am m ON m.oid = c.relam "
                "WHERE m.amname = 'hnsw'"
            ).fetchone()
        return int(found[0]) if found else 0


@pytest.fixture
def database(postgres_server: PostgresServer) -> Iterator[Database]:
    name = postgres_server.database()
    opened = Database(postgres_server.url(name))
    yield opened
    opened.backend.close()
    postgres_server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def large(database: Database) -> Iterator[Database]:
    """A database that searches its small tables as it would search large ones."""
    opened = Database(f"{database.url}?options=-c%20enable_seqscan%3Doff")
    yield opened
    opened.backend.close()


def test_a_row_that_another_writer_puts_there_meanwhile_is_compared_with(
    database: Database,
) -> None:
    collection = database.backend.create(spec(dimensions=2))
    old = [Version(document=one, lsn=5, vectors=[[1.0, 0.0]]) for one in ("a", "b")]
    writing = threading.Thread(target=lambda: put(collection, *old), daemon=True)
    with database.client() as other, database.client() as watching:
        with other.transaction():
            other.execute(
                sql.SQL(
                    "INSERT INTO {} (document, slot, lsn, digest, embedding, text, metadata) "
                    "VALUES ('a', 0, 9, 'x', '[0,1]', 'newer', '{{}}')"
                ).format(sql.Identifier(SCHEMA, NAME))
            )
            writing.start()
            # It saw nothing there, and now waits to learn whether that row will stand.
            for _ in range(6_000):
                held = watching.execute(
                    "SELECT count(*), pg_sleep(0.01) FROM pg_stat_activity WHERE "
                    "datname = current_database() AND wait_event_type = 'Lock'"
                ).fetchone()
                if held is not None and held[0]:
                    break
        writing.join(60)
    assert contents(collection) == {("a", 0): 9, ("b", 0): 5}


def _many(collection: Collection, count: int, *, dimensions: int = 8) -> FloatMatrix:
    random = np.random.default_rng(7)
    rows = random.normal(size=(count, dimensions)).astype(np.float32)
    for start in range(0, count, 500):
        put(
            collection,
            *(
                Version(
                    document=f"d{n:05}",
                    lsn=n + 1,
                    vectors=[rows[n].tolist()],
                    metadata={"kind": "rare" if n % 400 == 0 else "common", "n": n},
                )
                for n in range(start, min(start + 500, count))
            ),
        )
    return rows


@pytest.mark.parametrize("distance", Distance)
def test_the_graph_finds_nearly_what_comparing_all_finds(
    large: Database, distance: Distance
) -> None:
    given = replace(spec(dimensions=8, distance=distance), ann=GRAPH)
    collection = large.backend.create(given)
    rows = _many(collection, 2000)
    assert collection.counts().unindexed is None
    collection.optimise()
    assert collection.counts().unindexed == 0
    found = wanted = 0
    for row in rows[:20]:
        asked = SpaceVector(SPACE, row + 0.1)
        exact = places(collection.search(asked, limit=10, exact=True))
        found += len({*places(collection.search(asked, limit=10))} & {*exact})
        wanted += len(exact)
    assert found / wanted >= 0.9
    large.backend.close()  # a connection counts its scans when it ends
    assert large.graph_scans() >= 20


def test_a_filter_on_the_graph_returns_all_that_match(large: Database) -> None:
    collection = large.backend.create(replace(spec(dimensions=8), ann=GRAPH))
    rows = _many(collection, 2000)
    collection.optimise()
    rare = Compare("kind", Comparison.EQUAL, "rare")
    hits = collection.search(SpaceVector(SPACE, rows[1]), limit=50, where=rare)
    assert {hit.document for hit in hits} == {f"d{n:05}" for n in range(0, 2000, 400)}
    few = Compare("n", Comparison.AT_LEAST, 1990)
    hits = collection.search(SpaceVector(SPACE, rows[1]), limit=10, where=few)
    assert len(hits) == 10
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_a_vector_without_a_direction_has_the_similarity_zero(large: Database) -> None:
    collection = large.backend.create(replace(spec(), ann=GRAPH))
    put(collection, Version(document="still", lsn=1, vectors=[[0, 0, 0]]))
    put(collection, Version(document="against", lsn=2, vectors=[[-1, 0, 0]]))
    collection.optimise()
    hits = collection.search(query(1, 0, 0), limit=5)
    assert [(hit.document, hit.score) for hit in hits] == [("still", 0.0), ("against", -1.0)]


def test_an_alias_is_a_view_that_goes_on_to_vectors_of_another_length(
    database: Database,
) -> None:
    first = database.backend.create(spec())
    second = database.backend.create(spec(name=SECOND, fingerprint=OTHER_SPACE, dimensions=5))
    put(first, Version(document="first", lsn=1, vectors=[[1, 0, 0]]))
    put(second, Version(document="second", lsn=1, vectors=[[1, 1, 1, 1, 1]]))
    database.backend.set_alias("docs", NAME)
    read = sql.SQL("SELECT document, vector_dims(embedding) FROM {}").format(
        sql.Identifier(SCHEMA, "docs")
    )
    with database.client() as connection:
        seen = set()
        for turn in range(20):
            database.backend.set_alias("docs", NAME if turn % 2 else SECOND)
            seen.update(connection.execute(read, prepare=True).fetchall())
        assert seen == {("first", 3), ("second", 5)}


def test_the_graph_answers_through_the_view(large: Database) -> None:
    collection = large.backend.create(replace(spec(dimensions=8), ann=GRAPH))
    _many(collection, 1000)
    collection.optimise()
    large.backend.set_alias("docs", NAME)
    with large.client() as connection:
        plan = connection.execute(
            sql.SQL("EXPLAIN SELECT document FROM {} ORDER BY embedding <=> {} LIMIT 5").format(
                sql.Identifier(SCHEMA, "docs"), sql.Literal(str([1] * 8))
            )
        ).fetchall()
    assert "Index Scan" in str(plan)
    assert "Seq Scan" not in str(plan)


def test_something_else_of_the_aliases_name_is_left_alone(database: Database) -> None:
    database.backend.create(spec())
    database.do("CREATE TABLE {schema}.docs (mine text)")
    with pytest.raises(AlreadyExistsError, match="alias_prefix"):
        database.backend.set_alias("docs", NAME)
    database.do("CREATE VIEW {schema}.mine AS SELECT 1 AS one")
    with pytest.raises(AlreadyExistsError, match="alias_prefix"):
        database.backend.set_alias("mine", NAME)
    assert database.backend.alias_target("docs") is None


def test_an_alias_waits_for_a_long_transaction_and_then_says_so(database: Database) -> None:
    database.backend.create(spec())
    database.backend.set_alias("docs", NAME)
    with database.client() as connection, connection.transaction():
        connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(SCHEMA, "docs")))
        with pytest.raises(BackendUnavailableError, match="repoint reconcile"):
            database.backend.set_alias("docs", NAME)
    database.backend.set_alias("docs", NAME)


def test_what_an_alias_reads_is_not_dropped(database: Database) -> None:
    put(database.backend.create(spec()), Version(document="d", lsn=1, vectors=[[1, 0, 0]]))
    database.backend.set_alias("docs", NAME)
    with pytest.raises(UnsupportedError, match="view"):
        database.backend.drop(NAME)
    assert contents(database.backend.open(NAME, fingerprint=SPACE)) == {("d", 0): 1}


def test_a_table_in_the_place_of_another_is_refused_on_an_open_handle(
    database: Database,
) -> None:
    collection = database.backend.create(spec())
    put(collection, Version(document="d", lsn=1, vectors=[[1, 0, 0]]))
    with database.client() as connection:
        table = sql.Identifier(SCHEMA, NAME)
        connection.execute(sql.SQL("ALTER TABLE {} RENAME TO aside").format(table))
        connection.execute(
            sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(
                table, sql.Identifier(SCHEMA, "aside")
            )
        )
    for call in (
        lambda: put(collection, Version(document="e", lsn=2, vectors=[[1, 0, 0]])),
        lambda: collection.stored([DocumentId("d")]),
        collection.scan,
        collection.counts,
        collection.optimise,
    ):
        with pytest.raises(FingerprintMismatchError):
            call()
    database.do("DROP TABLE {schema}.docs_v1_aaaaaaaaaaaa")
    with pytest.raises(CollectionMissingError):
        collection.counts()


def test_a_row_without_a_vector_is_scanned_and_not_found(database: Database) -> None:
    collection = database.backend.create(spec())
    put(collection, Version(document="d", lsn=1, vectors=[[1, 0, 0]]))
    database.do("UPDATE {schema}.docs_v1_aaaaaaaaaaaa SET embedding = NULL, text = 'other'")
    (batch,) = collection.scan(with_vectors=True)
    assert batch.vectors is not None
    assert np.isnan(batch.vectors).all()
    assert list(batch.digests) != list(collection.stored([DocumentId("d")]).digests)
    assert collection.search(query(1, 0, 0), limit=5) == []


def test_a_name_longer_than_the_server_keeps_stays_unique(database: Database) -> None:
    stem = "a" * 100
    names = [CollectionName(f"{stem}_{tail * 12}") for tail in "ab"]
    for lsn, name in enumerate(names):
        collection = database.backend.create(spec(name=name))
        put(collection, Version(document="d", lsn=lsn, vectors=[[1, 0, 0]]))
    assert database.backend.collections() == names
    assert [contents(database.backend.open(name, fingerprint=SPACE)) for name in names] == [
        {("d", 0): 0},
        {("d", 0): 1},
    ]
    database.backend.set_alias("docs", names[1])
    assert database.backend.alias_target("docs") == names[1]


def test_a_scan_that_nobody_finishes_holds_no_connection(database: Database) -> None:
    collection = database.backend.create(spec())
    put(
        collection,
        *(Version(document=f"d{n}", lsn=1, vectors=[[1, 0, 0]]) for n in range(3000)),
    )
    scan = collection.scan()
    next(scan)
    del scan
    collection.optimise()  # waits for every older transaction


def test_a_server_that_closed_the_connections_is_connected_to_again(
    database: Database, postgres_server: PostgresServer
) -> None:
    collection = database.backend.create(spec())
    put(collection, Version(document="d", lsn=1, vectors=[[1, 0, 0]]))
    postgres_server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'repoint'"
    )
    assert contents(database.backend.open(NAME, fingerprint=SPACE)) == {("d", 0): 1}


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:s3cret@127.0.0.1:1/none",
        "host=127.0.0.1 port=1 user=me password=s3cret",
    ],
)
def test_a_server_that_does_not_answer_is_named_without_its_password(url: str) -> None:
    backend = PgvectorBackend(Connections.to(url, backend="main"))
    with pytest.raises(BackendUnavailableError, match=r"127\.0\.0\.1") as caught:
        backend.create(spec())
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "s3cret", "postgresql://me:s3cret@[half"])
def test_what_is_no_url_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(MissingSettingError) as caught:
        Connections.to(url, backend="main")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("ann", "dimensions", "what"),
    [
        (AnnSpec(kind=AnnKind.IVF_FLAT), 3, "ivf_flat"),
        (AnnSpec(kind=AnnKind.HNSW), 2001, "2001 dimensions"),
        (AnnSpec(kind=AnnKind.AUTO, search={"nprobes": 3}), 3, "nprobes"),
        (AnnSpec(kind=AnnKind.FLAT, build={"m": 3}), 3, "ann.build.m"),
        (AnnSpec(kind=AnnKind.AUTO), 16_001, "16001 dimensions"),
    ],
)
def test_what_the_engine_does_not_have_is_refused(
    database: Database, ann: AnnSpec, dimensions: int, what: str
) -> None:
    with pytest.raises(UnsupportedError, match=what):
        database.backend.create(replace(spec(dimensions=dimensions), ann=ann))
    assert database.backend.collections() == []


@pytest.mark.parametrize("half", ["\ud800", "\udfff x"])
def test_half_a_surrogate_pair_is_refused_and_nothing_is_written(
    database: Database, half: str
) -> None:
    collection = database.backend.create(spec())
    with pytest.raises(UnsupportedError, match="surrogate"):
        put(collection, Version(document="d", lsn=1, vectors=[[1, 0, 0]], texts=[half]))
    assert contents(collection) == {}


def test_escaped_text_has_no_nul_and_keeps_its_order() -> None:
    texts: Sequence[str] = sorted(
        ["", "\x00", "\x00\x00", "\x01", "\x01\x01", "\x02", "a\x00b"]
    )
    assert [plain(escaped(text)) for text in texts] == list(texts)
    assert sorted(escaped(text) for text in texts) == [escaped(text) for text in texts]
    assert not any("\x00" in escaped(text) for text in texts)
