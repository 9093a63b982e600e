"""Guarding an index: look once, or go on looking beside whatever else the process does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from types import TracebackType
from typing import Self

from repoint.domain.access import Action
from repoint.domain.drills import Drill
from repoint.domain.guarding import GUARD, Alert, Decision, Look
from repoint.domain.ids import IndexName, actor_name, release_name
from repoint.operations.drill import drill
from repoint.operations.guard.alerts import take_alerts
from repoint.operations.guard.looking import Seen, look_once
from repoint.operations.guard.running import Guard
from repoint.operations.session import Session, authorise
from repoint.signals.prometheus import Prometheus
from repoint.signals.webhook import Webhook


class Guarding:
    """What an index is guarded by, and what came of it.

    Guarding is done by an actor of its own, ``guard`` unless told otherwise; reading what came
    of it by whoever opened the workspace.
    """

    def __init__(self, session: Session, name: IndexName, *, actor: str = GUARD) -> None:
        self._session = session
        self._guard = replace(session, actor=actor_name(actor))
        self._name = name

    def acting_as(self, actor: str) -> Guarding:
        """Return the same, done by another actor."""
        return Guarding(self._session, self._name, actor=actor)

    def look(self, *, dry_run: bool = False) -> Seen:
        """Look once, and do what the declared triggers ask for.

        Raises:
            RefusedError: the policy declares no trigger, or nothing was promoted yet.
            NotPermittedError: the actor may not guard.
        """
        return look_once(self._guard, self._name, metrics=Prometheus(), dry_run=dry_run)

    def run(
        self,
        *,
        dry_run: bool = False,
        every: timedelta | None = None,
        listen: str = "",
        token: str = "",
        tell: Callable[[Seen], None] | None = None,
    ) -> RunningGuard:
        """Return a guard that looks in a thread of its own while its context is entered.

        ``listen`` is ``HOST:PORT`` for a webhook that takes alerts with the bearer token.
        """
        return RunningGuard(
            self,
            Guard(
                self._guard,
                self._name,
                metrics=Prometheus(),
                dry_run=dry_run,
                every=every,
                tell=tell,
            ),
            listen=listen,
            token=token,
        )

    def take(self, alerts: Sequence[Alert]) -> list[Alert]:
        """Store alerts, and return those that are news."""
        return take_alerts(self._guard, self._name, alerts)

    def decisions(self, *, limit: int | None = None) -> list[Decision]:
        """Return what was decided, newest first, each with the figures it rests on."""
        authorise(self._session, Action.READ, self._name)
        with self._session.store.read() as view:
            return view.guarding.decisions(self._name, limit=limit)

    def looks(self, *, limit: int = 100) -> list[Look]:
        """Return what was seen, newest first."""
        authorise(self._session, Action.READ, self._name)
        with self._session.store.read() as view:
            return view.guarding.looks(self._name, limit=limit)

    def alerts(self) -> list[Alert]:
        """Return every alert that was sent, in its newest state."""
        authorise(self._session, Action.READ, self._name)
        with self._session.store.read() as view:
            return view.guarding.alerts(self._name)

    def drill(self, release: str | None = None) -> Drill:
        """Rehearse a promotion of the release, or of none, and the rollback; keep the times.

        Nothing that is served changes; it is done by whoever opened the workspace.

        Raises:
            RefusedError: nothing could go back.
        """
        name = None if release is None else release_name(release)
        return drill(self._session, self._name, name)

    def drills(self, *, limit: int | None = None) -> list[Drill]:
        """Return earlier drills, newest first."""
        authorise(self._session, Action.READ, self._name)
        with self._session.store.read() as view:
            return view.drills.all(self._name, limit=limit)

    @property
    def name(self) -> IndexName:
        """The index's name."""
        return self._name

    @property
    def session(self) -> Session:
        """Who guards."""
        return self._guard


class RunningGuard:
    """A guard at work, and its webhook where it has one."""

    def __init__(self, guarding: Guarding, guard: Guard, *, listen: str, token: str) -> None:
        authorise(guarding.session, Action.GUARD, guarding.name)
        self._guarding = guarding
        self._guard = guard
        self._webhook = (
            Webhook(listen, token=token, clock=guarding.session.clock, take=self._take)
            if listen
            else None
        )

    @property
    def webhook_url(self) -> str | None:
        """Where alerts are to be sent; None without a webhook."""
        return None if self._webhook is None else self._webhook.url

    @property
    def last_seen(self) -> Seen | None:
        """The newest look."""
        return self._guard.last_seen

    @property
    def last_error(self) -> Exception | None:
        """Why the newest look failed; None while looks succeed."""
        return self._guard.last_error

    def wake(self) -> None:
        """Look at once."""
        self._guard.wake()

    def close(self) -> None:
        """End after the look in hand; twice is no error."""
        if self._webhook is not None:
            self._webhook.close()
        self._guard.close()

    def start(self) -> None:
        """Begin to look, and to take alerts where there is a webhook."""
        self._guard.start()
        if self._webhook is not None:
            self._webhook.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _take(self, alerts: Sequence[Alert]) -> None:
        if self._guarding.take(alerts):
            self._guard.wake()
