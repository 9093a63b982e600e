"""The story: a good release, a bad update, the way back, and a good release to go on to.

Readers and a writer are at work from the first act to the last. Everything happens on
SQLite, LanceDB and real models, through the public client and the ``repoint`` command.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

from repoint.client import Repoint
from repoint.demo import acts, claims
from repoint.demo.acts import Story
from repoint.demo.claims import Claims, Standing, Version
from repoint.demo.corpus import Corpus, read_corpus
from repoint.demo.models import V1, V2, V3, load
from repoint.demo.report import Report
from repoint.demo.rescoring import expected_scores
from repoint.demo.stage import INDEX, Crowd, Pace, crowd
from repoint.demo.standing import read_standing
from repoint.demo.telling import Teller
from repoint.domain.document import Document

_REASON: Final = "known questions are not answered any more since v2"


def tell(home: Path, *, pace: Pace, teller: Teller) -> Report:
    """Run the whole story in a fresh workspace and return what came of it."""
    for stage in (V1, V2, V3):
        load(stage)  # says so now if a model is missing, not in the middle
    corpus = read_corpus(limit=pace.documents, questions=pace.questions)
    teller.step(
        "corpus",
        f"{len(corpus.documents):,} docstrings of this Python's standard "
        f"library, {len(corpus.questions)} questions whose answer is known",
    )
    with Repoint.init(home) as opened:
        story = Story(
            opened=opened, index=opened.create_index(INDEX), corpus=corpus, teller=teller
        )
        teller.step("init", f"a workspace in {home}: SQLite, LanceDB, no server")
        acts.ingest(story)
        acts.prepare(story, V1)
        acts.promote(story, V1)
        acts.measure_now(story, "v1")
        with crowd(opened, story.index, corpus, pace) as people:
            teller.step(
                "live",
                f"{pace.readers} threads here and 2 in process {people.elsewhere.pid} "
                "ask; a thread adds, edits and deletes; nobody pauses",
            )
            began = story.now()
            standing = _live(story, people, pace)
            ended = story.now()
        return _reported(story, people, standing, span=(began, ended))


def _live(story: Story, people: Crowd, pace: Pace) -> Standing:
    """Play the acts that happen under load; return what was there at their end."""
    dwell = threading.Event()
    dwell.wait(pace.dwell_s)
    acts.prepare(story, V2)
    acts.promote(story, V2)
    acts.measure_now(story, "v2", against="v1")
    dwell.wait(pace.dwell_s)
    written = len(people.writer.ledger.writes())
    story.teller.step(
        "writes", f"{written:,} writes acknowledged so far, the latest while v2 answers"
    )
    acts.roll_back(story, _REASON)
    acts.measure_now(story, "v1 again", against="v2")
    dwell.wait(pace.dwell_s)
    _looked_at(story, people)
    acts.prepare(story, V3)
    acts.promote(story, V3)
    acts.measure_now(story, "v3", against="v1")
    dwell.wait(pace.dwell_s)
    acts.accept(story, V3)
    people.writer.stop()  # first: the last look is held to every write there was
    at_the_end = _looked_at(story, people)
    people.watcher.stop()
    people.readers.stop()
    people.elsewhere.stop()
    return at_the_end


def _looked_at(story: Story, people: Crowd) -> Standing:
    """Let the writer hold still and compare its ledger with log, collections and search."""
    people.writer.pause()
    story.index.wait("all")
    newest = people.writer.ledger.newest()
    standing = read_standing(story.opened, story.index, newest)
    lost = claims.lost(newest, standing)
    people.writer.go_on()
    releases = ", ".join(sorted(standing.collections))
    story.teller.step(
        "ledger",
        f"{len(newest):,} documents of {len(people.writer.ledger.writes()):,} writes "
        f"looked up in the log and in {releases}: {len(lost)} lost",
    )
    story.lost += lost
    return standing


def _reported(
    story: Story, people: Crowd, standing: Standing, *, span: tuple[float, float]
) -> Report:
    began = story.now()
    judged = _claims(story, people, standing)
    records = story.opened.verify_audit()
    story.timings["checking"] = story.now() - began
    story.teller.step("audit", f"{records} records, the chain verifies")
    return Report.of(story, people, judged, audit_records=records, span=span)


def _claims(story: Story, people: Crowd, standing: Standing) -> Claims:
    asked = people.asked()
    ledger = people.writer.ledger
    applied = people.watcher.applied()
    moves = story.index.history()
    expected = expected_scores(
        asked,
        releases={one.name: one for one in story.index.releases()},
        questions=[one.text for one in story.corpus.questions],
        versions=_versions(story.corpus, people),
        drivers=story.opened.workspace.drivers,
    )
    broken = [*story.broken, *people.writer.failures]
    if story.rollback is None or not story.rollback.verified:
        broken.append("the rollback did not verify")
    return Claims(
        mixed_space=claims.mixed_space(
            asked,
            releases={move.after.epoch: str(move.after.active) for move in moves},
            expected=expected,
        ),
        failed=claims.failed(asked),
        lost=story.lost,
        resurrected=claims.resurrected(
            ledger.writes(), asked, applied=applied, standing=standing
        ),
        stale=claims.stale(ledger.writes(), asked, applied=applied, turns=story.turns),
        other=broken,
    )


def _versions(corpus: Corpus, people: Crowd) -> dict[Version, Document]:
    """Return the content of every version of every document that a search could show."""
    versions = {
        Version(document=write.document, lsn=write.lsn): write.content
        for write in people.writer.ledger.writes()
        if write.content is not None
    }
    # One writer ingested the corpus, in order, into an empty log: the n-th document is at n.
    for number, document in enumerate(corpus.documents, start=1):
        versions[Version(document=document.id, lsn=number)] = document
    return versions
