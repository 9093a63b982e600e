"""Processes count for themselves; one that is killed loses only what it had not stored."""

import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Final

from repoint import Repoint
from repoint.domain.ids import ReleaseName
from repoint.domain.telemetry import Arm, Count, Stage

CHILD: Final = """
import sys
from repoint import Repoint

repoint = Repoint.open(sys.argv[1], keep_in_step=False)
docs = repoint.index("docs")
for number in range(20):
    docs.search(f"number {number}")
print("asked", flush=True)
if sys.stdin.readline() == "store\\n":
    docs.telemetry_totals()  # stores what was counted
    print("stored", flush=True)
    docs.search("never stored")
    sys.stdin.readline()
repoint.close()
"""
#: Seconds that only a broken process lets pass.
ENOUGH_S: Final = 120
SPEC: Final = "model: {provider: hashing, dimensions: 32}\n"


def start(home: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def said(child: subprocess.Popen[str], word: str) -> None:
    assert child.stdout is not None
    assert child.stdout.readline() == f"{word}\n"


def test_a_killed_process_loses_only_what_it_had_not_stored(tmp_path: Path) -> None:
    with Repoint.init(tmp_path / "home") as repoint:
        docs = repoint.create_index("docs")
        docs.upsert({"id": f"d{n}", "text": f"number {n}"} for n in range(20))
        docs.create_release("v1", SPEC)
        docs.sync("v1")
        docs.promote("v1")
        children = [start(tmp_path / "home") for _ in range(3)]
        try:
            for child in children:
                said(child, "asked")
            for child in children[:2]:  # the third one is ended in an orderly way
                assert child.stdin is not None
                child.stdin.write("store\n")
                child.stdin.flush()
                said(child, "stored")
            children[0].send_signal(signal.SIGKILL)
            children[0].wait(timeout=ENOUGH_S)
            for child in children[1:]:
                child.communicate("end\n", timeout=ENOUGH_S)
        finally:
            for child in children:
                child.kill()
                child.communicate()

        docs.search("one of this process")
        found = docs.telemetry(since=timedelta(hours=1)).of(ReleaseName("v1"), Arm.ACTIVE)

    assert found.count(Count.QUERIES) == 20 + 21 + 20 + 1
    assert found.histogram(Stage.TOTAL).count == found.count(Count.QUERIES)
    assert found.count(Count.FAILED) == found.count(Count.LOST) == 0
