"""``repoint route --watch`` and ``repoint serve`` as real processes, which moves wait for."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest
from tests.unit.cli.conftest import Shell

#: Seconds that only a broken process lets pass.
ENOUGH_S = 120.0


@contextmanager
def started(shell: Shell, *args: str, killed: bool = False) -> Iterator[subprocess.Popen[str]]:
    """Run a command in a process of its own; it is ended with SIGTERM, and must end well."""
    process = subprocess.Popen(
        [sys.executable, "-m", "repoint", "--home", str(shell.home), *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "REPOINT_ACTOR": "ana"},
    )
    try:
        yield process
        if killed:
            return
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=ENOUGH_S)
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def live(shell: Shell) -> Shell:
    """An index whose v2 answers and whose v1 is the fallback."""
    shell.promoted()
    return shell


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def serving(shell: Shell) -> list[str]:
    processes = shell.json("status", "docs")["processes"]
    assert isinstance(processes, list)
    return [str(one["program"]) for one in processes if isinstance(one, dict)]


def test_a_watched_route_is_a_line_a_move_and_the_move_waits_for_it(live: Shell) -> None:
    with started(live, "route", "docs", "--watch", "--json") as process:
        first = json.loads(line(process))
        assert (first["release"], first["epoch"]) == ("v2", 2)
        assert serving(live) == ["repoint route --watch"]
        patient = ("--ack-timeout", str(ENOUGH_S))
        report = live.json("rollback", "docs", "--reason", "worse", *patient)
        second = json.loads(line(process))
        assert (second["release"], second["epoch"]) == ("v1", 3)
        assert "1 of 1 serving processes are on epoch 3" in json.dumps(report)
    assert serving(live) == []


def test_a_watched_route_for_people_names_every_part(live: Shell) -> None:
    with started(live, "route", "docs", "--watch") as process:
        told = [line(process) for _ in range(7)]
    assert told[0].split() == ["index", "docs"]
    assert any(one.startswith("query model hashing") for one in told)


def test_a_server_is_ended_by_a_signal_and_leaves_nothing_behind(live: Shell) -> None:
    with started(live, "serve", "--port", "0", "--json") as process:
        told = "".join(line(process) for _ in range(3))
        url = json.loads(told)["url"]
        assert httpx2.get(f"{url}/v1/health", timeout=ENOUGH_S).json() == {"status": "ok"}
        route = httpx2.get(f"{url}/v1/indexes/docs/route", timeout=ENOUGH_S)
        assert route.json()["release"] == "v2"
        assert serving(live) == ["repoint serve"]
    assert serving(live) == []


def test_a_killed_server_holds_no_move_up(live: Shell) -> None:
    with started(live, "serve", "--port", "0", killed=True) as process:
        line(process)
        process.kill()
        process.wait()
        assert live.json("rollback", "docs", "--reason", "worse")["verified"] is True


def test_a_new_key_is_shown_once_with_its_line_for_the_configuration(live: Shell) -> None:
    made = live.json("serve", "--new-key", "shop")
    assert str(made["key"]).startswith("rpk_")
    assert live.ok("serve", "--new-key", "shop").count("rpk_") == 1
    live.refused(3, "serve", "--new-key", "a b")


def test_beyond_this_machine_a_server_needs_keys(live: Shell) -> None:
    said = live.refused(3, "serve", "--host", "0.0.0.0", "--port", "0")  # noqa: S104
    assert "nobody would need a key" in said
