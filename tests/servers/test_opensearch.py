"""OpenSearch: the server that ``REPOINT_OPENSEARCH_URL`` names; repoint's are dropped."""

import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from repoint.domain.errors import (
    AlreadyExistsError,
    BackendUnavailableError,
    CollectionMissingError,
    FingerprintMismatchError,
    RowsRefusedError,
    UnsupportedError,
)
from repoint.domain.ids import CollectionName, DocumentId
from repoint.domain.spec import AnnKind, AnnSpec
from repoint.ports.backend import Backend
from repoint.ports.settings import BackendSettings
from repoint.testing.backend import BackendSuite
from repoint.testing.collection import CollectionSuite
from repoint.testing.collections import (
    NAME,
    OTHER_SPACE,
    SPACE,
    Place,
    RawRow,
    Version,
    contents,
    put,
    query,
    spec,
)
from repoint.testing.story import StorySuite
from repoint.wiring.clock import SystemClock
from repoint.wiring.config import BackendConfig
from repoint.wiring.drivers import InstalledDrivers

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

pytestmark = [
    pytest.mark.backend("opensearch"),
    pytest.mark.engine,
    pytest.mark.slow,
]

URL = os.environ.get("REPOINT_OPENSEARCH_URL", "")
X, Y = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)


def _opened(folder: Path) -> Backend:
    from repoint.backends.opensearch import OpenSearchDriver  # noqa: PLC0415 - the library

    return OpenSearchDriver.from_settings(BackendSettings(name="o", folder=folder, url=URL))


def _empty(client: "OpenSearch") -> None:
    for index, found in client.indices.get_mapping(index="*").items():
        if "repoint" in found["mappings"].get("_meta", {}):
            client.indices.delete(index=index)


@pytest.fixture
def opensearch(tmp_path: Path) -> Iterator[Place]:
    library = pytest.importorskip("opensearchpy", reason="run it with: make servers-test")
    if not URL:
        pytest.skip("no server: REPOINT_OPENSEARCH_URL is not set")
    client = library.OpenSearch(URL, timeout=60)
    _empty(client)
    opened: list[Backend] = []

    def open_one() -> Backend:
        opened.append(_opened(tmp_path))
        return opened[-1]

    def tamper(name: CollectionName, rows: Sequence[RawRow]) -> None:
        for row in rows:
            body = {**asdict(row), "filled": True, "digest": "", "chunk": row.vector}
            del body["vector"]
            if row.vector is None:
                del body["chunk"]
            client.index(index=name, body=body, params={"refresh": "true"})

    yield Place(opened=open_one, tamper=tamper)
    _empty(client)
    client.close()
    for backend in opened:
        backend.close()


class TestOpenSearchBackend(BackendSuite):
    @pytest.fixture
    def place(self, opensearch: Place) -> Place:
        return opensearch


class TestOpenSearchCollection(CollectionSuite):
    @pytest.fixture
    def place(self, opensearch: Place) -> Place:
        return opensearch


class TestOpenSearchStory(StorySuite):
    @pytest.fixture
    def table(self, opensearch: Place) -> str:
        del opensearch  # which empties the server before and after
        return f'kind = "opensearch"\nurl = "{URL}"\nalias_prefix = "search_"'


def test_an_alias_does_not_take_an_indexs_name(opensearch: Place) -> None:
    backend = opensearch.opened()
    backend.create(spec())
    backend.create(spec(name=CollectionName("docs"), fingerprint=OTHER_SPACE))
    with pytest.raises(AlreadyExistsError, match="alias_prefix"):
        backend.set_alias("docs", NAME)
    assert backend.alias_target("docs") is None
    with pytest.raises(CollectionMissingError):
        backend.set_alias("search", CollectionName("nobody"))


def test_what_an_alias_points_at_is_not_dropped(opensearch: Place) -> None:
    backend = opensearch.opened()
    put(backend.create(spec()), Version(document="d", lsn=1, vectors=[X]))
    backend.set_alias("search", NAME)
    with pytest.raises(UnsupportedError, match="the alias search points"):
        backend.drop(NAME)
    assert contents(backend.open(NAME, fingerprint=SPACE)) == {("d", 0): 1}


def test_capitals_are_kept_apart(opensearch: Place) -> None:
    backend = opensearch.opened()
    name = CollectionName("Docs-A.v1_aaaaaaaaaaaa")
    put(backend.create(spec(name=name)), Version(document="d", lsn=1, vectors=[X]))
    backend.set_alias("Docs", name)
    assert backend.collections() == [name]
    assert backend.alias_target("Docs") == name


def test_an_index_that_somebody_put_in_its_place_is_noticed(
    opensearch: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("repoint.backends.opensearch.collection.OWNED", -1.0)
    backend = opensearch.opened()
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
    opensearch.opened().create(spec(fingerprint=OTHER_SPACE))
    for call in asked:
        with pytest.raises(FingerprintMismatchError):
            call()


def test_a_vector_without_direction_has_similarity_zero(opensearch: Place) -> None:
    collection = opensearch.opened().create(spec())
    put(
        collection,
        Version(document="near", lsn=1, vectors=[X]),
        Version(document="zero", lsn=1, vectors=[(0.0, 0.0, 0.0)]),
        Version(document="away", lsn=1, vectors=[(-1.0, 0.0, 0.0)]),
    )
    for exact in (False, True):
        hits = collection.search(query(*X), limit=5, exact=exact)
        assert [(hit.document, hit.score) for hit in hits] == [
            ("near", 1.0),
            ("zero", 0.0),
            ("away", -1.0),
        ]
    batch = collection.stored([DocumentId("zero")], with_vectors=True)
    assert batch.vectors is not None
    assert batch.vectors.tolist() == [[0, 0, 0]]


def test_what_was_purged_can_be_written_again_at_once(opensearch: Place) -> None:
    collection = opensearch.opened().create(spec())
    put(collection, Version(document="d", lsn=9, vectors=[X]))
    collection.purge([DocumentId("d")])
    put(collection, Version(document="d", lsn=2, vectors=[Y]))
    assert contents(collection) == {("d", 0): 2}


@pytest.mark.parametrize("text", ["\ud800", "é" * 20_000])
def test_what_cannot_be_held_or_compared_is_refused(opensearch: Place, text: str) -> None:
    collection = opensearch.opened().create(spec())
    fine = Version(document="a", lsn=1, vectors=[X])
    with pytest.raises(UnsupportedError):
        put(collection, fine, Version(document="c", lsn=2, vectors=[X], metadata={"x": text}))
    assert collection.counts().chunks == 0


def test_an_exact_search_misses_nothing_and_the_graph_misses_little(opensearch: Place) -> None:
    asked = AnnSpec(kind=AnnKind.HNSW, build={"m": 8}, search={"ef": 100})
    place = opensearch.opened()
    collection = place.create(dataclasses.replace(spec(dimensions=16), ann=asked))
    random = np.random.default_rng(5)
    rows = random.normal(size=(2000, 16)).astype(np.float32)
    put(
        collection,
        *(Version(document=f"d{n}", lsn=1, vectors=[row]) for n, row in enumerate(rows)),
    )
    shared = 0
    for wanted in random.normal(size=(10, 16)).astype(np.float32):
        near = rows @ wanted / np.linalg.norm(rows, axis=1)
        best = [f"d{n}" for n in np.argsort(-near)[:10]]
        exact, graph = (
            [hit.document for hit in collection.search(query(*wanted), limit=10, exact=exact)]
            for exact in (True, False)
        )
        assert exact == best
        shared += len(set(graph) & set(best))
    assert shared >= 0.95 * 100


def test_a_server_that_does_not_answer_is_said_so_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("opensearchpy", reason="run it with: make servers-test")
    monkeypatch.setenv("LOGIN", "me:s3cret")
    config = BackendConfig(kind="opensearch", url="https://127.0.0.1:1", api_key_env="LOGIN")
    drivers = InstalledDrivers(tmp_path, clock=SystemClock(), configured={"o": config})
    assert drivers.backend("o").capabilities.shared
    with pytest.raises(BackendUnavailableError) as caught:
        drivers.backend("o").collections()
    assert "s3cret" not in str(caught.value)
    drivers.close()


def test_a_document_with_too_many_fields_is_named_and_the_others_are_written(
    opensearch: Place,
) -> None:
    collection = opensearch.opened().create(spec())
    many = {f"f{n}": n for n in range(10_001)}
    with pytest.raises(RowsRefusedError) as caught:
        put(
            collection,
            Version(document="a", lsn=1, vectors=[X]),
            Version(document="b", lsn=2, vectors=[X], metadata=many),
            Version(document="c", lsn=3, vectors=[Y], metadata={"x": 1}),
        )
    assert caught.value.reasons.keys() == {"b"}
    assert "Limit of total fields" in caught.value.why
    assert contents(collection) == {("a", 0): 1, ("c", 0): 3}
    put(collection, Version(document="b", lsn=2))
    assert collection.counts().emptied == 1


def test_an_index_that_is_closed_or_blocked_refuses_no_document(opensearch: Place) -> None:
    backend = opensearch.opened()
    collection = backend.create(spec())
    client = pytest.importorskip("opensearchpy").OpenSearch(URL, timeout=60)
    one = Version(document="d", lsn=1, vectors=[X])
    client.indices.put_settings(index=NAME, body={"index.blocks.write": True})
    with pytest.raises(BackendUnavailableError, match="block"):
        put(collection, one)
    client.indices.put_settings(index=NAME, body={"index.blocks.write": None})
    client.indices.close(index=NAME)
    with pytest.raises(BackendUnavailableError, match="closed"):
        put(collection, one)
    client.indices.open(index=NAME)
    put(collection, one)
    client.close()
