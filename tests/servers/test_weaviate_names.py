"""The traps of an alias's name, told before a move: on the FAKE, and on a server."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.weaviate_team import CLASS, WeaviateTeam
from tests.fakes.weaviate_peer.peer import Peer
from weaviate import WeaviateClient

from repoint.client import Repoint
from repoint.domain.errors import NotReadyError, UnsupportedError
from repoint.domain.readiness import Status
from repoint.testing.adoption_story import adopt, open_workspace
from repoint.testing.story import UNMEASURED, bring_in_step, document
from repoint.testing.team import SPEC, row_of

pytest_plugins = ("tests.fakes.weaviate_peer.fixtures",)


@pytest.fixture
def team(weaviate_peer: Peer, weaviate_client: WeaviateClient) -> Iterator[WeaviateTeam]:
    if weaviate_peer.key:
        pytest.skip("a server without keys will do")
    one = WeaviateTeam(weaviate_peer, weaviate_client)
    one.put(row_of(f"d{n}", document(n, version=0)) for n in range(10))
    yield one
    one.close()


@pytest.fixture
def opened(team: WeaviateTeam, tmp_path: Path) -> Iterator[Repoint]:
    with open_workspace(tmp_path / "home", team) as opened:
        yield opened


def refused(opened: Repoint, index: str) -> str:
    """Return why a promotion is refused, once it is known that nothing moved."""
    docs = opened.index(index)
    (found,) = [one for one in docs.check() if one.check == "candidate:alias-name"]
    assert found.status is Status.FAILED
    with pytest.raises(NotReadyError) as caught:
        docs.promote("v1")
    assert docs.status().epoch == 0
    assert found.summary in caught.value.message
    return caught.value.message


def test_a_class_of_that_name_is_told_by_plan_check_and_promotion(
    opened: Repoint, team: WeaviateTeam, weaviate_client: WeaviateClient
) -> None:
    """An existing class cannot become an alias of its own name."""
    weaviate_client.collections.create("Search_articles")
    (plan,) = opened.plan_adoption("articles", "v1", team.wish, spec=SPEC).obstacles
    assert "class Search_articles has that name" in plan
    assert "alias_prefix in [backends.main]" in plan
    opened.adopt("articles", "v1", team.wish, spec=SPEC)
    why = refused(opened, "articles")
    assert "the class Search_articles has that name" in why
    assert "alias_prefix" in why
    weaviate_client.collections.delete("Search_articles")
    opened.index("articles").promote("v1")
    assert weaviate_client.alias.get(alias_name="Search_articles").collection == CLASS  # type: ignore[union-attr]


def test_an_alias_of_somebody_else_s_is_told_and_not_taken(
    opened: Repoint, team: WeaviateTeam, weaviate_client: WeaviateClient
) -> None:
    weaviate_client.collections.create("Foreign")
    weaviate_client.alias.create(alias_name="Search_docs", target_collection="Foreign")
    (plan,) = opened.plan_adoption("docs", "v1", team.wish, spec=SPEC).obstacles
    assert "alias Search_docs of Foreign has that name" in plan
    adopt(opened, team)
    assert "points at Foreign" in refused(opened, "docs")
    assert weaviate_client.alias.get(alias_name="Search_docs").collection == "Foreign"  # type: ignore[union-attr]
    weaviate_client.alias.delete(alias_name="Search_docs")
    opened.index("docs").promote("v1")


def test_an_alias_that_differs_in_case_alone_is_told(
    opened: Repoint, team: WeaviateTeam, weaviate_client: WeaviateClient
) -> None:
    """The server would not make a second one."""
    weaviate_client.alias.create(alias_name="Search_DOCS", target_collection=CLASS)
    (plan,) = opened.plan_adoption("docs", "v1", team.wish, spec=SPEC).obstacles
    assert "alias Search_DOCS has that name" in plan
    adopt(opened, team)
    assert "Search_DOCS has that name but for its case" in refused(opened, "docs")


def test_a_team_s_own_alias_of_its_class_becomes_the_index_s(
    opened: Repoint, team: WeaviateTeam, weaviate_client: WeaviateClient
) -> None:
    weaviate_client.alias.create(alias_name="Search_docs", target_collection=CLASS)
    assert opened.plan_adoption("docs", "v1", team.wish, spec=SPEC).obstacles == []
    adopt(opened, team)
    docs = opened.index("docs")
    docs.promote("v1")
    bring_in_step(docs, "v2", dimensions=32)
    docs.promote("v2", options=UNMEASURED)
    moved = weaviate_client.alias.get(alias_name="Search_docs")
    assert moved is not None
    assert moved.collection.startswith("Docs_v2_")
    assert docs.rollback(reason="worse").verified
    assert weaviate_client.alias.get(alias_name="Search_docs").collection == CLASS  # type: ignore[union-attr]


def test_an_alias_is_not_adopted_nor_is_a_class_with_tenants(
    opened: Repoint, team: WeaviateTeam, weaviate_client: WeaviateClient
) -> None:
    weaviate_client.alias.create(alias_name="Readers", target_collection=CLASS)
    wish = dataclasses.replace(team.wish, collection="readers")
    with pytest.raises(UnsupportedError, match="the alias Readers") as caught:
        opened.plan_adoption("docs", "v1", wish, spec=SPEC)
    assert f"--collection {CLASS}" in caught.value.hint
    weaviate_client.collections.create_from_dict(
        {"class": "Rented", "multiTenancyConfig": {"enabled": True}}
    )
    wish = dataclasses.replace(team.wish, collection="Rented")
    with pytest.raises(UnsupportedError, match="keeps tenants apart"):
        opened.plan_adoption("docs", "v1", wish, spec=SPEC)
