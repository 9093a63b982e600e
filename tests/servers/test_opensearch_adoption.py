"""Adoption in OpenSearch, on the server that ``REPOINT_OPENSEARCH_URL`` names."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.servers.opensearch_team import INDEX, OpenSearchTeam
from tests.servers.opensearch_url import opened_server

from repoint.testing.adoption import AdoptionSuite
from repoint.testing.adoption_story import AdoptionStorySuite, adopt, open_workspace
from repoint.testing.story import document
from repoint.testing.team import row_of

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


def test_a_document_that_the_mapping_rejects_is_a_dead_letter(
    team_of_opensearch: OpenSearchTeam, tmp_path: Path
) -> None:
    team = team_of_opensearch
    team.put(row_of(f"d{n}", document(n, version=0)) for n in range(3))
    with open_workspace(tmp_path / "home", team) as opened:
        adopt(opened, team)
        raw = {"type": "text", "fields": {"raw": {"type": "keyword"}}}
        team.client.indices.put_mapping(index=INDEX, body={"properties": {"body": raw}})
        docs = opened.index("docs")
        docs.promote("v1", reason="adopted")
        docs.upsert(
            [
                {"id": "large", "text": "far too large " * 3_000},
                {"id": "long", "text": "far too long", "metadata": {"topic": "x" * 40_000}},
                {"id": "fine", **document(3, version=0)},
            ]
        )
        assert docs.sync("v1").complete
        letters = {str(one.document): one for one in docs.dead_letters("v1")}
        assert letters.keys() == {"large", "long"}
        assert {one.code for one in letters.values()} == {"rows-refused"}
        assert "immense term" in letters["large"].reason
        assert "can compare" in letters["long"].reason
        assert docs.diff("v1").clean
        assert "fine" in {hit.id for hit in docs.search("winter", k=4).hits}
        docs.delete(["large"])
        assert docs.sync("v1").complete
        assert {one.document for one in docs.dead_letters("v1")} == {"long"}
