"""What only real processes show: signals, two operators at once, a reader that goes away."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest
from tests.unit.cli.conftest import OTHER_SPEC, Shell

from repoint.client import Repoint
from repoint.domain.ids import index_name, release_name
from repoint.wiring.clock import SystemClock

_COMMAND = [sys.executable, "-m", "repoint"]
#: As the command, but a shell that runs the tests in the background lets its children ignore
#: Ctrl-C.
_HEEDING = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("repoint", run_name="__main__", alter_sys=True)
"""


class _Start(Protocol):
    def __call__(self, shell: Shell, *args: str) -> subprocess.Popen[str]: ...


@pytest.fixture
def start() -> Iterator[_Start]:
    """Start a command in a process of its own, which ends with the test at the latest."""
    started: list[subprocess.Popen[str]] = []

    def start_(shell: Shell, *args: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", _HEEDING, "--home", str(shell.home), *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "REPOINT_ACTOR": "ana"},
        )
        started.append(process)
        return process

    yield start_
    for process in started:
        process.kill()
        with process:  # closes what is read from it, and waits
            pass


def _until(holds: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Return once it holds; fail when the process ends before."""
    clock = SystemClock()
    while not holds():
        assert process.poll() is None, process.communicate()
        clock.sleep(0.01)


def _window_is_open(opened: Repoint, release: str) -> bool:
    with opened.session.store.read() as view:
        return view.catchup.window(index_name("docs"), release_name(release)) is not None


@pytest.fixture
def backfilling(docs: Shell) -> Shell:
    """Four hundred documents and a release that takes them slowly."""
    docs.ok("ingest", "docs", docs.corpus(400))
    spec = docs.file("v1.yaml", OTHER_SPEC)
    docs.ok("release", "create", "docs", "v1", "--spec", spec)
    return docs


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_sync_that_is_stopped_loses_nothing(
    backfilling: Shell, start: _Start, number: int, status: int
) -> None:
    process = start(backfilling, "sync", "docs", "v1", "--throttle", "1/s")
    with Repoint.open(backfilling.home) as opened:
        _until(lambda: _window_is_open(opened, "v1"), process)
    process.send_signal(number)
    _, said = process.communicate()
    assert process.returncode == status
    assert "the same command goes on from there" in said
    assert "Traceback" not in said
    backfilling.ok("sync", "docs", "v1", "--throttle", "0")
    assert backfilling.json("diff", "docs", "v1")["clean"] is True


def test_of_two_operators_at_once_exactly_one_rolls_back(shell: Shell, start: _Start) -> None:
    shell.promoted()
    both = [start(shell, "rollback", "docs", "--reason", f"by {n}", "--json") for n in (1, 2)]
    ended = [(one.communicate(), one.returncode) for one in both]
    statuses = sorted(status for _, status in ended)
    # The other one comes while it is under way (4), or finds nothing left to go back to (3).
    assert statuses[0] == 0
    assert statuses[1] in {3, 4}
    refused = next(said for (_, said), status in ended if status != 0)
    assert json.loads(refused)["error"]["code"] in {
        "operation-in-progress",
        "refused-move",
        "stale-epoch",
        "conflict",
    }
    status = shell.json("status", "docs")
    assert (status["active"], status["epoch"]) == ("v1", 3)
    shell.ok("audit", "verify")


def test_a_worker_keeps_releases_in_step_until_it_is_told_to_stop(
    backfilling: Shell, start: _Start
) -> None:
    backfilling.ok("sync", "docs", "v1")
    worker = start(backfilling, "worker", "docs")
    with Repoint.open(backfilling.home, keep_in_step=False) as opened:
        docs = opened.index("docs")
        docs.upsert([{"id": "new", "text": "a fresh word"}])
        _until(lambda: all(one.lag == 0 for one in docs.status().releases), worker)
    worker.send_signal(signal.SIGTERM)
    said, _ = worker.communicate()
    assert worker.returncode == 0
    assert "nothing is half done" in said


def test_a_watched_status_is_drawn_until_ctrl_c_ends_it_well(
    moved: Shell, start: _Start
) -> None:
    process = start(moved, "status", "docs", "--watch")
    assert process.stdout is not None
    assert process.stdout.readline().startswith("docs: v2 answers")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 0
    assert said == ""


def test_a_reader_that_goes_away_ends_a_command_quietly(moved: Shell, start: _Start) -> None:
    process = start(moved, "release", "show", "docs", "v1")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait() in {0, 141}
    assert "Traceback" not in said
    assert "BrokenPipe" not in said


def test_misuse_is_json_too_when_json_was_asked_for(tmp_path: Path) -> None:
    done = subprocess.run(
        [*_COMMAND, "--home", str(tmp_path), "rollback", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert json.loads(done.stderr)["error"]["code"] == "usage"
