"""``repoint render``: a file that follows the pointer, and a command that moves wait for."""

import json
import sys
from pathlib import Path

import pytest
from tests.unit.cli.conftest import Shell
from tests.unit.cli.test_routes import ENOUGH_S, line, started

from repoint.wiring.clock import SystemClock


@pytest.fixture
def live(shell: Shell) -> Shell:
    """An index whose v2 answers and whose v1 is the fallback."""
    shell.promoted()
    return shell


def python(code: str) -> str:
    return f'{sys.executable} -c "{code}"'


#: Adds a line with the release that it is told of.
TELL = python(
    "import os; open('told.txt', 'a').write(os.environ['REPOINT_ROUTE_RELEASE'] + '\\n')"
)


@pytest.fixture(autouse=True)
def _in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def told(live: Shell) -> list[str]:
    file = live.folder / "told.txt"
    return file.read_text(encoding="utf-8").split() if file.exists() else []


def test_without_a_file_it_is_printed(live: Shell) -> None:
    assert json.loads(live.ok("render", "docs"))["release"] == "v2"
    assert "REPOINT_ROUTE_RELEASE=v2\n" in live.ok("render", "docs", "--format", "env")
    assert live.ok("render", "docs", "--format", "yaml").startswith("index: docs\n")


def test_the_command_runs_once_a_change(live: Shell) -> None:
    args = ("render", "docs", "--out", "route.json", "--on-move", TELL)
    assert live.json(*args)["changed"] is True
    assert live.json(*args)["changed"] is False
    live.ok("rollback", "docs", "--reason", "worse")
    assert live.json(*args)["changed"] is True
    assert told(live) == ["v2", "v1"]


def test_a_command_that_failed_is_run_again(live: Shell) -> None:
    failing = ("render", "docs", "--out", "route.json", "--on-move", "false")
    live.refused(3, *failing)
    live.refused(3, *failing)
    live.ok("render", "docs", "--out", "route.json", "--on-move", TELL)
    assert told(live) == ["v2"]
    (live.folder / "route.json").write_text("{}", encoding="utf-8")
    live.refused(3, *failing)
    live.refused(3, *failing)  # the file is right again, but nobody was told so


def test_no_shell_reads_the_command(live: Shell) -> None:
    said = live.refused(3, "render", "docs", "--on-move", "echo; touch owned")
    assert "cannot be run" in said
    assert not (live.folder / "owned").exists()
    assert "cannot be read" in live.refused(3, "render", "docs", "--on-move", "it's")


def test_check_compares_the_file_with_the_pointer(live: Shell) -> None:
    live.ok("render", "docs", "--out", "route.json")
    live.ok("check", "docs")
    live.ok("rollback", "docs", "--reason", "worse")
    late = live.run("check", "docs")
    assert late.exit_code == 3
    assert "still holds v2 (epoch 2), not v1 (epoch 3)" in late.stdout
    live.ok("render", "docs", "--out", "route.json")
    file = live.folder / "route.json"
    file.write_text(file.read_text(encoding="utf-8") + " ", encoding="utf-8")
    assert "is not what its reader was last told of" in live.run("check", "docs").stdout
    file.unlink()
    assert "is gone" in live.run("check", "docs").stdout
    assert live.json("render", "docs", "--out", "route.json", "--forget")["forgotten"] is True
    assert "rendered" not in live.ok("check", "docs")


def test_watched_a_move_waits_until_the_command_has_succeeded(live: Shell) -> None:
    args = ("render", "docs", "--out", "route.json", "--watch", "--on-move", TELL, "--json")
    with started(live, *args) as process:
        assert json.loads(line(process))["release"] == "v2"
        patient = ("--ack-timeout", str(ENOUGH_S))
        report = json.dumps(live.json("rollback", "docs", "--reason", "worse", *patient))
        assert "1 of 1 serving processes are on epoch 3" in report
        assert told(live) == ["v2", "v1"]
        done = json.loads(line(process))
        assert (done["release"], done["epoch"], done["command_status"]) == ("v1", 3, 0)
    assert json.loads((live.folder / "route.json").read_text("utf-8"))["epoch"] == 3


def test_watched_a_command_that_fails_is_named_by_the_move_and_tried_again(
    live: Shell,
) -> None:
    # It fails while there is a file in its way.
    command = python("import os, sys; sys.exit(os.path.exists('blocked'))")
    blocked = live.folder / "blocked"
    args = ("render", "docs", "--out", "route.json", "--watch", "--on-move", command, "--json")
    with started(live, *args) as process:
        line(process)
        blocked.touch()
        said = live.run(
            "rollback", "docs", "--reason", "worse", "--ack-timeout", "0.5", "--json"
        )
        assert "repoint render --watch" in said.stdout
        assert json.loads(line(process))["command_status"] == 1
        blocked.unlink()
        while json.loads(line(process))["command_status"] != 0:
            pass
        clock = SystemClock()
        deadline = clock.monotonic() + ENOUGH_S
        while live.json("status", "docs")["processes"][0]["epoch"] != 3:  # type: ignore[index,call-overload]
            assert clock.monotonic() < deadline
