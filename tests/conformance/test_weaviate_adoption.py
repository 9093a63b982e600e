"""Adoption in Weaviate: the FAKE, and the server that a variable names."""

from collections.abc import Iterator

import pytest
from tests.conformance.weaviate_team import WeaviateTeam
from tests.fakes.weaviate_peer.peer import Peer
from weaviate import WeaviateClient

from repoint.testing.adoption import AdoptionSuite
from repoint.testing.adoption_story import AdoptionStorySuite

pytest_plugins = ("tests.fakes.weaviate_peer.fixtures",)


@pytest.fixture
def weaviate_team(
    weaviate_peer: Peer, weaviate_client: WeaviateClient, monkeypatch: pytest.MonkeyPatch
) -> Iterator[WeaviateTeam]:
    monkeypatch.setenv("TEAM_WEAVIATE_KEY", weaviate_peer.key or "none")
    team = WeaviateTeam(weaviate_peer, weaviate_client)
    yield team
    team.close()


class TestWeaviateAdopter(AdoptionSuite):
    @pytest.fixture
    def team(self, weaviate_team: WeaviateTeam) -> WeaviateTeam:
        return weaviate_team


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
