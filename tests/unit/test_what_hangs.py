"""A test that not even its timeout can end is ended with its process, and named."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

CONFTEST: Final = Path(__file__).resolve().parents[1] / "conftest.py"
TESTS: Final = """
import signal
import threading

import pytest

# No timeout is heard, as where a test waits for a thread, or for something outside Python.
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})


@pytest.mark.timeout(0.5)
def test_that_never_ends():
    threading.Event().wait()


def test_another():
    pass
"""


@pytest.mark.slow
def test_a_test_that_waits_for_ever_is_ended_and_named(tmp_path: Path) -> None:
    shutil.copy(CONFTEST, tmp_path / "conftest.py")
    (tmp_path / "test_some.py").write_text(TESTS, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "1", "--color=no", "-p", "no:randomly"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, (done.stdout, done.stderr)
    assert "crashed while running 'test_some.py::test_that_never_ends'" in done.stdout
    assert "Timeout (0:00:01)!" in done.stderr  # and every thread's stack
    assert "1 failed, 1 passed" in done.stdout
