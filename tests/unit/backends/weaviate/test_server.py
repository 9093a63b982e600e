"""What the driver makes of a server that is away, closed, old, behind or slow to index."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fakes.weaviate_peer.peer import FakeWeaviate, Peer
from weaviate import WeaviateClient
from weaviate.classes.init import Timeout

from repoint.backends.weaviate import WeaviateDriver, engine
from repoint.backends.weaviate.backend import WeaviateBackend
from repoint.domain.errors import (
    BackendUnavailableError,
    MissingExtraError,
    MissingSettingError,
    UnsupportedError,
)
from repoint.ports.settings import BackendSettings, Option
from repoint.testing.collections import NAME, Version, contents, put, query, spec
from repoint.wiring.clock import SystemClock
from repoint.wiring.config import BackendConfig
from repoint.wiring.drivers import InstalledDrivers

pytestmark = pytest.mark.backend("weaviate (fake peer)")

ONE = Version(document="one", lsn=1, vectors=[[1, 0, 0]])


@pytest.fixture
def fake() -> Iterator[FakeWeaviate]:
    with FakeWeaviate() as opened:
        yield opened


def _peer(fake: FakeWeaviate, *, key: str = "") -> Peer:
    return Peer(url=fake.url, grpc=fake.grpc_url, key=key)


def test_a_server_that_does_not_answer_is_said_so_without_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEAVIATE_KEY", "s3cret")
    config = BackendConfig(
        kind="weaviate", url="http://127.0.0.1:1", api_key_env="WEAVIATE_KEY"
    )
    drivers = InstalledDrivers(tmp_path, clock=SystemClock(), configured={"w": config})
    assert drivers.backend("w").capabilities.shared
    with pytest.raises(BackendUnavailableError, match="does not answer") as caught:
        drivers.backend("w").collections()
    assert "s3cret" not in str(caught.value)
    drivers.close()


def lose_patience(backend: WeaviateBackend) -> None:
    """Let the open client wait for a second at most: for what will not come, from here on."""

    def lose(client: WeaviateClient) -> None:
        client._connection.timeout_config = Timeout(query=1, insert=1, init=1)  # noqa: SLF001 - an open client has no other way

    backend._engine.run(lose, about="patience")  # noqa: SLF001 - as above


def test_a_server_that_went_away_is_noticed(fake: FakeWeaviate) -> None:
    backend = _peer(fake).backend()
    collection = backend.create(spec())
    put(collection, ONE)
    fake.__exit__(None, None, None)
    lose_patience(backend)
    with pytest.raises(BackendUnavailableError, match="does not answer"):
        collection.search(query(1, 0, 0), limit=1)
    with pytest.raises(BackendUnavailableError, match="does not answer"):
        put(collection, ONE)
    backend.close()
    fake.__enter__()


def test_a_wrong_key_is_said_to_be_wrong() -> None:
    with FakeWeaviate(key="right") as closed:
        for key in ("", "wrong"):
            with pytest.raises(
                BackendUnavailableError, match="does not take the key"
            ) as caught:
                _peer(closed, key=key).backend().collections()
            assert "wrong" not in str(caught.value)
        backend = _peer(closed, key="right").backend()
        put(backend.create(spec()), ONE)
        assert backend.collections() == [NAME]
        backend.close()


def test_a_grpc_door_that_is_closed_is_said_to_be(fake: FakeWeaviate) -> None:
    backend = Peer(url=fake.url, grpc="http://127.0.0.1:1").backend()
    collection = backend.create(spec())
    lose_patience(backend)
    with pytest.raises(BackendUnavailableError) as caught:
        collection.search(query(1, 0, 0), limit=1)
    assert "options.grpc" in caught.value.hint
    backend.close()


@pytest.mark.parametrize("version", ["1.32.9", "0.9", ""])
def test_a_server_without_the_filters_it_needs_is_refused(version: str) -> None:
    with (
        FakeWeaviate(version=version) as old,
        pytest.raises((UnsupportedError, BackendUnavailableError)),
    ):
        _peer(old).backend().collections()


def test_an_alias_waits_for_a_follower_that_is_behind(
    fake: FakeWeaviate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "PAUSES", (0.0, 0.0))
    backend = _peer(fake).backend()
    backend.create(spec())
    fake.shelves.behind = 2
    backend.set_alias("docs", NAME)
    assert backend.alias_target("docs") == NAME
    fake.shelves.behind = 4
    with pytest.raises(BackendUnavailableError, match="does not exist"):
        backend.set_alias("docs", NAME)
    backend.close()


def test_a_write_waits_until_it_is_indexed(fake: FakeWeaviate) -> None:
    backend = _peer(fake).backend()
    collection = backend.create(spec())
    fake.shelves.indexing = 4
    put(collection, ONE)
    assert fake.shelves.indexing == 0
    assert contents(collection) == {("one", 0): 1}
    backend.close()


@pytest.mark.parametrize(
    ("url", "options", "setting"),
    [
        ("", {}, "url"),
        ("weaviate:8080", {}, "url"),
        ("ftp://host", {}, "url"),
        ("http://", {}, "url"),
        ("http://host:port", {}, "url"),
        ("http://someone:s3cret@host", {}, "url"),
        ("http://host/path", {}, "url"),
        ("http://host", {"grpc": "host:50051"}, "options.grpc"),
        ("http://host", {"grpc": 50051}, "options.grpc"),
        ("http://host", {"tenant": "a b"}, "options.tenant"),
        ("http://host", {"tenant": ""}, "options.tenant"),
        ("http://host", {"replicas": 0}, "options.replicas"),
        ("http://host", {"replicas": True}, "options.replicas"),
        ("http://host", {"replicas": 1.5}, "options.replicas"),
        ("http://host", {"tennant": "a"}, "options.tennant"),
    ],
)
def test_a_setting_that_is_no_good_is_named(
    tmp_path: Path, url: str, options: dict[str, Option], setting: str
) -> None:
    with pytest.raises(MissingSettingError) as caught:
        WeaviateDriver.from_settings(
            BackendSettings(name="w", folder=tmp_path, url=url, options=options)
        )
    assert caught.value.setting == setting
    assert "s3cret" not in str(caught.value)


def test_a_library_that_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [one for one in sys.modules if one.startswith("repoint.backends.weaviate.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "weaviate", None)
    with pytest.raises(MissingExtraError) as caught:
        WeaviateDriver.from_settings(BackendSettings(name="w", folder=tmp_path))
    assert "repoint[weaviate]" in caught.value.hint


def test_both_doors_are_found() -> None:
    address = engine.Address.of("https://db.internal", grpc_url="", backend="w")
    assert (address.parameters().http.port, address.parameters().grpc.port) == (443, 50051)
    assert address.parameters().grpc.secure
    assert address.parameters().grpc.host == "db.internal"
    other = engine.Address.of("http://[::1]:8080", grpc_url="https://g:9", backend="w")
    assert (other.http.hostname, other.parameters().grpc.host) == ("::1", "g")
