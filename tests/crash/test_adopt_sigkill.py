"""A process that adopts is killed at any moment, again and again; the next one goes on."""

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.lancedb_team import LanceTeam
from tests.servers.pgvector_team import PgvectorTeam

from repoint.client import Repoint
from repoint.testing.adoption_story import open_workspace
from repoint.testing.postgres import PostgresServer
from repoint.testing.story import document
from repoint.testing.team import Team, row_of

pytestmark = pytest.mark.slow

ROWS = 300
#: The page after those that a process is let finish: it dies in that one, at the latest.
MORE = 1
#: Pages of 20 rows, so that there are many moments between two writes. After so many it waits:
#: however late the kill comes, it comes in time.
CHILD = """
import sys
from repoint.client import Repoint
from repoint.ports.adoption import Wish
from repoint.operations.adopt import scanning
from repoint.testing.team import SPEC
scanning.PAGE = 20
wish = Wish(
    collection="articles", id_field="id", text_field="body", metadata=("topic", "number")
)
left = int(sys.argv[2])

def progress(now):
    global left
    left -= 1
    print(now.rows, flush=True)
    if left == 0:
        sys.stdin.read()

with Repoint.open(sys.argv[1]) as opened:
    opened.adopt("docs", "v1", wish, spec=SPEC, progress=progress)
print("complete", flush=True)
"""


@pytest.fixture
def lance(tmp_path: Path) -> LanceTeam:
    return LanceTeam(tmp_path / "team")


@pytest.fixture
def pgvector(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PgvectorTeam]:
    name = postgres_server.database()
    monkeypatch.setenv("TEAM_DATABASE_URL", postgres_server.url(name))
    one = PgvectorTeam(postgres_server.url(name))
    yield one
    one.close()
    postgres_server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def killed_after(home: Path, pages: int, *, chance: random.Random) -> str:
    """Kill the process some time after so many pages; return the last line that it printed."""
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(home), str(pages + MORE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        last = ""
        for _ in range(pages):
            last = child.stdout.readline().strip() or last
        try:
            child.wait(chance.random() * 0.01)
        except subprocess.TimeoutExpired:
            child.kill()
        return (child.stdout.read().split() or [last])[-1]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("lance", marks=pytest.mark.backend("lancedb")),
        pytest.param("pgvector", marks=pytest.mark.backend("pgvector")),
    ],
)
def test_a_scan_that_is_killed_anywhere_is_finished(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    team: Team = request.getfixturevalue(name)
    team.put(row_of(f"d{n}", document(n, version=0)) for n in range(ROWS))
    before = team.rows()
    home = tmp_path / "home"
    open_workspace(home, team).close()
    chance = random.Random(11)  # noqa: S311 - where it is cut, no secret
    kills = 0
    while killed_after(home, chance.randrange(5), chance=chance) != "complete":
        kills += 1
        assert kills < 40
    assert kills >= 3
    with Repoint.open(home) as opened:
        docs = opened.index("docs")
        status = docs.status()
        (release,) = status.releases
        assert (status.head, release.watermark, release.lag) == (ROWS, ROWS, 0)
        assert docs.diff("v1").clean
        assert not docs.adopted.plan().taken
        docs.promote("v1")
        assert docs.search("comets 0 of d2", k=1).release == "v1"
        opened.verify_audit()
    after = team.rows()
    assert all(after[name].same(one) for name, one in before.items())
