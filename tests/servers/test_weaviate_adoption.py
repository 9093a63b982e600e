"""The story of an adopted class of Weaviate: on the FAKE, and on a server."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.weaviate_team import WeaviateTeam
from tests.fakes.weaviate_peer.peer import Peer
from weaviate import WeaviateClient

from repoint.domain.adoption import BypassKind
from repoint.domain.document import Json
from repoint.domain.errors import UnsupportedError
from repoint.testing.adoption import AdoptionSuite
from repoint.testing.adoption_story import AdoptionStorySuite, adopt, open_workspace
from repoint.testing.story import document
from repoint.testing.team import row, row_of

pytestmark = pytest.mark.engine
pytest_plugins = ("tests.fakes.weaviate_peer.fixtures",)


@pytest.fixture
def weaviate_team(
    weaviate_peer: Peer, weaviate_client: WeaviateClient, monkeypatch: pytest.MonkeyPatch
) -> Iterator[WeaviateTeam]:
    monkeypatch.setenv("TEAM_WEAVIATE_KEY", weaviate_peer.key or "none")
    team = WeaviateTeam(weaviate_peer, weaviate_client)
    yield team
    team.close()


class TestWeaviateUnnamedAdopter(AdoptionSuite):
    """Of a class as older clients make it, whose only vectors have no name."""

    @pytest.fixture
    def team(self, weaviate_team: WeaviateTeam) -> WeaviateTeam:
        weaviate_team.vector = ""
        return weaviate_team


class TestWeaviateAdoption(AdoptionStorySuite):
    @pytest.fixture
    def team(self, weaviate_team: WeaviateTeam) -> WeaviateTeam:
        return weaviate_team


def test_ids_without_a_word_that_the_server_would_look_for_are_found_again(
    weaviate_team: WeaviateTeam, tmp_path: Path
) -> None:
    """Neither doubled by a second write nor left behind by a delete."""
    weaviate_team.put(row_of(f"d{n}", document(n, version=0)) for n in range(10))
    weaviate_team.put([row("the", "the team's own"), row("A b", "another of the team's")])
    odd = ["the", "THE", "--", "a b", "A b", " x ", "x", "É", "e"]
    with open_workspace(tmp_path / "home", weaviate_team) as opened:
        adopt(opened, weaviate_team)
        docs = opened.index("docs")
        metadata: dict[str, Json] = {"topic": "odd", "number": 1}
        for text in ("one", "another"):
            docs.upsert(
                [{"id": name, "text": text, "metadata": metadata} for name in odd], wait="all"
            )
        assert docs.diff("v1").clean
        assert set(weaviate_team.rows()) == {*odd, *(f"d{n}" for n in range(10))}
        docs.delete(odd, wait="all")
        assert docs.diff("v1").clean
        assert set(weaviate_team.rows()) == {f"d{n}" for n in range(10)}


def test_a_row_that_got_another_id_is_found_and_taken_in(
    weaviate_team: WeaviateTeam, tmp_path: Path
) -> None:
    weaviate_team.put(row_of(f"d{n}", document(n, version=0)) for n in range(10))
    with open_workspace(tmp_path / "home", weaviate_team) as opened:
        adopt(opened, weaviate_team)
        docs = opened.index("docs")
        weaviate_team.rename("d3", "renamed")
        taken = docs.adopted.absorb(reason="by hand").taken
        assert dict(taken) == {BypassKind.ADDED: 1, BypassKind.DELETED: 1}
        assert docs.diff("v1").clean
        assert not docs.adopted.plan().taken


def test_ids_that_occur_twice_are_refused_and_the_objects_own_are_taken(
    weaviate_team: WeaviateTeam, tmp_path: Path
) -> None:
    weaviate_team.put(row_of(f"d{n}", document(n, version=0)) for n in range(10))
    weaviate_team.rename("d3", "d4")
    with open_workspace(tmp_path / "home", weaviate_team) as opened:
        with pytest.raises(UnsupportedError, match="more than once, as 'd4'") as caught:
            adopt(opened, weaviate_team)
        assert "--id-field id" in caught.value.hint
        weaviate_team.wish = dataclasses.replace(weaviate_team.wish, id_field="id")
        assert adopt(opened, weaviate_team).rows == 10
        docs = opened.index("docs")
        fresh = "00000000-0000-4000-8000-00000000000f"
        docs.upsert([{"id": fresh, "text": "with an id of its own"}], wait="all")
        docs.upsert([{"id": "no uuid", "text": "has no place there"}], wait="all")
        assert docs.search("with an id of its own", release="v1", k=1).hits[0].id == fresh
        assert [one.document for one in docs.dead_letters("v1")] == ["no uuid"]
