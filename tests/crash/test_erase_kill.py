"""SIGKILL at any moment of an erasure on the embedded default: the next command proves it."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from repoint import Repoint
from repoint.backends.lancedb.forgetting import ABANDONED
from repoint.domain.spec import ChunkingSpec, ModelSpec, ReleaseSpec
from repoint.operations.promote import PromoteOptions

TEXT: Final = "Frau Zwetschgenbaum lives in the Kirschallee. She has a rare illness, they say."
MAIL: Final = "zwetschgenbaum-17@example.org"
#: Moments after the start, spread over what an erasure takes.
MOMENTS: Final = (0.05, 0.2, 0.45, 0.8, 1.2, 1.6)

CHILD: Final = """
import sys
from repoint import Repoint

with Repoint.open(sys.argv[1], keep_in_step=False) as repoint:
    docs = repoint.index("docs")
    print("ready", flush=True)
    sys.stdin.readline()
    docs.erase(["d17"], reason="request 1")
    print("done", flush=True)
"""


def spec(seed: int) -> ReleaseSpec:
    return ReleaseSpec(
        model=ModelSpec(provider="hashing", dimensions=16, options={"seed": seed}),
        chunking=ChunkingSpec(size=40),
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """v1 answers, v2 is a held failure."""
    folder = tmp_path / "workspace"
    with Repoint.init(folder) as repoint:
        docs = repoint.create_index("docs")
        docs.upsert({"id": f"d{n}", "text": f"document {n}."} for n in range(60))
        docs.upsert([{"id": "d17", "text": TEXT, "metadata": {"mail": MAIL}}])
        for name, seed in (("v1", 1), ("v2", 2)):
            docs.create_release(name, spec(seed))
            docs.sync(name)
            docs.promote(name, options=PromoteOptions(without_evaluation="a test"))
        docs.rollback(reason="worse")
    return folder


def killed(home: Path, after_s: float) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.stdin.write("go\n")
        child.stdin.flush()
        try:
            child.wait(timeout=after_s)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)


def age(home: Path) -> None:
    """Let the files of writes that never ended be old enough to go."""
    for file in (home / "collections").rglob("*"):
        if file.parent.name in {"data", "_indices"}:
            old = file.stat().st_mtime - ABANDONED.total_seconds()
            os.utime(file, (old, old))


@pytest.mark.slow
@pytest.mark.parametrize("after_s", MOMENTS)
def test_an_erasure_killed_at_any_moment_is_finished_with_proof(
    home: Path, after_s: float
) -> None:
    killed(home, after_s)
    age(home)

    with Repoint.open(home, keep_in_step=False) as repoint:
        docs = repoint.index("docs")
        reports = docs.finish_erasures()
        if not reports:  # killed before it was recorded, or done already
            reports = [docs.erase(["d17"], reason="request 1")]
        assert all(one.verified for one in reports), reports
        for name in ("v1", "v2"):
            assert docs.sync(name).complete
            assert docs.diff(name).clean
        repoint.verify_audit()

    for file in home.rglob("*"):
        if file.is_file():
            data = file.read_bytes()
            assert b"Zwetschgenbaum" not in data, file
            assert MAIL.encode() not in data, file
