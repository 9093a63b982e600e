"""SIGKILL at any moment of ingest, sync, promote, rollback: the next command makes it whole."""

import json
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from repoint import Repoint
from repoint.domain.document import Document
from repoint.domain.ids import DocumentId, IndexName
from repoint.domain.spec import ChunkingSpec, ModelSpec, ReleaseSpec
from repoint.operations import documents
from repoint.operations.promote import PromoteOptions
from repoint.testing import invariants

INDEX: Final = IndexName("docs")
#: A whole action takes about as long as this once its process is up.
SPAN_S: Final = 0.8

CHILD: Final = """
import json, sys
from repoint import Repoint
from repoint.domain.errors import RepointError
from repoint.operations.promote import PromoteOptions

folder, action, start = sys.argv[1], sys.argv[2], int(sys.argv[3])

def say(value):
    print(json.dumps(value), flush=True)

with Repoint.open(folder, keep_in_step=action == "ingest") as repoint:
    docs = repoint.index("docs")
    say("ready")
    sys.stdin.readline()
    if action == "ingest":
        for turn in range(start, start + 900):
            names = [f"d{(turn * 7 + n) % 60}" for n in range(5)]
            text = "alpha beta gamma " * (turn % 5) + f"version {turn}."
            docs.upsert([{"id": name, "text": text} for name in names])
            say({"written": names, "turn": turn})
            gone = f"x{turn}"
            docs.upsert([{"id": gone, "text": "soon gone"}])
            docs.delete([gone])
            say({"deleted": gone})
        sys.stdin.read()  # a writer never ends by itself
    elif action == "sync":
        for name in ("v1", "v2"):
            docs.sync(name)
    elif action == "promote":
        docs.promote("v2", reason="try", options=PromoteOptions(without_evaluation="a test"))
    else:
        docs.rollback(reason="worse")
    say("done")
"""


@dataclass
class Told:
    """What the writers were told is durable."""

    #: Document to the newest turn that was acknowledged.
    turns: dict[str, int] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)

    def listen(self, lines: Iterator[str]) -> bool:
        """Note every acknowledgement; return whether the child reached its end."""
        for line in lines:
            try:
                said = json.loads(line)
            except ValueError:
                continue  # killed within a line
            if said == "done":
                return True
            if "turn" in said:
                self.turns |= dict.fromkeys(said["written"], said["turn"])
            elif "deleted" in said:
                self.deleted.add(said["deleted"])
        return False


def spec(seed: int) -> ReleaseSpec:
    return ReleaseSpec(
        model=ModelSpec(provider="hashing", dimensions=32, options={"seed": seed}),
        chunking=ChunkingSpec(size=40),
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    with Repoint.init(folder) as repoint:
        docs = repoint.create_index("docs")
        for name, seed in (("v1", 1), ("v2", 2)):
            docs.create_release(name, spec(seed))
        docs.upsert({"id": f"d{n}", "text": f"document {n}. version 0."} for n in range(60))
        for name in ("v1", "v2"):
            docs.sync(name)
        docs.promote("v1", options=PromoteOptions(without_evaluation="the first"))
    return folder


def strike(home: Path, action: str, *, turn: int, after_s: float, told: Told) -> bool:
    """Start the action in a process of its own and kill it; True if it was done before."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(home), action, str(turn)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    with child, child.stdin, child.stdout, child.stderr:
        ready = child.stdout.readline()
        assert json.loads(ready or '""') == "ready", child.stderr.read()
        child.stdin.write("go\n")
        child.stdin.flush()
        try:
            child.wait(timeout=after_s)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
        child.wait()
        done = told.listen(iter(child.stdout))
        assert child.returncode in {0, -signal.SIGKILL}, child.stderr.read()
        return done


def mend(home: Path, told: Told) -> tuple[str | None, str | None]:
    """Run the next commands, check everything, and return who answers and who stands behind."""
    with Repoint.open(home) as repoint:
        _, left = repoint.reconcile()
        assert left == []
        docs = repoint.index("docs")
        session = repoint.session
        check_findings(repoint)
        if docs.status().freeze is not None:
            docs.unfreeze(reason="the machine was busy")
        acknowledged(repoint, told)
        for name in ("v1", "v2"):
            assert docs.sync(name).complete
            assert docs.diff(name).clean, name
        with session.store.read() as view:
            rows = view.log.scan(INDEX, after=None, limit=100_000)
        log = {str(row.id): row.document for row in rows}
        found = [
            *invariants.broken(session.store, session.spaces, INDEX, written=log),
            *invariants.settled(session.store, session.spaces, INDEX),
        ]
        assert found == []
        repoint.verify_audit()
        answer = docs.search("version", k=20)
        assert not {hit.document for hit in answer.hits} & told.deleted
        status = docs.status()
        return status.active, status.fallback


def acknowledged(repoint: Repoint, told: Told) -> None:
    """Whatever a writer was told is there: that version or one it was not told of (INV-9)."""
    names = [DocumentId(one) for one in (*told.turns, *told.deleted)]
    with repoint.session.store.read() as view:
        rows = view.log.get(INDEX, names)
    for name, turn in told.turns.items():
        document = rows[DocumentId(name)].document
        assert document is not None, name
        assert int(document.text.rstrip(".").split()[-1]) >= turn, name
    for name in told.deleted:
        assert rows[DocumentId(name)].document is None, name


def check_findings(repoint: Repoint) -> None:
    """Every rollback that was verified found nothing wrong."""
    with repoint.session.store.read() as view:
        records = [one for one in view.audit.records() if one.action == "verify-rollback"]
    for record in records:
        findings = record.details["findings"]
        assert isinstance(findings, dict)
        failed = {name for name, status in findings.items() if status == "failed"}
        assert not failed, findings


def kill_again_and_again(home: Path, *, kills: int, seed: int) -> dict[str, int]:
    """Kill this many processes, mending after each; return how many died by action."""
    chance = random.Random(seed)  # noqa: S311 - which moment, no secret
    told, died, turn = Told(), dict.fromkeys(("ingest", "sync", "promote", "rollback"), 0), 1
    fallback: str | None = None
    plans = ["ingest", "move", "sync", "move"]
    for number in range(kills * len(plans)):  # of which a writer dies every time
        if sum(died.values()) >= kills:
            break
        action = plans[number % len(plans)]
        if action == "sync":
            write_more(home, turn)
        if action == "move":
            action = "rollback" if fallback else "promote"
        after_s = chance.uniform(0, SPAN_S)
        done = strike(home, action, turn=turn, after_s=after_s, told=told)
        died[action] += not done
        turn += 1_000
        _, fallback = mend(home, told)
    return died


def write_more(home: Path, turn: int) -> None:
    """Leave something to sync."""
    with Repoint.open(home, keep_in_step=False) as repoint:
        more = [
            Document(id=DocumentId(f"s{turn}-{n}"), text=f"more {n} of version {turn}.")
            for n in range(300)
        ]
        documents.write(repoint.session, INDEX, more)


@pytest.mark.slow
@pytest.mark.backend("lancedb")
def test_a_process_killed_at_any_moment_loses_nothing(home: Path) -> None:
    died = kill_again_and_again(home, kills=8, seed=20_260_101)
    assert sum(died.values()) >= 8, died


@pytest.mark.campaign
@pytest.mark.timeout(0)
@pytest.mark.backend("lancedb")
def test_two_hundred_processes_killed_at_any_moment_lose_nothing(
    home: Path, campaign_share: float
) -> None:
    kills = max(8, round(200 * campaign_share))
    died = kill_again_and_again(home, kills=kills, seed=random.SystemRandom().randrange(10**9))
    assert sum(died.values()) >= kills, died
