"""The part of an index that answers: search, routes, what was measured of both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from repoint.client import asking
from repoint.client.asking import Conditions, Question
from repoint.domain.access import Action
from repoint.domain.filters import Filter
from repoint.domain.ids import IndexName, release_name
from repoint.domain.release import Release
from repoint.operations import query
from repoint.operations.query import Answer
from repoint.operations.route import Route
from repoint.operations.session import authorise
from repoint.wiring.workspace import Workspace

if TYPE_CHECKING:
    from repoint.client.traffic import Traffic
    from repoint.domain.telemetry import Window
    from repoint.operations.feedback import Counted


class AnsweringIndex:
    """What ``Index`` has for those who ask. Safe to use from many threads; cheap to make."""

    def __init__(self, workspace: Workspace, name: IndexName) -> None:
        self._workspace = workspace
        self._session = workspace.session
        self._name = name
        self._may_read = False

    @property
    def name(self) -> str:
        """The index's stable name."""
        return self._name

    def search(
        self,
        text: str,
        *,
        k: int = 10,
        filter: str | Conditions | Filter | None = None,  # noqa: A002 - the field's word
        release: str | None = None,
        key: str | None = None,
        tenant: str | None = None,
    ) -> Answer:
        """Return the best ``k`` documents of whoever answers now, stamped with who it was.

        ``filter`` is text (``group = "x" and year >= 2020``), a mapping of fields to values,
        or a tree. ``release`` asks a live release by name, past the pointer. While a canary
        is on, ``key`` (a user, a session) is always answered by the same release, and a
        ``tenant`` may have a share of its own; without a key the text stands for it.

        Raises:
            RefusedMoveError: nothing was promoted yet.
            BadFilterError, UnknownFieldError: the filter cannot be applied.
            UnconfirmedRouteError: this process cannot tell who answers.
        """
        self._authorise_reading()
        if release is None:
            asked = Question(text=text, limit=k, filter=filter, key=key, tenant=tenant)
            return asking.ask(self._workspace, self._name, asked)
        where = asking.checked(self._workspace.router, self._name, filter)
        space = self._session.spaces.open(self.release(release))
        hits, timings = query.ask(space, text, limit=k, where=where, clock=self._session.clock)
        return Answer(
            index=self._name, release=space.release.name, epoch=None, hits=hits, timings=timings
        )

    def route(self, *, key: str | None = None, tenant: str | None = None) -> Route:
        """Return who answers now: release, epoch, collection and ``embed_query`` as one.

        For applications that search with their own client. Ask for it anew for every
        query; it costs microseconds. Without a key it is the active release's, also while
        a canary is on.
        """
        self._authorise_reading()
        route = self._workspace.router.resolve(self._name)
        return route if key is None else route.for_key(key, tenant)

    def feedback(
        self,
        answer: str,
        *,
        clicked: Iterable[str] = (),
        grades: Mapping[str, int] | None = None,
    ) -> Counted:
        """Say what became of an answer, by its ``id``: which hits were clicked, or grades.

        An answer that was not compared has an empty id; feedback on it counts nothing.

        Raises:
            BadInputError: no answer of this index was given that id.
        """
        from repoint.operations import feedback  # noqa: PLC0415 - a rollback needs none of it

        return feedback.give(self._session, self._name, answer, clicked=clicked, grades=grades)

    def telemetry(self, *, since: datetime | timedelta) -> Window:
        """Return what was measured of live queries since then, by release and arm.

        What this process has counted so far is included; others store theirs every 5 s.
        """
        from repoint.operations import telemetry  # noqa: PLC0415 - a rollback needs none of it

        self._workspace.live.flush()
        now = self._session.clock.now()
        start = since if isinstance(since, datetime) else now - since
        return telemetry.read(self._session, self._name, since=start)

    def telemetry_totals(self) -> Window:
        """Return everything that was ever measured of live queries: figures only rise."""
        from repoint.operations import telemetry  # noqa: PLC0415 - as above

        self._workspace.live.flush()
        return telemetry.totals(self._session, self._name)

    def release(self, name: str) -> Release:
        """Return a release by name."""
        self._authorise_reading()
        with self._session.store.read() as view:
            return view.releases.get(self._name, release_name(name))

    @property
    def traffic(self) -> Traffic:
        """Trying a release on live queries."""
        from repoint.client.traffic import Traffic  # noqa: PLC0415 - a rollback needs none of it

        return Traffic(self._session, self._name, live=self._workspace.live)

    def _authorise_reading(self) -> None:
        if not self._may_read:  # once a handle: roles are not looked up on the hot path
            authorise(self._session, Action.READ, self._name)
            self._may_read = True
