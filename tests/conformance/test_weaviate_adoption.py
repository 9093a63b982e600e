"""Adoption in Weaviate: the FAKE, and the server that a variable names."""

from collections.abc import Iterator

import pytest
from tests.conformance.weaviate_team import WeaviateTeam
from tests.fakes.weaviate_peer.peer import Peer
from weaviate import WeaviateClient

from repoint.testing.adoption import AdoptionSuite

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
