"""Guards in processes of their own are killed at any moment; the next one goes back, once."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from repoint import Repoint
from repoint.domain.guarding import DecisionState
from repoint.domain.ids import DocumentId
from repoint.domain.policy import EmptyAnswersGate, Policy
from repoint.domain.spec import ModelSpec, ReleaseSpec
from repoint.domain.triggers import MissingDocumentsTrigger, SearchProbesTrigger
from repoint.operations.promote import PromoteOptions

DOCUMENTS = 30
KILLS = 6


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """v2 answers under guard, with documents missing; v1 stands behind it."""
    home = tmp_path / "ws"
    with Repoint.init(home) as repoint:
        docs = repoint.create_index("docs")
        docs.upsert({"id": f"d{n}", "text": f"number {n}. It is so."} for n in range(DOCUMENTS))
        for dimensions, name in ((64, "v1"), (32, "v2")):
            if name == "v2":
                docs.judging.set_policy(
                    Policy(
                        gates=(EmptyAnswersGate(),),
                        triggers=(MissingDocumentsTrigger(), SearchProbesTrigger()),
                    )
                )
            docs.create_release(
                name, ReleaseSpec(model=ModelSpec(provider="hashing", dimensions=dimensions))
            )
            docs.sync(name)
            docs.promote(name, options=PromoteOptions(without_evaluation="a test"))
        space = repoint.session.spaces.open(docs.release("v2"))
        space.collection.purge([DocumentId("d3"), DocumentId("d4")])
    return home


def guard(home: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "repoint", "--home", str(home), "guard", "docs", *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "REPOINT_ACTOR"},
    )


def told(process: subprocess.Popen[str]) -> str:
    """Return what it prints until it ends, and do not leave it behind."""
    with process:
        try:
            return process.communicate()[0]
        finally:
            process.kill()


@pytest.mark.slow
def test_guards_that_are_killed_leave_one_rollback_and_nothing_half_done(home: Path) -> None:
    began = time.monotonic()
    dry = told(guard(home, "--once", "--dry-run", "--json"))
    assert json.loads(dry)["decision"]["state"] == "held-back"
    whole = time.monotonic() - began  # about as long as one that goes back takes
    chance = random.Random(41)  # noqa: S311 - when to kill
    for _ in range(KILLS):
        dying = guard(home)
        try:
            dying.wait(timeout=whole * chance.uniform(0.4, 1.1))
        except subprocess.TimeoutExpired:
            dying.kill()
        dying.communicate()
    last = told(guard(home, "--once", "--json"))  # the lease of the dead is not waited for
    assert json.loads(last)["look"] is not None
    with Repoint.open(home) as repoint:
        docs = repoint.index("docs")
        history = [move.kind.value for move in docs.history()]
        assert history.count("rollback") == 1, history
        assert docs.search("number 3").release == "v1"
        done = [o for o in docs.guarding.decisions() if o.state is DecisionState.DONE]
        assert len(done) == 1, done
        assert done[0].outcome["epoch"] == 3
        status = docs.status()
        assert (status.operation, status.freeze) == (None, None)
        assert repoint.verify_audit() > 0
