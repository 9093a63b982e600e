"""Adopting, absorbing and letting go, as a workspace offers them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from repoint.domain.ids import IndexName, ReleaseName, index_name, release_name
from repoint.domain.spec import ReleaseSpec
from repoint.operations import in_step
from repoint.operations.adopt import (
    AbsorbReport,
    AdoptionPlan,
    AdoptionProgress,
    AdoptionReport,
    Declaration,
    Prefer,
    absorb,
    adopt,
    plan_absorbing,
    plan_adoption,
)
from repoint.operations.session import Session
from repoint.ports.adoption import Wish
from repoint.wiring.drivers import InstalledDrivers
from repoint.wiring.spec_file import load_spec


def declaration(
    wish: Wish,
    spec: ReleaseSpec | Path | str,
    *,
    backend: str | None,
    tolerate: float,
) -> Declaration:
    """Return what a team says of its collection, its spec read."""
    whole = spec if isinstance(spec, ReleaseSpec) else load_spec(spec)
    if backend is not None:
        whole = replace(whole, backend=backend)
    return Declaration(wish=wish, spec=whole, tolerate=tolerate)


def plan_to_adopt(
    session: Session, drivers: InstalledDrivers, index: str, release: str, declared: Declaration
) -> AdoptionPlan:
    """Return what adopting would do; only a sample is embedded."""
    return plan_adoption(session, index_name(index), release_name(release), declared, drivers)


def take_over(  # noqa: PLR0913, PLR0917 - as the operation
    session: Session,
    drivers: InstalledDrivers,
    index: str,
    release: str,
    declared: Declaration,
    progress: Callable[[AdoptionProgress], None] | None,
    stop: Callable[[], bool] | None,
) -> AdoptionReport:
    """Make a collection a live release; the same call goes on after a crash."""
    session.announce()
    return adopt(
        session,
        index_name(index),
        release_name(release),
        declared,
        drivers,
        progress=progress,
        stop=stop,
    )


class Adopted:
    """What is done to the adopted collection of an index without repoint."""

    def __init__(self, session: Session, name: IndexName) -> None:
        self._session = session
        self._name = name

    def plan(self, release: str | None = None) -> AbsorbReport:
        """Return what bypassed repoint; nothing is written."""
        return plan_absorbing(self._session, self._name, _named(release))

    def absorb(
        self, release: str | None = None, *, prefer: str | None = None, reason: str = ""
    ) -> AbsorbReport:
        """Take what bypassed repoint into the log, and the release into step with it.

        Where both sides changed, both stay as they are, unless ``prefer`` is ``log`` or
        ``collection``.
        """
        chosen = Prefer(prefer) if prefer is not None else None
        report = absorb(
            self._session, self._name, _named(release), prefer=chosen, reason=reason
        )
        with self._session.store.read() as view:
            adopted = view.releases.get(self._name, report.release)
        in_step.catch_up(self._session, self._session.spaces.open(adopted))
        return report


def _named(release: str | None) -> ReleaseName | None:
    return None if release is None else release_name(release)
