"""Serving processes follow a canary: its share, and its end by a rollback, at once."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

from repoint import Repoint
from repoint.client import Index
from repoint.operations.rollback import RollbackOptions

#: Only a broken process takes so long to confirm an epoch.
ENOUGH: Final = timedelta(minutes=2)

CHILD: Final = """
import json, sys
from repoint import Repoint

with Repoint.open(sys.argv[1], keep_in_step=False) as repoint:
    docs = repoint.index("docs")
    docs.search("number 1")
    print("ready", flush=True)
    for line in sys.stdin:
        if line == "end\\n":
            break
        answers = [docs.search("number 1", key=f"user-{n}") for n in range(40)]
        told = [[one.release, one.epoch, one.arm, one.id] for one in answers]
        print(json.dumps(told), flush=True)
"""


@contextmanager
def serving(home: Path) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        yield child
    finally:
        child.kill()
        child.communicate()


def asked(child: subprocess.Popen[str]) -> list[list[str | int]]:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write("ask\n")
    child.stdin.flush()
    found: list[list[str | int]] = json.loads(child.stdout.readline())
    return found


def index(repoint: Repoint) -> Index:
    docs = repoint.create_index("docs")
    docs.upsert({"id": f"d{n}", "text": f"number {n}"} for n in range(20))
    for name, dimensions in (("v1", 64), ("v2", 32)):
        docs.create_release(name, f"model: {{provider: hashing, dimensions: {dimensions}}}\n")
        docs.sync(name)
        if name == "v1":
            docs.promote(name)
    return docs


def test_every_process_gives_each_key_the_same_release_and_ends_it_with_the_rollback(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    with Repoint.init(home) as repoint:
        docs = index(repoint)
        with serving(home) as one, serving(home) as other:
            assert {answer[0] for answer in asked(one)} == {"v1"}

            report = docs.traffic.canary("v2", share=0.5, ack_timeout=ENOUGH)

            assert report.findings[-1].status == "ok"  # both have confirmed it
            here, there = asked(one), asked(other)
            assert [answer[:3] for answer in here] == [answer[:3] for answer in there]
            assert {(answer[0], answer[1], answer[2]) for answer in here} == {
                ("v2", 2, "canary"),
                ("v1", 2, "baseline"),
            }
            # Any process takes the feedback on any process's answer, once a key.
            assert docs.feedback(str(here[0][3]), clicked=["d1"]).counted
            assert not docs.feedback(str(there[0][3]), clicked=["d1"]).counted

            back = docs.rollback(reason="errors", options=RollbackOptions(ack_timeout=ENOUGH))

            assert back.verified
            for child in (one, other):
                assert {(answer[0], answer[1]) for answer in asked(child)} == {("v1", 3)}
        with docs_of(home) as later:
            assert later.search("number 1", key="user-1").epoch == 3


@contextmanager
def docs_of(home: Path) -> Iterator[Index]:
    with Repoint.open(home) as repoint:
        yield repoint.index("docs")
