"""``repoint guard`` and ``drill`` as a person types them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import cast

import httpx2
import pytest
from tests.unit.cli.conftest import GOOD_SPEC, OTHER_SPEC, Shell
from tests.unit.cli.test_shapes import PROMISED, shape

from repoint import Repoint
from repoint.domain.document import Json
from repoint.domain.ids import DocumentId
from repoint.operations.promote import PromoteOptions
from repoint.signals.alerts import read_alerts
from repoint.testing.clock import NOON

TOKEN = "0123456789abcdef0123"  # noqa: S105 - of this test alone
#: Seconds that only a broken guard lets pass.
ENOUGH_S = 120.0
POLICY = """
queries: items
gates: [{gate: empty-answers}]
guard: {every: 1h}
triggers:
  - {trigger: search-probes}
  - {trigger: missing-documents}
  - {trigger: alert, alert: Slow}
"""


@pytest.fixture
def watched(shell: Shell) -> Shell:
    """v2 answers by a policy with triggers; v1 stands behind it."""
    shell.ok("init")
    shell.ok("index", "create", "docs")
    shell.ok("ingest", "docs", shell.corpus(20))
    shell.release("v1", GOOD_SPEC)
    shell.ok("promote", "docs", "v1")
    shell.ok("queries", "known-items", "docs", "items")
    said = shell.ok("policy", "set", "docs", shell.file("policy.yaml", POLICY))
    assert "1 gates, 3 triggers" in said
    shell.release("v2", OTHER_SPEC)
    shell.ok("promote", "docs", "v2", "--without-evaluation", "a test")
    return shell


def damage(shell: Shell) -> None:
    """Take a document out of v2's collection, behind everybody's back."""
    with Repoint.open(shell.home) as repoint:
        release = repoint.index("docs").release("v2")
        repoint.session.spaces.open(release).collection.purge([DocumentId("d3")])


def test_a_look_is_told_and_ends_with_a_status(watched: Shell) -> None:
    assert "no guard has looked at docs" in watched.ok("guard", "show", "docs")
    assert "no trigger fires for v2" in watched.ok("guard", "docs", "--once")
    assert "no guard of docs has decided anything" in watched.ok("guard", "decisions", "docs")
    damage(watched)
    dry = watched.run("guard", "--once", "--dry-run", "docs")
    assert dry.exit_code == 3
    assert "held-back (a dry run)" in dry.stdout
    acted = watched.run("guard", "run", "docs", "--once", "--json")
    assert acted.exit_code == 3
    seen = json.loads(acted.stdout)
    assert shape(seen) == PROMISED["guard --once"]
    assert shape(watched.json("guard", "decisions", "docs")) == PROMISED["guard decisions"]
    decision = seen["decision"]
    with Repoint.open(watched.home) as repoint:
        alert = read_alerts(b'{"alert": "Slow", "status": "firing"}', now=NOON)
        repoint.index("docs").guarding.take(alert)
    assert shape(watched.json("guard", "show", "docs")) == PROMISED["guard show"]
    shown = watched.ok("guard", "show", "docs")
    assert "look 3 at epoch 2" in shown
    assert "alert Slow is firing" in shown
    assert (decision["act"], decision["state"], decision["actor"]) == (
        "rollback",
        "done",
        "guard",
    )
    told = watched.ok("guard", "decisions", "docs")
    assert "1 of 20 sampled documents differ from the log" in told
    assert watched.json("status", "docs")["active"] == "v1"


def test_whoever_acts_can_be_named(watched: Shell) -> None:
    watched.ok("roles", "grant", "ana", "admin")
    assert "may not guard" in watched.refused(3, "guard", "docs", "--once")
    watched.ok("roles", "grant", "night", "operator", "docs")
    watched.ok("--actor", "night", "guard", "docs", "--once")


def test_listening_without_a_token_is_refused(watched: Shell) -> None:
    said = watched.refused(3, "guard", "docs", "--listen", "127.0.0.1:0")
    assert "REPOINT_GUARD_TOKEN is not set" in said


def test_help_names_the_commands_and_the_short_form(shell: Shell) -> None:
    said = shell.ok("guard", "--help")
    assert "repoint guard INDEX" in said
    assert "decisions" in said


def test_a_guard_listens_goes_back_and_ends_when_it_is_asked(watched: Shell) -> None:
    environment = {**os.environ, "REPOINT_GUARD_TOKEN": TOKEN, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "repoint", "--home", str(watched.home)]
    process = subprocess.Popen(
        [*command, "guard", "docs", "--listen", "127.0.0.1:0"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    killer = threading.Timer(ENOUGH_S, process.kill)
    killer.start()
    try:
        assert process.stderr is not None
        url, lines = "", iter(process.stderr.readline, "")
        for line in lines:
            if "taking alerts at " in line:
                url = line.rpartition(" ")[2].strip()
            if url and "alert:Slow" in line:
                break  # it has looked once
        alert = {"alert": "Slow", "status": "firing"}
        refused = httpx2.post(
            url, timeout=ENOUGH_S, json=alert, headers={"Authorization": "Bearer x"}
        )
        assert refused.status_code == 401
        sent = httpx2.post(
            url, timeout=ENOUGH_S, json=alert, headers={"Authorization": f"Bearer {TOKEN}"}
        )
        assert sent.json() == {"taken": 1}
        told = next(line for line in lines if line.startswith("decision 1"))
        assert "done, v1 answers at epoch 3, verified" in told
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate()
        assert "ended; nothing is half done" in out
        assert process.returncode == 0
    finally:
        killer.cancel()
        process.kill()
        process.wait()
    assert watched.json("status", "docs")["active"] == "v1"


def test_a_worker_guards_as_well(watched: Shell) -> None:
    damage(watched)
    command = [sys.executable, "-m", "repoint", "--home", str(watched.home)]
    process = subprocess.Popen(
        [*command, "worker", "docs", "--guard"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    killer = threading.Timer(ENOUGH_S, process.kill)
    killer.start()
    try:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        told = next(line for line in lines if "rollback done" in line)
        assert "sampled documents differ" in told
        process.send_signal(signal.SIGTERM)
        process.communicate()
        assert process.returncode == 0
    finally:
        killer.cancel()
        process.kill()
        process.wait()


def test_the_same_from_python_beside_a_service(watched: Shell) -> None:
    with Repoint.open(watched.home) as repoint:
        docs = repoint.index("docs")
        looked = threading.Event()
        with docs.guarding.run(tell=lambda _: looked.set()) as guard:
            assert looked.wait(ENOUGH_S)
            assert guard.last_error is None
            assert docs.search("number 3").release == "v2"
        assert [look.number for look in docs.guarding.looks()] == [1]
        assert docs.guarding.alerts() == []
        with docs.guard(dry_run=True):
            pass


def test_a_guard_that_cannot_look_says_so_and_goes_on(shell: Shell) -> None:
    shell.promoted()
    with Repoint.open(shell.home) as repoint:
        guard = repoint.index("docs").guard()
        with guard:
            deadline = repoint.session.clock.monotonic() + ENOUGH_S
            while guard.last_error is None:
                assert repoint.session.clock.monotonic() < deadline
                repoint.session.clock.sleep(0.01)
        assert "declares no trigger" in str(guard.last_error)


def test_a_drill_is_told_step_by_step(watched: Shell) -> None:
    said = watched.ok("drill", "docs")
    assert "drill 1: from v2 back to v1 in about" in said
    assert "ready" in watched.ok("drill", "docs", "--list")
    with Repoint.open(watched.home) as repoint:
        docs = repoint.index("docs")
        docs.rollback(reason="a test")
        docs.promote("v2", options=PromoteOptions(without_evaluation="a test"))
        release = docs.release("v1")
        backend = repoint.session.spaces.backend(release)
        backend.drop(release.collection)
    broken = watched.run("drill", "docs", "--json")
    assert broken.exit_code == 3
    made = cast("dict[str, Json]", json.loads(broken.stdout))
    assert made["ready"] is False


def test_nobody_rehearsed_anything_yet(docs: Shell, tmp_path: Path) -> None:
    del tmp_path
    assert "nobody rehearsed anything" in docs.ok("drill", "docs", "--list")
    assert "nothing answers" in docs.refused(3, "drill", "docs")
