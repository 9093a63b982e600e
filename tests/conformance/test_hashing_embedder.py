import pytest

from repoint.embedders.hashing import HashingEmbedder
from repoint.testing.embedder import EmbedderSuite, Opening


class TestHashingEmbedder(EmbedderSuite):
    @pytest.fixture
    def opening(self) -> Opening:
        return Opening(
            opened=lambda: HashingEmbedder(dimensions=128),
            altered=lambda: HashingEmbedder(dimensions=128, seed=1),
        )
