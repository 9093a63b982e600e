"""SIGKILL while evidence is exported: a bundle is whole or not there."""

import random
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from repoint import Repoint
from repoint.client.evidence import verify
from repoint.domain.spec import ModelSpec, ReleaseSpec
from repoint.operations.promote import PromoteOptions

CHILD = """
import sys
from pathlib import Path
from repoint import Repoint

home, out, start = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
with Repoint.open(home, keep_in_step=False) as repoint:
    print("ready", flush=True)
    sys.stdin.readline()
    for turn in range(start, start + 1000):
        repoint.evidence.export("docs", 1, out=out / f"b{turn}.tar.gz")
        print(turn, flush=True)
"""


@pytest.mark.slow
def test_a_killed_export_leaves_no_half_file(tmp_path: Path) -> None:
    home, out = tmp_path / "ws", tmp_path / "out"
    out.mkdir()
    with Repoint.init(home) as repoint:
        docs = repoint.create_index("docs")
        docs.upsert([{"id": "a", "text": "one"}])
        docs.create_release(
            "v1", ReleaseSpec(model=ModelSpec(provider="hashing", dimensions=8))
        )
        docs.sync("v1")
        docs.promote("v1", options=PromoteOptions(without_evaluation="the first"))
    chance = random.Random(7)  # noqa: S311 - moments, not secrets
    for turn in range(6):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(home), str(out), str(turn * 1000)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.stdin.write("\n")
        child.stdin.flush()
        for _ in range(turn % 4):
            child.stdout.readline()
        # Somewhere within the next one, which takes some hundredths of a second.
        with suppress(subprocess.TimeoutExpired):
            child.wait(timeout=chance.uniform(0.0, 0.05))
        child.send_signal(signal.SIGKILL)
        child.communicate()
    bundles = sorted(out.glob("*.tar.gz"))
    assert bundles
    for path in bundles:
        assert verify(path, home=home).trusted_by == "workspace"
    # What a killed process left goes with the next export to the same place.
    left = out / f".{bundles[0].name}.{2**22 + 1}.part"
    left.write_bytes(b"half")
    bundles[0].unlink()
    with Repoint.open(home, keep_in_step=False) as repoint:
        assert repoint.evidence.export("docs", 1, out=bundles[0]).written
        assert repoint.verify_audit() > len(bundles)
    assert not left.exists()
