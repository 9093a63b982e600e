"""Chroma: a server that is started here, or the one that ``REPOINT_CHROMA_URL`` names."""

import contextlib
import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path

import httpx2
import numpy as np
import pytest
from tests.servers.chroma_team import chroma_started, chroma_url, database_of
from tests.servers.losing_the_server import loses_nothing

from repoint import Repoint
from repoint.backends.chroma import ChromaDriver, records
from repoint.backends.chroma.backend import ChromaBackend
from repoint.backends.chroma.collection import ChromaCollection
from repoint.backends.chroma.server import Address, Server
from repoint.domain.errors import (
    BackendUnavailableError,
    CollectionMissingError,
    FingerprintMismatchError,
)
from repoint.domain.ids import DocumentId
from repoint.domain.spec import AnnKind, AnnSpec, ModelSpec
from repoint.ports.backend import Backend
from repoint.ports.settings import BackendSettings
from repoint.testing.backend import BackendSuite
from repoint.testing.collection import CollectionSuite
from repoint.testing.collections import (
    NAME,
    OTHER_SPACE,
    SPACE,
    Place,
    Version,
    contents,
    places,
    put,
    query,
    spec,
)
from repoint.testing.story import StorySuite
from repoint.wiring.clock import SystemClock
from repoint.wiring.config import CONFIG_FILE, BackendConfig
from repoint.wiring.drivers import InstalledDrivers

pytestmark = [pytest.mark.backend("chroma"), pytest.mark.engine, pytest.mark.slow]

MODEL = ModelSpec(provider="hashing", dimensions=32)
X, Y, Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    with chroma_url() as url:
        yield url


@pytest.fixture
def database(server_url: str, tmp_path: Path) -> str:
    """A database of the test's own."""
    return database_of(server_url, tmp_path)


@pytest.fixture
def server(server_url: str, database: str) -> Iterator[Server]:
    """The database without the backend, as somebody else would use it."""
    opened = Server(Address(url=server_url, database=database))
    yield opened
    opened.close()


@pytest.fixture
def chroma(server_url: str, database: str, tmp_path: Path) -> Iterator[Place]:
    opened: list[Backend] = []

    def open_one() -> Backend:
        opened.append(_opened(server_url, tmp_path, database=database))
        return opened[-1]

    yield Place(opened=open_one)
    for name in open_one().collections():
        opened[0].drop(name)
    for backend in opened:
        backend.close()


def _opened(url: str, folder: Path, **options: str) -> Backend:
    return ChromaDriver.from_settings(
        BackendSettings(name="c", folder=folder, url=url, options=options)
    )


class TestChromaBackend(BackendSuite):
    @pytest.fixture
    def place(self, chroma: Place) -> Place:
        return chroma


class TestChromaCollection(CollectionSuite):
    @pytest.fixture
    def place(self, chroma: Place) -> Place:
        return chroma


class TestChromaStory(StorySuite):
    @pytest.fixture
    def table(self, server_url: str, database: str) -> str:
        options = f'[backends.main.options]\ndatabase = "{database}"'
        return f'kind = "chroma"\nurl = "{server_url}"\n{options}'


def test_a_write_that_is_cut_anywhere_is_whole_when_it_is_written_again(
    server_url: str, database: str
) -> None:
    address = Address(url=server_url, database=database)
    life = (
        Version(document="d", lsn=1, vectors=[X, Y, Z], slots=3, metadata={"a": 1}),
        Version(document="d", lsn=2, vectors=[Y], slots=3, metadata={"b": 1}),
        Version(document="d", lsn=3, slots=3),
        Version(document="d", lsn=4, vectors=[Z, X], slots=3),
    )
    sound = ChromaBackend(Server(address))
    cuts = 0
    for after in (False, True):
        for before, version in itertools.pairwise(life):
            for number in itertools.count():
                sound.drop(NAME)
                put(sound.create(spec()), before)
                cutting = Cutting(after=after)
                hurt = ChromaBackend(Server(address, transport=cutting))
                collection = hurt.open(NAME, fingerprint=SPACE)
                cutting.left = number
                with contextlib.suppress(BackendUnavailableError):
                    put(collection, version)
                hurt.close()
                if cutting.left:
                    break
                cuts += 1
                whole = sound.open(NAME, fingerprint=SPACE)
                put(whole, version)
                put(whole, before)  # late, and so lost
                filled = {("d", n): version.lsn for n in range(len(version.vectors))}
                assert contents(whole) == filled
                assert whole.counts().emptied == 3 - len(filled)
                for hit in whole.search(query(1, 1, 1), limit=9):
                    assert dict(hit.metadata) == version.metadata
    sound.drop(NAME)
    sound.close()
    assert cuts > 20


class Cutting(httpx2.HTTPTransport):
    """A connection that ends for good when so many questions are left, before or after one."""

    def __init__(self, *, after: bool) -> None:
        super().__init__()
        self._after = after
        #: None cuts nothing.
        self.left: int | None = None

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if self.left is None:
            return super().handle_request(request)
        if self.left > 0:
            self.left -= 1
            return super().handle_request(request)
        if self._after:
            with contextlib.closing(super().handle_request(request)) as answer:
                answer.read()
        self._after = False
        raise httpx2.ReadError("cut")


def test_a_collection_that_somebody_put_in_its_place_is_noticed(
    chroma: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("repoint.backends.chroma.collection.OWNED", -1.0)
    backend = chroma.opened()
    collection = backend.create(spec())
    one = Version(document="d", lsn=1, vectors=[X])
    put(collection, one)
    backend.drop(NAME)
    with pytest.raises(CollectionMissingError):
        collection.search(query(*X), limit=1)
    chroma.opened().create(spec(fingerprint=OTHER_SPACE))
    for asked in (
        lambda: collection.search(query(*X), limit=1),
        lambda: put(collection, one),
        collection.counts,
        collection.scan,
        collection.optimise,
        lambda: collection.stored([DocumentId("d")]),
        lambda: collection.purge([DocumentId("d")]),
    ):
        with pytest.raises(FingerprintMismatchError):
            asked()


def test_a_handle_follows_a_release_that_was_made_anew(chroma: Place) -> None:
    backend = chroma.opened()
    collection = backend.create(spec())
    put(collection, Version(document="d", lsn=1, vectors=[X]))
    backend.drop(NAME)
    put(chroma.opened().create(spec()), Version(document="e", lsn=2, vectors=[Y]))
    assert places(collection.search(query(*Y), limit=5)) == [("e", 0)]
    put(collection, Version(document="f", lsn=3, vectors=[Z]))
    assert contents(collection) == {("e", 0): 2, ("f", 0): 3}


def test_guards_that_somebody_deleted_are_missed(chroma: Place, server: Server) -> None:
    backend = chroma.opened()
    put(
        backend.create(spec()),
        Version(document="d", lsn=1, vectors=[X]),
        Version(document="e", lsn=2, slots=2),
    )
    (guards,) = [one.name for one in server.collections() if records.guards_of(one)]
    server.delete(guards)
    for call in (backend.create, lambda one: backend.open(NAME, fingerprint=one.fingerprint)):
        with pytest.raises(CollectionMissingError, match=guards):
            call(spec())


def test_nothing_is_left_of_a_collection_that_was_dropped(
    chroma: Place, server: Server
) -> None:
    backend = chroma.opened()
    put(backend.create(spec()), Version(document="e", lsn=2, slots=2))
    server.delete(NAME)  # as where a process ended after the first half
    assert backend.create(spec()).counts().emptied == 0
    backend.drop(NAME)
    assert server.collections() == []


def test_records_that_somebody_else_wrote_are_no_hits(chroma: Place, server: Server) -> None:
    collection = chroma.opened().create(spec())
    put(collection, Version(document="d", lsn=1, vectors=[X]))
    described = server.described(NAME)
    assert described is not None
    for id_, metadata in (("bare", {"colour": "red"}), ("other", {"document": "d"})):
        server.upsert(
            described.id, ids=[id_], vectors=np.ones((1, 3), np.float32), metadatas=[metadata]
        )
    for exact in (False, True):
        assert places(collection.search(query(*X), limit=5, exact=exact)) == [("d", 0)]
    assert contents(collection) == {("d", 0): 1}
    assert collection.counts().chunks == 3  # so that a check sees that there is more


def test_an_exact_search_misses_nothing_and_the_graph_misses_little(chroma: Place) -> None:
    asked = AnnSpec(kind=AnnKind.HNSW, build={"m": 8}, search={"ef": 200})
    collection = chroma.opened().create(dataclasses.replace(spec(dimensions=16), ann=asked))
    random = np.random.default_rng(5)
    rows = random.normal(size=(2000, 16)).astype(np.float32)
    put(
        collection,
        *(Version(document=f"d{n}", lsn=1, vectors=[row]) for n, row in enumerate(rows)),
    )
    shared = 0
    for wanted in random.normal(size=(20, 16)).astype(np.float32):
        near = rows @ wanted / np.linalg.norm(rows, axis=1)
        best = [f"d{n}" for n in np.argsort(-near)[:10]]
        exact, graph = (
            [hit.document for hit in collection.search(query(*wanted), limit=10, exact=exact)]
            for exact in (True, False)
        )
        assert exact == best
        shared += len(set(graph) & set(best))
    assert shared >= 0.95 * 200


def test_a_server_killed_in_the_middle_of_a_sync_loses_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    Repoint.init(home).close()
    with chroma_started() as server:
        with (home / CONFIG_FILE).open("a", encoding="utf-8") as config:
            config.write(f'\n[backends.main]\nkind = "chroma"\nurl = "{server.url}"\n')
        with Repoint.open(home, keep_in_step=False) as opened:
            loses_nothing(opened, server, ChromaCollection, documents=1_500)


def test_a_server_that_does_not_answer_is_said_so_without_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHROMA_KEY", "s3cret")
    config = BackendConfig(kind="chroma", url="https://127.0.0.1:1", api_key_env="CHROMA_KEY")
    drivers = InstalledDrivers(tmp_path, clock=SystemClock(), configured={"c": config})
    assert drivers.backend("c").capabilities.shared
    with pytest.raises(BackendUnavailableError) as caught:
        drivers.backend("c").collections()
    assert "s3cret" not in str(caught.value)
    drivers.close()
