import pytest

from repoint.backends.memory import MemoryBackend
from repoint.testing.backend import BackendSuite
from repoint.testing.collection import CollectionSuite
from repoint.testing.collections import Place

pytestmark = pytest.mark.backend("memory")


@pytest.fixture
def memory() -> Place:
    backend = MemoryBackend()
    return Place(opened=lambda: backend)


class TestMemoryBackend(BackendSuite):
    @pytest.fixture
    def place(self, memory: Place) -> Place:
        return memory


class TestMemoryCollection(CollectionSuite):
    @pytest.fixture
    def place(self, memory: Place) -> Place:
        return memory
