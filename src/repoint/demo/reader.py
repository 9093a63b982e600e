"""Readers: they ask known questions all the time and write every answer down.

As a program (``python -m repoint.demo.reader WORKSPACE INDEX QUESTIONS ANSWERS``) it is the
demo's second process: a server that knows of the moves only what repoint tells it. It reads
until its standard input ends, so it never outlives whoever started it.
"""

from __future__ import annotations

import json
import random
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from repoint.client import Index, Repoint
from repoint.demo import records
from repoint.demo.records import Asked, Seen
from repoint.domain.errors import RepointError
from repoint.ports.clock import Clock


class Readers:
    """Threads that each ask one question after another, at a steady pace."""

    def __init__(
        self,
        index: Index,
        questions: Sequence[str],
        *,
        clock: Clock,
        names: Sequence[str],
        every_s: float,
    ) -> None:
        self._index, self._questions, self._clock = index, questions, clock
        self._every_s = every_s
        self._stop = threading.Event()
        self._asked: dict[str, list[Asked]] = {name: [] for name in names}
        self._threads = [
            threading.Thread(target=self._read, args=(name,), name=name) for name in names
        ]

    def start(self) -> None:
        """Begin to ask."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ask no more; twice is no error."""
        self._stop.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def asked(self) -> list[Asked]:
        """Return everything that was asked so far."""
        return [one for asked in self._asked.values() for one in list(asked)]

    def _read(self, name: str) -> None:
        chance = random.Random(name)  # noqa: S311 - an order of questions, not a secret
        order = list(range(len(self._questions)))
        while not self._stop.is_set():
            chance.shuffle(order)
            for number in order:
                one = self._ask(name, number)
                self._asked[name].append(one)
                if self._stop.wait(max(0.0, self._every_s - (one.ended - one.began))):
                    return

    def _ask(self, name: str, number: int) -> Asked:
        began = self._clock.monotonic()
        try:
            answer = self._index.search(self._questions[number], k=10)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a failed query
            why = f"{type(error).__name__}: {error}"
            if isinstance(error, RepointError):
                why = f"{error.code}: {error}"
            return Asked(
                reader=name,
                question=number,
                began=began,
                ended=self._clock.monotonic(),
                error=why,
            )
        return Asked(
            reader=name,
            question=number,
            began=began,
            ended=self._clock.monotonic(),
            release=answer.release,
            epoch=answer.epoch or 0,
            hits=tuple(
                Seen(document=hit.document, lsn=hit.lsn, score=hit.score) for hit in answer.hits
            ),
        )


def main(arguments: Sequence[str]) -> int:
    """Read until standard input ends, then write down what was asked."""
    workspace, index, questions, answers, every_s = arguments
    with Repoint.open(workspace, keep_in_step=False, program="demo reader") as opened:
        readers = Readers(
            opened.index(index),
            json.loads(Path(questions).read_text(encoding="utf-8")),
            clock=opened.session.clock,
            names=["other-process-1", "other-process-2"],
            every_s=float(every_s),
        )
        readers.start()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        try:
            sys.stdin.read()
        finally:
            readers.stop()
        records.save(Path(answers), readers.asked())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
