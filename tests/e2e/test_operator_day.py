"""An operator's day through real processes: from an empty folder to a dropped release."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Final, cast

import pytest

from repoint.domain.document import Json

_COMMAND: Final = [sys.executable, "-m", "repoint"]
_TOPICS: Final = ("dosage", "symptoms", "genetics", "treatment", "prognosis")


class Day:
    """Types commands in a folder and reads what they print."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "search"

    def typed(self, *args: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command that must end with this status."""
        done = subprocess.run(
            [*_COMMAND, "--home", str(self.home), *args],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
        )
        assert done.returncode == status, (args, done.stdout, done.stderr)
        return done

    def json(self, *args: str, status: int = 0) -> dict[str, Json]:
        """Run a command with ``--json`` and return what it printed."""
        return cast(
            "dict[str, Json]", json.loads(self.typed(*args, "--json", status=status).stdout)
        )

    def found(self, question: str, *more: str) -> list[str]:
        """Return the ids that a search finds, best first."""
        hits = cast(
            "list[dict[str, Json]]", self.json("search", "docs", question, *more)["hits"]
        )
        return [str(hit["id"]) for hit in hits]


@pytest.fixture
def day(tmp_path: Path) -> Day:
    """A folder with a corpus and two specs."""
    lines = [
        json.dumps(
            {
                "_id": f"d{number}",
                "title": f"Leaflet {number}",
                "text": f"Leaflet {number} explains {_TOPICS[number % 5]} of case {number}.",
                "metadata": {"group": _TOPICS[number % 5], "year": 2000 + number % 25},
            }
        )
        for number in range(500)
    ]
    (tmp_path / "corpus.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "v1.yaml").write_text("model: {provider: hashing, dimensions: 256}\n")
    (tmp_path / "v2.yaml").write_text("model: {provider: hashing, dimensions: 8}\n")
    return Day(tmp_path)


@pytest.mark.slow
def test_from_an_empty_folder_through_a_bad_update_and_back(day: Day) -> None:
    day.typed("init")
    day.typed("index", "create", "docs")
    assert day.json("ingest", "docs", "corpus.jsonl")["written"] == 500

    day.typed("release", "create", "docs", "v1", "--spec", "v1.yaml")
    assert day.json("sync", "docs", "v1", "--plan")["rows"] == 500
    assert day.json("sync", "docs", "v1")["complete"] is True
    assert day.json("promote", "docs", "v1", "--reason", "go live")["epoch"] == 1
    before = day.found("Leaflet 77 explains case 77", "-k", "3")
    assert before[0] == "d77"

    day.typed("release", "create", "docs", "v2", "--spec", "v2.yaml")
    assert day.json("release", "diff", "docs", "v1", "v2")["same_fingerprint"] is False
    day.typed("sync", "docs", "v2")
    day.typed("promote", "docs", "v2", status=3)  # nobody measured it
    day.typed("promote", "docs", "v2", "--without-evaluation", "an experiment")

    # Written, edited and deleted while the bad release answers.
    new = {"_id": "new", "text": "The quokka leaflet", "metadata": {"group": "dosage"}}
    edited = {"_id": "d10", "text": "A rewritten leaflet about axolotls"}
    (day.folder / "today.jsonl").write_text(f"{json.dumps(new)}\n{json.dumps(edited)}\n")
    day.typed("ingest", "docs", "today.jsonl")
    day.typed("delete", "docs", "d77")

    back = day.json("rollback", "docs", "--reason", "relevance fell")
    assert back["verified"] is True
    assert (back["failed"], back["active"], back["epoch"]) == ("v2", "v1", 3)
    assert Path(str(back["evidence"])).exists()

    after = day.found("Leaflet 77 explains case 77", "-k", "3")
    assert "d77" not in after
    assert day.found("quokka", "-k", "1") == ["new"]
    assert day.found("axolotls", "-k", "1") == ["d10"]
    where = day.found("leaflet", "-k", "50", "--filter", 'group = "dosage" and year >= 2020')
    assert where
    assert all(int(one[1:]) % 5 == 0 for one in where if one != "new")
    assert day.json("diff", "docs", "v1", "v2")["clean"] is True

    # Clearing up: the failed release is held until someone says why it may go.
    day.typed("retire", "docs", "v2")
    refused = day.typed("drop", "docs", "v2", status=3)
    assert "hold" in refused.stderr
    day.typed("hold", "lift", "docs", "v2", "--reason", "diagnosed")
    day.typed("drop", "docs", "v2")
    assert day.json("reconcile") == {"mended": [], "left": []}
    assert day.json("audit", "verify")["verified"] is True
    kinds = [
        cast("dict[str, Json]", one)["kind"]
        for one in cast("list[Json]", day.json("history", "docs")["moves"])
    ]
    assert kinds == ["rollback", "promote", "activate"]
