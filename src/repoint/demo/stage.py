"""The demo's stage: a fresh workspace, and everybody who is on it while the story runs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from repoint.client import Index, Repoint
from repoint.demo import records
from repoint.demo.corpus import DOCUMENTS, QUESTIONS, Corpus
from repoint.demo.reader import Readers
from repoint.demo.records import Asked
from repoint.demo.writer import Watcher, Writer
from repoint.domain.errors import UnavailableError
from repoint.ports.clock import Clock

INDEX: Final = "docs"
#: How long the other process is given to write down what it asked.
_GOODBYE_S: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How much there is, and how fast everybody goes."""

    documents: int
    questions: int
    #: Seconds for which each release is left to answer before the story goes on.
    dwell_s: float
    readers: int = 4
    #: Seconds from one question of a reader to its next.
    ask_every_s: float = 0.5
    write_every_s: float = 0.45


FULL: Final = Pace(documents=DOCUMENTS, questions=QUESTIONS, dwell_s=5.0)
QUICK: Final = Pace(documents=1_200, questions=60, dwell_s=2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """Who reads, writes and watches throughout."""

    readers: Readers
    elsewhere: OtherProcess
    writer: Writer
    watcher: Watcher

    def asked(self) -> list[Asked]:
        """Return every answer of every reader, once all have stopped, in order of time."""
        asked = [*self.readers.asked(), *self.elsewhere.asked()]
        return sorted(asked, key=lambda one: one.began)


class OtherProcess:
    """A second process that reads; it learns of the moves through repoint alone."""

    def __init__(self, workspace: Path, questions: Sequence[str], *, every_s: float) -> None:
        self._answers = workspace.parent / "answers.jsonl"
        asks = workspace.parent / "questions.json"
        asks.write_text(json.dumps(list(questions)), encoding="utf-8")
        self._process = subprocess.Popen(  # noqa: S603 - this very interpreter
            [
                sys.executable,
                "-m",
                "repoint.demo.reader",
                str(workspace),
                INDEX,
                str(asks),
                str(self._answers),
                str(every_s),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def wait_until_ready(self) -> None:
        """Return once it has asked its first questions' route.

        Raises:
            UnavailableError: it ended instead.
        """
        assert self._process.stdout is not None  # noqa: S101 - opened above
        if self._process.stdout.readline().strip() != "ready":
            raise UnavailableError("the demo's second process did not start")

    def stop(self) -> None:
        """Let it write down what it asked, and end; twice is no error."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=_GOODBYE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def asked(self) -> list[Asked]:
        """Return what it asked, once it has stopped.

        Raises:
            UnavailableError: it died and wrote nothing down.
        """
        if not self._answers.exists():
            raise UnavailableError("the demo's second process wrote nothing down")
        return records.load(self._answers)


@contextmanager
def crowd(opened: Repoint, index: Index, corpus: Corpus, pace: Pace) -> Iterator[Crowd]:
    """Have readers here, readers in another process, a writer and a watcher at work."""
    clock: Clock = opened.session.clock
    questions = [one.text for one in corpus.questions]
    with ExitStack() as stack:
        elsewhere = OtherProcess(opened.workspace.home, questions, every_s=pace.ask_every_s)
        stack.callback(elsewhere.stop)
        readers = Readers(
            index,
            questions,
            clock=clock,
            names=[f"thread-{number}" for number in range(1, pace.readers + 1)],
            every_s=pace.ask_every_s,
        )
        stack.callback(readers.stop)
        watcher = Watcher(index, clock=clock)
        stack.callback(watcher.stop)
        writer = Writer(
            index,
            corpus.documents,
            spared=[one.document for one in corpus.questions],
            clock=clock,
            every_s=pace.write_every_s,
        )
        stack.callback(writer.stop)
        elsewhere.wait_until_ready()
        readers.start()
        watcher.start()
        writer.start()
        yield Crowd(readers=readers, elsewhere=elsewhere, writer=writer, watcher=watcher)
