"""Adoption in OpenSearch, on the server that ``REPOINT_OPENSEARCH_URL`` names."""

from collections.abc import Iterator

import pytest
from tests.servers.opensearch_team import OpenSearchTeam
from tests.servers.opensearch_url import opened_server

from repoint.testing.adoption import AdoptionSuite
from repoint.testing.adoption_story import AdoptionStorySuite

pytestmark = [
    pytest.mark.backend("opensearch"),
    pytest.mark.engine,
    pytest.mark.slow,
]


@pytest.fixture
def team_of_opensearch() -> Iterator[OpenSearchTeam]:
    with opened_server() as (client, url):
        yield OpenSearchTeam(client, url)


class TestOpenSearchAdopter(AdoptionSuite):
    @pytest.fixture
    def team(self, team_of_opensearch: OpenSearchTeam) -> OpenSearchTeam:
        return team_of_opensearch


class TestOpenSearchAdoption(AdoptionStorySuite):
    @pytest.fixture
    def team(self, team_of_opensearch: OpenSearchTeam) -> OpenSearchTeam:
        return team_of_opensearch
