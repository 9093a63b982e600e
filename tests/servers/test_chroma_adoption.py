"""Adoption in Chroma: a server started here, or what ``REPOINT_CHROMA_URL`` names."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.servers.chroma_team import ChromaTeam, KeyedChromaTeam, chroma_url

from repoint.testing.adoption import AdoptionSuite
from repoint.testing.adoption_story import AdoptionStorySuite

pytestmark = [pytest.mark.backend("chroma"), pytest.mark.engine, pytest.mark.slow]


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    with chroma_url() as url:
        yield url


@pytest.fixture
def chroma_team(server_url: str, tmp_path: Path) -> Iterator[ChromaTeam]:
    team = ChromaTeam(server_url, tmp_path)
    yield team
    team.close()


@pytest.fixture
def keyed_team(server_url: str, tmp_path: Path) -> Iterator[ChromaTeam]:
    team = KeyedChromaTeam(server_url, tmp_path)
    yield team
    team.close()


class TestChromaAdopter(AdoptionSuite):
    @pytest.fixture
    def team(self, chroma_team: ChromaTeam) -> ChromaTeam:
        return chroma_team


class TestChromaAdopterOfKeyedTexts(AdoptionSuite):
    @pytest.fixture
    def team(self, keyed_team: ChromaTeam) -> ChromaTeam:
        return keyed_team


class TestChromaAdoption(AdoptionStorySuite):
    @pytest.fixture
    def team(self, chroma_team: ChromaTeam) -> ChromaTeam:
        return chroma_team
