"""The acts of the story, each one thing that an operator does, told as it happens."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from repoint.client import Index, Repoint
from repoint.demo import models
from repoint.demo.corpus import Corpus
from repoint.demo.models import Stage
from repoint.demo.records import Turn
from repoint.demo.relevance import Relevance, measure
from repoint.demo.stage import INDEX
from repoint.demo.telling import Teller
from repoint.domain.errors import UnavailableError
from repoint.operations.promote import PromoteOptions
from repoint.operations.sync import Progress

#: Rows that a candidate may be behind while a writer never pauses.
_MAX_LAG: Final = 100
_ROLLBACK_TIMEOUT_S: Final = 120


@dataclass(slots=True, kw_only=True)
class Story:
    """What has happened so far; the acts add to it."""

    opened: Repoint
    index: Index
    corpus: Corpus
    teller: Teller
    turns: list[Turn] = field(default_factory=list)
    relevance: dict[str, Relevance] = field(default_factory=dict)
    #: Seconds of each act.
    timings: dict[str, float] = field(default_factory=dict)
    #: Acknowledged writes that were not there when the ledger was looked up.
    lost: list[str] = field(default_factory=list)
    #: Sentences about what was to hold and did not.
    broken: list[str] = field(default_factory=list)
    rollback: RolledBack | None = None

    def now(self) -> float:
        """Return the machine's monotonic seconds."""
        return self.opened.session.clock.monotonic()


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledBack:
    """What ``repoint rollback`` said, and how long it took as a whole process."""

    seconds: float
    switch_seconds: float
    process_seconds: float
    verified: bool
    findings: int
    replayed: int
    late: int


def ingest(story: Story) -> None:
    """Write the corpus into the log."""
    began = story.now()
    written = sum(done.written for done in story.index.ingest(story.corpus.documents))
    took = story.timings["ingest"] = story.now() - began
    story.teller.line(
        f"{written:,} documents in the log in {took:.1f} s ({written / took:,.0f} a second)"
    )


def prepare(story: Story, stage: Stage) -> None:
    """Create a release, say what its backfill takes, do it, and compare it with the log."""
    name = stage.release
    release = story.index.create_release(name, models.load(stage))
    story.teller.step(f"create {name}", f"{stage.says}; fingerprint {release.fingerprint[:12]}")
    plan = story.index.plan(name)
    took = f", about {plan.duration.total_seconds():.0f} s" if plan.duration else ""
    story.teller.line(f"plan: {plan.rows:,} rows, about {plan.tokens:,} tokens{took}")
    began = story.now()
    # The worker that keeps live releases in step joins in: both take ranges of one backfill.
    watermark = story.index.sync(name, progress=_told(story)).watermark
    seconds = story.timings[f"sync {name}"] = story.now() - began
    story.teller.line(
        f"synced up to {watermark:,} in {seconds:.1f} s "
        f"({plan.rows / max(seconds, 1e-3):,.0f} rows a second)"
    )
    compared = story.index.diff(name)
    if not compared.clean:
        story.broken.append(f"{name} differs from the log: {dict(compared.counts)}")
    story.teller.line(
        f"diff: {compared.compared:,} rows of the log compared, "
        f"{'clean' if compared.clean else 'NOT CLEAN'}",
        mood="good" if compared.clean else "bad",
    )


def promote(story: Story, stage: Stage) -> None:
    """Let a release answer."""
    began = story.now()
    report = story.index.promote(
        stage.release,
        reason="the demo goes on",
        options=PromoteOptions(
            max_lag=_MAX_LAG,
            without_evaluation="the demo wants to see what an unmeasured update does",
        ),
    )
    done = story.now()
    story.timings[f"promote {stage.release}"] = done - began
    story.turns.append(
        Turn(epoch=report.epoch, release=report.release, what="promote", began=began, done=done)
    )
    back = f"; {report.fallback} is kept as the way back" if report.fallback else ""
    story.teller.step(
        "promote",
        f"{report.release} answers from epoch {report.epoch}, {report.seconds:.2f} s{back}",
    )


def measure_now(story: Story, phase: str, *, against: str = "") -> None:
    """Ask every known question and say how many of the answers are right."""
    began = story.now()
    found = story.relevance[phase] = measure(story.index, story.corpus.questions)
    story.timings[f"measure {phase}"] = story.now() - began
    line = (
        f"{found.release}: success@10 {found.success_at_10:.3f}, nDCG@10 "
        f"{found.ndcg_at_10:.3f}, MRR@10 {found.mrr_at_10:.3f} on {found.questions} questions"
    )
    mood = ""
    if against:
        change = found.ndcg_at_10 - story.relevance[against].ndcg_at_10
        mood = "bad" if change < -_NOTICED else "good"
        line += f"; nDCG {change:+.3f} against {story.relevance[against].release}"
    story.teller.step("relevance", line)
    if mood == "bad":
        story.teller.line("the update made search worse, and everybody sees it", mood=mood)


#: A difference in nDCG that a user would notice.
_NOTICED: Final = 0.03


def roll_back(story: Story, reason: str) -> None:
    """Go back as an operator does: by the command, in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "repoint",
        "--home",
        str(story.opened.workspace.home),
        "rollback",
        INDEX,
        "--reason",
        reason,
        "--json",
    ]
    story.teller.step("rollback", f'repoint rollback {INDEX} --reason "{reason}"')
    began = story.now()
    ended = subprocess.run(  # noqa: S603 - this very interpreter
        command, capture_output=True, text=True, timeout=_ROLLBACK_TIMEOUT_S, check=False
    )
    done = story.now()
    try:
        said = json.loads(ended.stdout)
        back = RolledBack(
            seconds=said["seconds"],
            switch_seconds=said["switch_seconds"],
            process_seconds=done - began,
            verified=said["verified"],
            findings=len(said["findings"]),
            replayed=said["replayed"],
            late=said["late"],
        )
    except (ValueError, KeyError) as error:
        raise UnavailableError(
            f"repoint rollback ended with {ended.returncode}: {ended.stdout}{ended.stderr}"
        ) from error
    story.rollback = back
    story.timings["rollback"] = done - began
    story.turns.append(
        Turn(
            epoch=said["epoch"], release=said["active"], what="rollback", began=began, done=done
        )
    )
    story.teller.line(
        f"{said['active']} answers again after {back.switch_seconds:.2f} s; with its proof "
        f"{back.seconds:.2f} s, as a whole process {back.process_seconds:.2f} s"
    )
    not_ok = [f for f in said["findings"] if f["status"] == "failed"]
    if not back.verified:
        story.broken += [f"rollback: {f['check']}: {f['summary']}" for f in not_ok]
    if said["frozen"]:
        story.index.unfreeze(reason="the demo goes on, to check what it can")
    story.teller.line(
        f"verified: {back.findings} findings, {back.replayed} rows replayed"
        if back.verified
        else "NOT VERIFIED: " + "; ".join(f"{f['check']}: {f['summary']}" for f in not_ok),
        mood="good" if back.verified else "bad",
    )


def accept(story: Story, stage: Stage) -> None:
    """End the soak."""
    began = story.now()
    pointer = story.index.accept(stage.release, reason="the demo is content")
    done = story.now()
    story.turns.append(
        Turn(epoch=pointer.epoch, release=stage.release, what="accept", began=began, done=done)
    )
    story.teller.step("accept", f"{stage.release} stays, at epoch {pointer.epoch}")


def _told(story: Story) -> Callable[[Progress], None]:
    """Return a listener that says a long sync's progress every ten seconds."""
    last = story.now()

    def tell(progress: Progress) -> None:
        nonlocal last
        if story.now() - last >= _TOLD_EVERY_S and progress.done < progress.total:
            last = story.now()
            left = (
                f", {progress.remaining.total_seconds():.0f} s left"
                if progress.remaining
                else ""
            )
            story.teller.line(f"{progress.done:,} of {progress.total:,}{left}", mood="quiet")

    return tell


_TOLD_EVERY_S: Final = 10.0
