"""Qdrant: the library's own engine, or the server that ``REPOINT_QDRANT_URL`` names."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from repoint.domain.errors import AlreadyExistsError, BackendUnavailableError
from repoint.domain.ids import CollectionName
from repoint.ports.backend import Backend
from repoint.ports.settings import BackendSettings
from repoint.testing.backend import BackendSuite
from repoint.testing.collection import CollectionSuite
from repoint.testing.collections import NAME, OTHER_SPACE, Place, Version, put, spec
from repoint.testing.story import StorySuite
from repoint.wiring.clock import SystemClock
from repoint.wiring.config import BackendConfig
from repoint.wiring.drivers import InstalledDrivers

pytestmark = [pytest.mark.backend("qdrant"), pytest.mark.engine]

URL = os.environ.get("REPOINT_QDRANT_URL", "")


def _opened(folder: Path) -> Backend:
    from repoint.backends.qdrant import QdrantDriver  # noqa: PLC0415 - loads the library

    return QdrantDriver.from_settings(BackendSettings(name="q", folder=folder, url=URL))


@pytest.fixture
def qdrant(tmp_path: Path) -> Iterator[Place]:
    pytest.importorskip("qdrant_client", reason="run it with: make servers-test")
    backend = _opened(tmp_path / "vectors")  # one process, one client: it opens itself again
    yield Place(opened=lambda: backend)
    for name in backend.collections():
        backend.drop(name)
    backend.close()


class TestQdrantBackend(BackendSuite):
    @pytest.fixture
    def place(self, qdrant: Place) -> Place:
        return qdrant


class TestQdrantCollection(CollectionSuite):
    @pytest.fixture
    def place(self, qdrant: Place) -> Place:
        return qdrant


class TestQdrantStory(StorySuite):
    @pytest.fixture
    def table(self) -> str:
        pytest.importorskip("qdrant_client", reason="run it with: make servers-test")
        return f'kind = "qdrant"\nurl = "{URL}"\nalias_prefix = "search_"'


def test_an_alias_does_not_take_a_collections_name(qdrant: Place) -> None:
    backend = qdrant.opened()
    backend.create(spec())
    backend.create(spec(name=CollectionName("docs"), fingerprint=OTHER_SPACE))
    with pytest.raises(AlreadyExistsError, match="alias_prefix"):
        backend.set_alias("docs", NAME)
    assert backend.alias_target("docs") is None


def test_words_are_ranked_after_it_was_opened_again(qdrant: Place) -> None:
    backend = qdrant.opened()
    texts = ("the harbour in a storm", "harbour master", "a recipe for bread")
    collection = backend.create(spec(lexical=True))
    for lsn, text in enumerate(texts):
        put(
            collection,
            Version(document=f"d{lsn}", lsn=lsn, vectors=[(1.0, 0.0, 0.0)], texts=[text]),
        )
    backend.close()
    again = backend.open(NAME, fingerprint=spec().fingerprint)
    assert again.spec.lexical
    hits = again.search_text("Harbour storm", limit=3)
    assert [hit.document for hit in hits] == ["d0", "d1"]


def test_an_index_of_words_that_a_crash_left_out_is_made(qdrant: Place) -> None:
    from qdrant_client import QdrantClient  # noqa: PLC0415 - loads the library

    backend = qdrant.opened()
    kept = QdrantClient.create_payload_index
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(QdrantClient, "create_payload_index", _ended)
        with pytest.raises(KeyboardInterrupt):
            backend.create(spec(lexical=True))
    assert QdrantClient.create_payload_index is kept
    put(
        backend.create(spec(lexical=True)),
        Version(document="d", lsn=1, vectors=[(1.0, 0.0, 0.0)]),
    )
    found = backend.open(NAME, fingerprint=spec().fingerprint)
    assert found.search_text("anything", limit=3) == []


def _ended(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


# The library leaves the lock's file to the garbage collector when it cannot have it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.skipif(bool(URL), reason="only a folder is one process's own")
def test_a_folder_in_use_by_another_is_said_to_be(qdrant: Place, tmp_path: Path) -> None:
    qdrant.opened().create(spec())
    second = _opened(tmp_path / "vectors")
    with pytest.raises(BackendUnavailableError, match="in use"):
        second.collections()


def test_a_server_that_does_not_answer_is_said_so_without_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("qdrant_client", reason="run it with: make servers-test")
    monkeypatch.setenv("QDRANT_KEY", "s3cret")
    config = BackendConfig(kind="qdrant", url="https://127.0.0.1:1", api_key_env="QDRANT_KEY")
    drivers = InstalledDrivers(tmp_path, clock=SystemClock(), configured={"q": config})
    assert drivers.backend("q").capabilities.shared
    with pytest.raises(BackendUnavailableError) as caught:
        drivers.backend("q").collections()
    assert "s3cret" not in str(caught.value)
    drivers.close()
