"""Adoption in Milvus: milvus-lite as a server, or what ``REPOINT_MILVUS_URL`` names."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.servers.milvus_team import (
    DynamicMilvusTeam,
    MilvusTeam,
    emptied,
    milvus_client,
    milvus_url,
)

from repoint.domain.document import Json
from repoint.domain.errors import UnsupportedError
from repoint.ports.adoption import adopter_of
from repoint.testing.adoption import AdoptionSuite
from repoint.testing.adoption_story import AdoptionStorySuite, adopt, open_workspace
from repoint.testing.team import SPEC, TeamRow, row, vectors

pytestmark = [pytest.mark.backend("milvus"), pytest.mark.engine, pytest.mark.slow]


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    with milvus_url() as url:
        yield url


def teams(kind: type[MilvusTeam], url: str, folder: Path) -> Iterator[MilvusTeam]:
    emptied(url, "articles")
    client = milvus_client(url)
    yield kind(client, url, folder)
    client.close()
    emptied(url, "articles")


@pytest.fixture
def milvus_team(server_url: str, tmp_path: Path) -> Iterator[MilvusTeam]:
    yield from teams(MilvusTeam, server_url, tmp_path)


@pytest.fixture
def dynamic_team(server_url: str, tmp_path: Path) -> Iterator[MilvusTeam]:
    yield from teams(DynamicMilvusTeam, server_url, tmp_path)


class TestMilvusAdopter(AdoptionSuite):
    @pytest.fixture
    def team(self, milvus_team: MilvusTeam) -> MilvusTeam:
        return milvus_team


class TestMilvusAdopterOfMadeKeys(AdoptionSuite):
    @pytest.fixture
    def team(self, dynamic_team: MilvusTeam) -> MilvusTeam:
        return dynamic_team


class TestMilvusAdoption(AdoptionStorySuite):
    @pytest.fixture
    def team(self, milvus_team: MilvusTeam) -> MilvusTeam:
        return milvus_team


class TestMilvusAdoptionOfMadeKeys(AdoptionStorySuite):
    @pytest.fixture
    def team(self, dynamic_team: MilvusTeam) -> MilvusTeam:
        return dynamic_team


@pytest.mark.parametrize("kind", [MilvusTeam, DynamicMilvusTeam])
def test_a_scan_of_many_pages_ends_with_the_last(
    server_url: str, tmp_path: Path, kind: type[MilvusTeam]
) -> None:
    for team in teams(kind, server_url, tmp_path):
        names = [f"d{n}" for n in range(3_500)]
        (vector,) = vectors(["a note"])
        for start in range(0, len(names), 500):
            team.put(
                TeamRow(id=name, body="a note", topic="", number=1, vector=vector)
                for name in names[start : start + 500]
            )
        backend = team.backend()
        adopter = adopter_of(backend)
        layout = adopter.look(team.wish, alias="docs").layout
        pages = [adopter.read(layout, after="", limit=1_000)]
        while pages[-1].cursor is not None:
            pages.append(adopter.read(layout, after=pages[-1].cursor, limit=1_000))
        assert [len(page.rows) for page in pages] == [1_000, 1_000, 1_000, 500]
        found = [one.document.id for page in pages for one in page.rows]
        assert sorted(found) == sorted(names)
        backend.close()


def test_keys_that_occur_twice_are_refused(milvus_team: MilvusTeam) -> None:
    milvus_team.put(row(f"d{n}", f"text of d{n}") for n in range(20))
    twice = milvus_team.made(row("d7", "another text"))
    milvus_team.client.insert("articles", [twice])
    backend = milvus_team.backend()
    if "d7" in milvus_team.rows() and milvus_team.counted() == 20:
        return  # milvus-lite replaces it, as an upsert does
    with pytest.raises(UnsupportedError, match="'d7', which occurs more than once"):
        adopter_of(backend).look(milvus_team.wish, alias="docs")
    milvus_team.client.upsert("articles", [twice])
    assert adopter_of(backend).look(milvus_team.wish, alias="docs").rows == 20


def test_ids_that_occur_twice_are_refused(dynamic_team: MilvusTeam) -> None:
    dynamic_team.put(row(f"d{n}", f"text of d{n}") for n in range(5))
    dynamic_team.client.insert("articles", [dynamic_team.made(row("d3", "another text"))])
    with pytest.raises(UnsupportedError, match="slug 'd3', which occurs more than once"):
        adopter_of(dynamic_team.backend()).look(dynamic_team.wish, alias="docs")


def test_keys_that_the_server_makes_can_be_the_ids(
    dynamic_team: MilvusTeam, tmp_path: Path
) -> None:
    """A document keeps its id where its row gets another key."""
    dynamic_team.put(row(f"d{n}", f"text of d{n}", topic="t", number=n) for n in range(8))
    wish = dataclasses.replace(dynamic_team.wish, id_field="pk", metadata=None)
    with open_workspace(tmp_path / "home", dynamic_team) as opened:
        report = opened.adopt("docs", "v1", wish, spec=SPEC)
        assert (report.rows, report.embedded) == (8, 0)
        docs = opened.index("docs")
        docs.promote("v1")
        (hit,) = docs.search("text of d3", k=1).hits
        assert (hit.metadata["slug"], hit.metadata["note"]) == ("d3", "the team's own")
        changed = {**hit.metadata, "number": 33}
        docs.upsert([{"id": hit.id, "text": "changed text", "metadata": changed}], wait="all")
        docs.upsert(
            [{"id": "fresh", "text": "fresh text", "metadata": {"slug": "d9", "number": 9}}],
            wait="all",
        )
        rows = dynamic_team.rows()
        assert (len(rows), rows["d3"].body, rows["d3"].number) == (9, "changed text", 33)
        assert docs.search("changed text", k=1).hits[0].id == hit.id
        assert docs.search("fresh text", k=1).hits[0].id == "fresh"
        assert docs.diff("v1").clean
        assert not docs.adopted.plan().taken
        docs.delete([hit.id, "fresh"], wait="all")
        assert not {"d3", "d9"} & set(dynamic_team.rows())
        assert docs.diff("v1").clean


def test_ids_of_any_characters_are_found_again(milvus_team: MilvusTeam, tmp_path: Path) -> None:
    odd = ['a"b', "a'b", "a\\b", "ü \n\t\r", "日本", "%s{x}", "]) or true"]
    milvus_team.put(row(name, f"text of {n}", number=n) for n, name in enumerate(odd))
    with open_workspace(tmp_path / "home", milvus_team) as opened:
        assert adopt(opened, milvus_team).rows == len(odd)
        docs = opened.index("docs")
        docs.promote("v1")
        new: dict[str, Json] = {"text": "written", "metadata": {"topic": "t", "number": 1}}
        docs.upsert([{"id": name, **new} for name in odd[:3]], wait="all")
        docs.delete(odd[3:], wait="all")
        rows = milvus_team.rows()
        assert sorted(rows) == sorted(odd[:3])
        assert {one.body for one in rows.values()} == {"written"}
        assert docs.diff("v1").clean


def test_a_text_that_is_too_long_for_the_team_s_field_is_a_dead_letter(
    milvus_team: MilvusTeam, tmp_path: Path
) -> None:
    milvus_team.put(row(f"d{n}", f"text of d{n}", topic="t", number=n) for n in range(8))
    with open_workspace(tmp_path / "home", milvus_team) as opened:
        adopt(opened, milvus_team)
        docs = opened.index("docs")
        metadata: dict[str, Json] = {"topic": "t", "number": 1}
        docs.upsert(
            [
                {"id": "long", "text": "é" * 1_500, "metadata": metadata},
                {"id": "fits", "text": "é" * 900, "metadata": metadata},
            ]
        )
        docs.sync("v1")
        assert "fits" in milvus_team.rows()
        (letter,) = docs.dead_letters("v1")
        assert letter.document == "long"
        assert "at most 2000 bytes" in letter.reason
