"""Adoption in Qdrant, on the library's own engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.servers.qdrant_team import QdrantTeam

from repoint.testing.adoption import AdoptionSuite
from repoint.testing.adoption_story import AdoptionStorySuite, adopt, open_workspace
from repoint.testing.story import document
from repoint.testing.team import row_of

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


def test_a_point_that_comes_back_with_its_note_is_found_and_taken_in(
    team_of_qdrant: QdrantTeam, tmp_path: Path
) -> None:
    team = team_of_qdrant
    team.put(row_of(f"d{n}", document(n, version=0)) for n in range(4))
    with open_workspace(tmp_path / "home", team) as opened:
        adopt(opened, team)
        docs = opened.index("docs")
        docs.promote("v1", reason="adopted")
        copied = team.copied("d3")
        docs.delete(["d3"], wait="all")
        assert "d3" not in team.rows()
        team.restore(copied)
        assert not docs.diff("v1").clean
        planned = docs.adopted.plan()
        assert (planned.conflicts, dict(planned.taken)) == (1, {})
        assert docs.adopted.absorb(prefer="collection").decided == 1
        docs.sync("v1")
        assert docs.diff("v1").clean
        assert "d3" in {hit.id for hit in docs.search("a note", k=9).hits}
        assert docs.adopted.absorb().clean
