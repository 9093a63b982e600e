"""Feeding an index from a team's own system of record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from repoint.client import pushing
from repoint.domain.document import Json
from repoint.domain.ids import DocumentId, IndexName, source_name
from repoint.domain.source import FileSettings, Source, SourceState, SqlSettings
from repoint.operations import feeding, push
from repoint.operations.feeding import PollReport
from repoint.operations.push import Pushed
from repoint.operations.session import Session
from repoint.ports.source import SourceReader
from repoint.wiring.sources import checked, open_reader


class Feeding:
    """The sources of one index."""

    def __init__(self, session: Session, name: IndexName) -> None:
        self._session = session
        self._name = name

    def add(self, name: str, settings: SqlSettings | FileSettings) -> Source:
        """Store a source, after a look at whether it can be read; nothing is taken yet.

        Raises:
            AlreadyExistsError: the name is taken.
            BadInputError: it is not what the settings say, or a password stands in its URL.
        """
        source = Source(
            index=self._name,
            name=source_name(name),
            settings=checked(settings),
            actor=self._session.actor,
            at=self._session.clock.now(),
        )
        feeding.add(self._session, source, self._open)
        return source

    def poll(
        self,
        name: str,
        *,
        sweep: bool = False,
        allow_deletes: bool = False,
        stop: Callable[[], bool] = lambda: False,
    ) -> PollReport:
        """Take what changed into the log; with ``sweep`` also delete what is gone there.

        Raises:
            UnavailableError: the source did not answer; the next poll goes on from there.
            SweepRefusedError: too much is gone to be believed.
        """
        return feeding.poll(
            self._session,
            self._name,
            source_name(name),
            self._open,
            sweep=sweep,
            allow_deletes=allow_deletes,
            stop=stop,
        )

    def changed(self, name: str, ids: Sequence[str]) -> PollReport:
        """Take what a source says of these documents now; its other changes wait for a poll.

        What it has no longer is deleted, if it was this source that gave it.

        Raises:
            UnavailableError: the source did not answer; nothing was taken.
        """
        return feeding.changed(
            self._session,
            self._name,
            source_name(name),
            self._open,
            ids=[DocumentId(one) for one in ids],
        )

    def push(self, changes: Iterable[Mapping[str, Json]], *, key: str = "") -> Pushed:
        """Write documents and deletes as one; under a key, the same push is taken once.

        A delete is ``{"id": …, "delete": true}``; all others are documents.

        Raises:
            BadLineError: one of them is neither; nothing was written.
            KeyReusedError: another push had this key; nothing was written.
        """
        return push.take(self._session, self._name, pushing.read(changes), key=key)

    def all(self) -> list[tuple[Source, SourceState]]:
        """Return every source, and how far each was read."""
        return feeding.all_(self._session, self._name)

    def look(self, name: str) -> tuple[Source, SourceState, int]:
        """Return a source, how far it was read, and how many documents it gave."""
        return feeding.look(self._session, self._name, source_name(name))

    def remove(self, name: str, *, reason: str = "") -> int:
        """Forget a source; its documents stay. Return how many those are."""
        return feeding.remove(self._session, self._name, source_name(name), reason=reason)

    def _open(self, source: Source) -> SourceReader:
        return open_reader(source, clock=self._session.clock)
