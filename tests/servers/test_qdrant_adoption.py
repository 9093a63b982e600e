"""Adoption in Qdrant, on the library's own engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.servers.qdrant_team import QdrantTeam

from repoint.testing.adoption import AdoptionSuite
from repoint.testing.adoption_story import AdoptionStorySuite

pytestmark = [pytest.mark.backend("qdrant"), pytest.mark.engine]


@pytest.fixture
def team_of_qdrant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[QdrantTeam]:
    """A team whose client is repoint's too: the engine in a folder is for one client."""
    qdrant = pytest.importorskip("qdrant_client", reason="run it with: make servers-test")
    from repoint.backends.qdrant.engine import Engine  # noqa: PLC0415 - loads the library

    client = qdrant.QdrantClient(
        path=str(tmp_path / "team"), force_disable_check_same_thread=True
    )
    monkeypatch.setattr(Engine, "_local", lambda _: client)
    monkeypatch.setattr(Engine, "close", lambda _: None)
    yield QdrantTeam(client, tmp_path / "team")
    client.close()


class TestQdrantAdopter(AdoptionSuite):
    @pytest.fixture
    def team(self, team_of_qdrant: QdrantTeam) -> QdrantTeam:
        return team_of_qdrant


class TestQdrantAdoption(AdoptionStorySuite):
    @pytest.fixture
    def team(self, team_of_qdrant: QdrantTeam) -> QdrantTeam:
        return team_of_qdrant
