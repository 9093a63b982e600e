"""Milvus: milvus-lite as a server, started here, or the one that ``REPOINT_MILVUS_URL`` names."""

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

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
from repoint.testing.programs import NoProgramError, ProgramServer, milvus_lite_command
from repoint.testing.story import StorySuite
from repoint.wiring.clock import SystemClock
from repoint.wiring.config import CONFIG_FILE, BackendConfig
from repoint.wiring.drivers import InstalledDrivers

pytestmark = [pytest.mark.backend("milvus"), pytest.mark.engine]

GIVEN = os.environ.get("REPOINT_MILVUS_URL", "")
MODEL = ModelSpec(provider="hashing", dimensions=32)
X, Y, Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


@contextlib.contextmanager
def _started() -> Iterator[ProgramServer]:
    pytest.importorskip("pymilvus", reason="run it with: make servers-test")
    try:
        server = ProgramServer(milvus_lite_command)
    except NoProgramError as problem:
        pytest.skip(str(problem))
    with server:
        yield server


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    if GIVEN:
        yield GIVEN
        return
    with _started() as server:
        yield server.url


def _opened(url: str, folder: Path) -> Backend:
    from repoint.backends.milvus import MilvusDriver  # noqa: PLC0415 - loads the library

    return MilvusDriver.from_settings(BackendSettings(name="m", folder=folder, url=url))


def _empty(url: str) -> None:
    from pymilvus import MilvusClient  # noqa: PLC0415 - may not be installed

    client = MilvusClient(uri=url)
    for name in client.list_collections():
        for alias in client.list_aliases(collection_name=name)["aliases"]:
            client.drop_alias(alias)
        client.drop_collection(name)
    client.close()


@pytest.fixture
def milvus(server_url: str, tmp_path: Path) -> Iterator[Place]:
    opened: list[Backend] = []

    def open_one() -> Backend:
        opened.append(_opened(server_url, tmp_path))
        return opened[-1]

    _empty(server_url)
    yield Place(opened=open_one)
    _empty(server_url)
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
        return f'kind = "milvus"\nurl = "{server_url}"\nalias_prefix = "search_"'
