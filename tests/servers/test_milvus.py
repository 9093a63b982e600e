"""Milvus: milvus-lite as a server, started here, or what ``REPOINT_MILVUS_URL`` names."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.servers.losing_the_server import loses_nothing
from tests.servers.milvus_team import (
    emptied,
    milvus_backend,
    milvus_client,
    milvus_started,
    milvus_table,
    milvus_url,
)

from repoint import Repoint
from repoint.domain.errors import (
    AlreadyExistsError,
    BackendUnavailableError,
    CollectionMissingError,
    FingerprintMismatchError,
    UnsupportedError,
)
from repoint.domain.ids import CollectionName, DocumentId
from repoint.domain.spec import AnnKind, AnnSpec, HybridSpec, ModelSpec, ReleaseSpec
from repoint.operations.promote import PromoteOptions
from repoint.ports.backend import Backend
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

pytestmark = [pytest.mark.backend("milvus"), pytest.mark.engine, pytest.mark.slow]

MODEL = ModelSpec(provider="hashing", dimensions=32)
X, Y, Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    with milvus_url() as url:
        yield url


@pytest.fixture
def milvus(server_url: str, tmp_path: Path) -> Iterator[Place]:
    opened: list[Backend] = []

    def open_one() -> Backend:
        opened.append(milvus_backend(server_url, tmp_path))
        return opened[-1]

    emptied(server_url)
    yield Place(opened=open_one)
    emptied(server_url)
    for backend in opened:
        backend.close()


class TestMilvusBackend(BackendSuite):
    @pytest.fixture
    def place(self, milvus: Place) -> Place:
        return milvus


class TestMilvusCollection(CollectionSuite):
    @pytest.fixture
    def place(self, milvus: Place) -> Place:
        return milvus


class TestMilvusStory(StorySuite):
    @pytest.fixture
    def table(self, server_url: str, milvus: Place) -> str:
        del milvus  # which empties the server before and after
        return milvus_table(server_url)


def test_an_alias_does_not_take_a_collections_name(milvus: Place) -> None:
    backend = milvus.opened()
    backend.create(spec())
    backend.create(spec(name=CollectionName("docs"), fingerprint=OTHER_SPACE))
    with pytest.raises(AlreadyExistsError, match="alias_prefix"):
        backend.set_alias("docs", NAME)
    assert backend.alias_target("docs") is None
    with pytest.raises(CollectionMissingError):
        backend.set_alias("search", CollectionName("nobody"))


def test_what_an_alias_points_at_is_not_dropped(milvus: Place) -> None:
    backend = milvus.opened()
    put(backend.create(spec()), Version(document="d", lsn=1, vectors=[X]))
    other = CollectionName("docs_v2_bbbbbbbbbbbb")
    backend.create(spec(name=other, fingerprint=OTHER_SPACE))
    backend.set_alias("search", NAME)
    with pytest.raises(UnsupportedError, match="the alias search points"):
        backend.drop(NAME)
    assert contents(backend.open(NAME, fingerprint=SPACE)) == {("d", 0): 1}
    backend.set_alias("search", other)
    backend.drop(NAME)
    assert backend.collections() == [other]


def test_names_that_milvus_has_no_letters_for_are_written_with_numbers(milvus: Place) -> None:
    backend = milvus.opened()
    name = CollectionName("my-docs.v1_aaaaaaaaaaaa")
    put(backend.create(spec(name=name)), Version(document="d", lsn=1, vectors=[X]))
    backend.set_alias("my-docs", name)
    assert backend.collections() == [name]
    assert backend.alias_target("my-docs") == name
    twin = CollectionName("my_2d_docs_2e_v1_aaaaaaaaaaaa")
    with pytest.raises(FingerprintMismatchError):
        backend.create(spec(name=twin))
    with pytest.raises(FingerprintMismatchError):
        backend.open(twin, fingerprint=SPACE)


def test_a_collection_that_somebody_put_in_its_place_is_noticed(
    milvus: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("repoint.backends.milvus.collection.OWNED", -1.0)
    backend = milvus.opened()
    collection = backend.create(spec())
    one = Version(document="d", lsn=1, vectors=[X])
    put(collection, one)
    backend.drop(NAME)
    asked: list[Callable[[], object]] = [
        lambda: collection.search(query(*X), limit=1),
        lambda: put(collection, one),
        collection.counts,
        collection.scan,
        collection.optimise,
        lambda: collection.stored([DocumentId("d")]),
        lambda: collection.purge([DocumentId("d")]),
    ]
    for call in asked:
        with pytest.raises(CollectionMissingError):
            call()
    milvus.opened().create(spec(fingerprint=OTHER_SPACE))
    for call in asked:
        with pytest.raises(FingerprintMismatchError):
            call()


def test_a_collection_that_was_only_half_made_is_finished(
    milvus: Place, server_url: str
) -> None:
    from repoint.backends.milvus import rows  # noqa: PLC0415 - loads the library

    backend = milvus.opened()
    client = milvus_client(server_url)
    rows.make(client, NAME, spec(), timeout=60)
    client.close()
    put(backend.create(spec()), Version(document="d", lsn=1, vectors=[X]))
    found = milvus.opened().open(NAME, fingerprint=SPACE).search(query(*X), limit=1)
    assert places(found) == [("d", 0)]


@pytest.mark.parametrize("text", ["\ud800", "é" * 40_000])
def test_text_that_milvus_cannot_hold_is_refused_before_anything_is_written(
    milvus: Place, text: str
) -> None:
    collection = milvus.opened().create(spec())
    fine = Version(document="a", lsn=1, vectors=[X])
    with pytest.raises(UnsupportedError):
        put(collection, fine, Version(document="b", lsn=2, vectors=[X], texts=[text]))
    with pytest.raises(UnsupportedError):
        put(collection, fine, Version(document="c", lsn=2, vectors=[X], metadata={"x": text}))
    assert collection.counts().chunks == 0


def test_more_rows_than_one_question_gives_are_scanned(milvus: Place) -> None:
    collection = milvus.opened().create(spec())
    count = 17_000
    for start in range(0, count, 1_000):
        made = (
            Version(document=f"d{n}", lsn=1, vectors=[X]) for n in range(start, start + 1_000)
        )
        put(collection, *made)
    assert len(contents(collection)) == count
    assert collection.counts().documents == count
    found = collection.search(query(*X), limit=3)  # all are as near
    assert len(found) == 3


@pytest.mark.parametrize(
    "asked",
    [
        AnnSpec(kind=AnnKind.HNSW, build={"m": 8, "ef_construction": 80}, search={"ef": 100}),
        AnnSpec(kind=AnnKind.IVF_FLAT, build={"nlist": 32}, search={"nprobe": 16}),
        AnnSpec(kind=AnnKind.FLAT),
    ],
    ids=lambda one: one.kind,
)
def test_an_exact_search_misses_nothing_and_an_index_misses_little(
    milvus: Place, asked: AnnSpec
) -> None:
    collection = milvus.opened().create(dataclasses.replace(spec(dimensions=16), ann=asked))
    random = np.random.default_rng(5)
    rows = random.normal(size=(2000, 16)).astype(np.float32)
    put(
        collection,
        *(
            Version(document=f"d{n}", lsn=1, vectors=[row.tolist()])
            for n, row in enumerate(rows)
        ),
    )
    shared = 0
    for wanted in random.normal(size=(10, 16)).astype(np.float32):
        near = rows @ wanted / np.linalg.norm(rows, axis=1)
        best = [f"d{n}" for n in np.argsort(-near)[:10]]
        exact, index = (
            [hit.document for hit in collection.search(query(*wanted), limit=10, exact=exact)]
            for exact in (True, False)
        )
        assert exact == best
        shared += len(set(index) & set(best))
    assert shared >= 0.9 * 100


@pytest.mark.parametrize(
    "asked", [AnnSpec(build={"nlist": 8}), AnnSpec(kind=AnnKind.FLAT, search={"ef": 8})]
)
def test_parameters_that_an_index_does_not_have_are_refused(
    milvus: Place, asked: AnnSpec
) -> None:
    with pytest.raises(UnsupportedError, match="ann"):
        milvus.opened().create(dataclasses.replace(spec(), ann=asked))


def test_a_hybrid_release_is_promoted_and_rolled_back(
    milvus: Place, server_url: str, tmp_path: Path
) -> None:
    hybrid = ReleaseSpec(model=MODEL, backend="main", hybrid=HybridSpec())
    home = tmp_path / "home"
    Repoint.init(home).close()
    _configure(home, server_url)
    unmeasured = PromoteOptions(without_evaluation="a test")
    with Repoint.open(home) as opened:
        docs = opened.create_index("docs")
        docs.upsert({"id": f"d{n}", "text": f"note {n} about word{n}"} for n in range(50))
        if not milvus.opened().capabilities.lexical:
            with pytest.raises(UnsupportedError):
                docs.create_release("v1", hybrid)
            return
        for number, name in enumerate(("v1", "v2")):
            model = dataclasses.replace(MODEL, dimensions=32 + 16 * number)
            docs.create_release(name, dataclasses.replace(hybrid, model=model))
            docs.sync(name)
            docs.promote(name, reason="next", options=unmeasured)
        assert docs.search("word17", k=1).hits[0].id == "d17"
        docs.delete(["d17"])
        report = docs.rollback(reason="worse")
        assert report.verified, report.findings
        assert "d17" not in {hit.id for hit in docs.search("word17", k=50).hits}
        assert docs.search("word18", k=1).hits[0].id == "d18"


def test_a_server_killed_in_the_middle_of_a_sync_loses_nothing(tmp_path: Path) -> None:
    pytest.importorskip("pymilvus", reason="run it with: make servers-test")
    from repoint.backends.milvus.collection import MilvusCollection  # noqa: PLC0415 - as above

    home = tmp_path / "home"
    Repoint.init(home).close()
    with milvus_started() as server:
        _configure(home, server.url)
        with Repoint.open(home, keep_in_step=False) as opened:
            loses_nothing(opened, server, MilvusCollection, documents=3_000)


def _configure(home: Path, url: str) -> None:
    with (home / CONFIG_FILE).open("a", encoding="utf-8") as config:
        config.write(f"\n[backends.main]\n{milvus_table(url)}\n")


def test_a_server_that_does_not_answer_is_said_so_without_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pymilvus", reason="run it with: make servers-test")
    monkeypatch.setenv("MILVUS_KEY", "s3cret")
    config = BackendConfig(kind="milvus", url="https://127.0.0.1:1", api_key_env="MILVUS_KEY")
    drivers = InstalledDrivers(tmp_path, clock=SystemClock(), configured={"m": config})
    assert drivers.backend("m").capabilities.shared
    assert not drivers.backend("m").capabilities.lexical
    with pytest.raises(BackendUnavailableError) as caught:
        drivers.backend("m").collections()
    assert "s3cret" not in str(caught.value)
    drivers.close()
