"""Qdrant with ``strategy = "vector_field"``: releases as named vectors of the same points."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from repoint.ports.backend import Backend
from repoint.ports.settings import BackendSettings
from repoint.testing.backend import BackendSuite
from repoint.testing.collection import CollectionSuite
from repoint.testing.collections import Place
from repoint.testing.story import StorySuite

pytestmark = [pytest.mark.backend("qdrant vector field"), pytest.mark.engine]

URL = os.environ.get("REPOINT_QDRANT_URL", "")


def _opened(folder: Path) -> Backend:
    from repoint.backends.qdrant import QdrantDriver  # noqa: PLC0415 - loads the library

    settings = BackendSettings(
        name="q", folder=folder, url=URL, options={"strategy": "vector_field"}
    )
    return QdrantDriver.from_settings(settings)


@pytest.fixture
def fields(tmp_path: Path) -> Iterator[Place]:
    pytest.importorskip("qdrant_client", reason="run it with: make servers-test")
    backend = _opened(tmp_path / "vectors")  # one process, one client: it opens itself again
    yield Place(opened=lambda: backend)
    for name in backend.collections():
        backend.drop(name)
    backend.close()


class TestQdrantFieldBackend(BackendSuite):
    @pytest.fixture
    def place(self, fields: Place) -> Place:
        return fields


class TestQdrantFieldCollection(CollectionSuite):
    @pytest.fixture
    def place(self, fields: Place) -> Place:
        return fields


class TestQdrantFieldStory(StorySuite):
    @pytest.fixture
    def table(self) -> str:
        pytest.importorskip("qdrant_client", reason="run it with: make servers-test")
        options = '[backends.main.options]\nstrategy = "vector_field"'
        return f'kind = "qdrant"\nurl = "{URL}"\n{options}'
