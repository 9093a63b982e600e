"""The table of backends says the same in however many processes the tests ran."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

CONFTEST: Final = Path(__file__).resolve().parents[1] / "conftest.py"
TESTS: Final = """
import pytest


@pytest.mark.backend("one")
@pytest.mark.parametrize("number", range(3))
def test_passes(number):
    pass


@pytest.mark.backend("one")
@pytest.mark.xfail(reason="not yet", strict=True)
def test_fails_as_expected():
    raise ValueError


@pytest.mark.backend("one")
def test_fails():
    raise ValueError


@pytest.mark.backend("two")
def test_is_skipped():
    pytest.skip("it is away")


@pytest.mark.server("absent")
def test_needs_a_server():
    pass


def test_learns_of_its_backend_while_it_runs(backends_seen):
    backends_seen("three")


def test_of_no_backend():
    pass
"""
MARKERS: Final = "backend(name): x\nserver(name): x"
TABLE: Final = """\
one            ran      1 failed, 3 passed, 1 xfailed
three          ran      1 passed
absent         SKIPPED  1 skipped (no server: REPOINT_ABSENT_URL is not set)
two            SKIPPED  1 skipped (it is away)
"""
NOT_RUN: Final = ["1  it is away", "1  no server: REPOINT_ABSENT_URL is not set"]


@pytest.mark.parametrize("workers", [0, 2])
def test_the_summary_is_the_same_from_one_process_and_from_many(
    tmp_path: Path, workers: int
) -> None:
    shutil.copy(CONFTEST, tmp_path / "conftest.py")
    (tmp_path / "test_some.py").write_text(TESTS, encoding="utf-8")
    indented = MARKERS.replace("\n", "\n  ")
    (tmp_path / "pytest.ini").write_text(
        f"[pytest]\nmarkers =\n  {indented}\n", encoding="utf-8"
    )
    command = [sys.executable, "-m", "pytest", "-n", str(workers), "--color=no"]
    done = subprocess.run(
        [*command, "--randomly-seed=7"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, (done.stdout, done.stderr)
    assert "Using --randomly-seed=7" in done.stdout
    table = re.search(
        r"^=+ backends =+\n(.*?)^=+ not run", done.stdout, re.MULTILINE | re.DOTALL
    )
    assert table is not None, done.stdout
    assert table[1] == TABLE
    _, _, reasons = done.stdout.partition("not run, by reason")
    assert sorted(line.strip() for line in reasons.splitlines()[1:3]) == NOT_RUN
