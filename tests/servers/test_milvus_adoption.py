"""Adoption in Milvus: milvus-lite as a server, or what ``REPOINT_MILVUS_URL`` names."""

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

from repoint.testing.adoption import AdoptionSuite
from repoint.testing.adoption_story import AdoptionStorySuite

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
