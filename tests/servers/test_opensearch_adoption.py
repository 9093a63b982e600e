"""Adoption in OpenSearch, on the server that ``REPOINT_OPENSEARCH_URL`` names."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.servers.opensearch_team import INDEX, OpenSearchTeam
from tests.servers.opensearch_url import opened_server

from repoint.domain.errors import UnsupportedError
from repoint.domain.spec import HybridSpec
from repoint.testing.adoption import AdoptionSuite
from repoint.testing.adoption_story import AdoptionStorySuite, adopt, open_workspace
from repoint.testing.story import document
from repoint.testing.team import SPEC, row, row_of

pytestmark = [
    pytest.mark.backend("opensearch"),
    pytest.mark.engine,
    pytest.mark.slow,
]

ZEBRA = row("z", "two zebras", topic="animals")


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


def test_the_words_of_an_adopted_index_are_ranked_by_its_own_text_field(
    team_of_opensearch: OpenSearchTeam, tmp_path: Path
) -> None:
    team = team_of_opensearch
    team.put([*(row_of(f"d{n}", document(n, version=0)) for n in range(6)), ZEBRA])
    mapped = team.client.indices.get_mapping(index=INDEX)[INDEX]["mappings"]["properties"]
    hybrid = replace(SPEC, hybrid=HybridSpec(vector_weight=0.01, lexical_weight=1.0))
    with open_workspace(tmp_path / "home", team) as opened:
        opened.adopt("docs", "v1", team.wish, spec=hybrid)
        docs = opened.index("docs")
        docs.promote("v1", reason="adopted")
        assert docs.search("zebras", k=1).hits[0].id == "z"
        docs.upsert([{"id": "new", "text": "an okapi"}], wait="all")
        assert docs.search("okapi", k=1).hits[0].id == "new"
        team.put([row("z", "no such animal")])
        docs.delete(["new"], wait="all")
        collection = opened.workspace.drivers.backend("main").open(
            docs.release("v1").collection, fingerprint=docs.release("v1").fingerprint
        )
        assert collection.search_text("zebras", limit=9) == []
        assert collection.search_text("animal", limit=9) == []  # nobody embedded it yet
        assert collection.search_text("okapi", limit=9) == []
        docs.adopted.absorb()
        docs.sync("v1")
        assert [hit.document for hit in collection.search_text("animal", limit=9)] == ["z"]
    after = team.client.indices.get_mapping(index=INDEX)[INDEX]["mappings"]["properties"]
    assert {name: after[name] for name in mapped} == mapped


def test_hybrid_search_is_refused_where_the_text_has_no_index_for_words(
    team_of_opensearch: OpenSearchTeam, tmp_path: Path
) -> None:
    team = team_of_opensearch
    team.put([row("z", "two zebras", topic="two zebras")])
    wish = replace(team.wish, text_field="topic", metadata=("number",))
    hybrid = replace(SPEC, hybrid=HybridSpec())
    with (
        open_workspace(tmp_path / "home", team) as opened,
        pytest.raises(UnsupportedError, match="no index for words"),
    ):
        opened.adopt("docs", "v1", wish, spec=hybrid)


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
