"""The writer: adds, edits and deletes documents all the time, and keeps the ledger."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace

from repoint.client import Index
from repoint.demo.records import Applied, Ledger, Written
from repoint.domain.document import Document
from repoint.domain.errors import RepointError
from repoint.domain.ids import DocumentId
from repoint.ports.clock import Clock

_SEED = 7


class Writer:
    """A thread that writes without waiting for any release, and notes what is acknowledged.

    It leaves the documents alone that questions ask for, so that relevance changes with
    the model and with nothing else; and a document that it deleted it never writes again.
    """

    def __init__(
        self,
        index: Index,
        documents: Sequence[Document],
        *,
        spared: Iterable[str],
        clock: Clock,
        every_s: float,
    ) -> None:
        self._index, self._clock, self._every_s = index, clock, every_s
        self._chance = random.Random(_SEED)  # noqa: S311 - a choice of documents, not a secret
        kept = set(spared)
        self._sources = [one for one in documents if one.id not in kept]
        self._alive = {one.id: one for one in self._sources}
        self._ids = list(self._alive)
        self._added = 0
        self._edits = 0
        self._running = threading.Event()
        self._ended = threading.Event()
        self._turn = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="writer")
        self.ledger = Ledger()
        #: Writes that were refused; none is expected.
        self.failures: list[str] = []

    def start(self) -> None:
        """Begin to write."""
        self._running.set()
        self._thread.start()

    def pause(self) -> None:
        """Write nothing more once this returns."""
        self._running.clear()
        with self._turn:
            pass  # a write in hand is acknowledged and noted before this goes on

    def go_on(self) -> None:
        """Write again."""
        self._running.set()

    def stop(self) -> None:
        """Write no more; twice is no error."""
        self._ended.set()
        self._running.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._every_s):
            self._running.wait()
            with self._turn:
                if self._running.is_set() and not self._ended.is_set():
                    self._write()

    def _write(self) -> None:
        """Write one document: of ten writes about five add, three edit, two delete."""
        dice = self._chance.random()
        if dice < 0.5:  # noqa: PLR2004 - the shares are in the docstring
            self._commit("add", self._new())
        elif dice < 0.8:  # noqa: PLR2004 - as above
            self._commit("edit", self._edited(self._alive[self._chosen()]))
        else:
            self._commit("delete", self._chosen())

    def _commit(self, what: str, change: Document | DocumentId) -> None:
        try:
            if isinstance(change, Document):
                head = self._index.upsert([change]).head
            else:
                head = self._index.delete([change]).head
        except RepointError as error:
            self.failures.append(f"{what}: {error.code}: {error}")
            return
        content = change if isinstance(change, Document) else None
        name = content.id if content is not None else DocumentId(str(change))
        # The only writer of this index, so the head after its write is that write's LSN.
        self.ledger.note(
            Written(
                document=name,
                lsn=head,
                content=content,
                what=what,
                acknowledged=self._clock.monotonic(),
            )
        )
        if content is None:
            del self._alive[name]
            self._ids.remove(name)
        else:
            if name not in self._alive:
                self._ids.append(name)
            self._alive[name] = content

    def _chosen(self) -> DocumentId:
        return self._chance.choice(self._ids)

    def _new(self) -> Document:
        self._added += 1
        source = self._chance.choice(self._sources)
        return Document(
            id=DocumentId(f"note-{self._added:05}"),
            title=f"note {self._added} on {source.title}",
            text=f"Field note number {self._added}. {source.text}",
            metadata={**source.metadata, "kind": "note"},
        )

    def _edited(self, document: Document) -> Document:
        self._edits += 1
        text = f"{document.text} Revised in edit number {self._edits}."
        return replace(document, text=text)


class Watcher:
    """A thread that looks at the watermarks, so that answers can be held to them."""

    def __init__(self, index: Index, *, clock: Clock, every_s: float = 0.2) -> None:
        self._index, self._clock, self._every_s = index, clock, every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher")
        self._applied: list[Applied] = []

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; twice is no error."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def applied(self) -> Sequence[Applied]:
        """Return what was seen so far, in order."""
        return tuple(self._applied)

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            status = self._index.status()
            self._applied.append(
                Applied(
                    at=self._clock.monotonic(),  # after the look: what it saw was true by then
                    active=status.active or "",
                    watermarks={one.name: one.watermark for one in status.releases},
                )
            )
