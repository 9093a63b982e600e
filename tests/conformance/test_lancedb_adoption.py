from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.lancedb_team import LanceTeam

from repoint.testing.adoption import AdoptionSuite
from repoint.testing.adoption_story import AdoptionStorySuite

pytestmark = [pytest.mark.backend("lancedb"), pytest.mark.slow]


@pytest.fixture
def team_of_lance(tmp_path: Path) -> Iterator[LanceTeam]:
    one = LanceTeam(tmp_path / "team")
    yield one
    one.close()


class TestLanceAdopter(AdoptionSuite):
    @pytest.fixture
    def team(self, team_of_lance: LanceTeam) -> LanceTeam:
        return team_of_lance


class TestLanceAdoption(AdoptionStorySuite):
    @pytest.fixture
    def team(self, team_of_lance: LanceTeam) -> LanceTeam:
        return team_of_lance
