"""Which grants of the databases are missing, said before a move and not found after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from repoint.domain.access import Action
from repoint.domain.errors import RepointError
from repoint.domain.ids import IndexName, ReleaseName
from repoint.domain.readiness import Finding, Status
from repoint.domain.release import Release
from repoint.operations.session import Session, authorise
from repoint.ports.privileges import Privilege, gatekeeper_of

#: The stable name of the finding.
CHECK = "grants"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivilegesReport:
    """What is needed of the databases that hold two releases."""

    index: IndexName
    releases: tuple[ReleaseName, ...]
    privileges: Sequence[Privilege]
    #: Backends that cannot say who may do what.
    silent: tuple[str, ...]
    #: Backends whose server lets everybody do everything.
    unguarded: tuple[str, ...] = ()

    @property
    def missing(self) -> list[Privilege]:
        """What nobody granted yet."""
        return [one for one in self.privileges if not one.held]


def check(session: Session, index: IndexName, name: ReleaseName) -> PrivilegesReport:
    """Return what moving to a release needs of the databases; nothing is changed.

    Raises:
        MissingSettingError: the application's role is not known to the database.
        UnavailableError: a database did not answer.
    """
    authorise(session, Action.READ, index)
    with session.store.read() as view:
        release = view.releases.get(index, name)
        active = view.pointers.pointer(index).active
        releases = [release]
        if active is not None and active != name:
            releases.insert(0, view.releases.get(index, active))
    return _report(session, releases)


def findings(session: Session, releases: Sequence[Release]) -> list[Finding]:
    """Check that both sides of a move may be read and written by whoever has to.

    Nothing is found where no database can say who may do what; that a server lets everybody
    do everything is said.
    """
    try:
        report = _report(session, releases)
    except RepointError as error:
        return [
            Finding(check=CHECK, status=Status.FAILED, summary=error.message, remedy=error.hint)
        ]
    found = [_finding(report)] if report.privileges else []
    for name in report.unguarded:
        summary = f"{name} lets everybody who reaches it do everything: nothing to check"
        found.append(Finding(check=CHECK, status=Status.SKIPPED, summary=summary))
    return found


def unasked(session: Session, releases: Sequence[Release]) -> list[Finding]:
    """Say of which servers nobody can ask who may do what."""
    silent = {
        one.spec.backend: None
        for one in releases
        for can in (session.spaces.backend(one).capabilities,)
        if can.served and not can.privileges
    }
    return [
        Finding(
            check=CHECK,
            status=Status.SKIPPED,
            summary=f"{name} cannot say who may do what: nothing was checked there",
        )
        for name in silent
    ]


def _finding(report: PrivilegesReport) -> Finding:
    if missing := report.missing:
        first = missing[0]
        more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
        return Finding(
            check=CHECK,
            status=Status.FAILED,
            summary=f"{first.role} may not {first.privilege} {first.on}{more}",
            figures={"needed": len(report.privileges), "missing": len(missing)},
            remedy="; ".join(one.remedy for one in missing),
        )
    roles = dict.fromkeys(one.role for one in report.privileges)
    return Finding(
        check=CHECK,
        status=Status.OK,
        summary=f"all {len(report.privileges)} grants are there, for {', '.join(roles)}",
        figures={"needed": len(report.privileges), "missing": 0},
    )


def _report(session: Session, releases: Sequence[Release]) -> PrivilegesReport:
    found: list[Privilege] = []
    silent: list[str] = []
    unguarded: list[str] = []
    by_backend: dict[str, list[Release]] = {}
    for release in releases:
        by_backend.setdefault(release.spec.backend, []).append(release)
    for name, held in by_backend.items():
        gatekeeper = gatekeeper_of(session.spaces.backend(held[0]))
        if gatekeeper is None:
            silent.append(name)
            continue
        needed = gatekeeper.privileges(
            [one.collection for one in held], alias=session.spaces.alias(held[0])
        )
        found += needed
        unguarded += [] if needed else [name]
    return PrivilegesReport(
        index=releases[0].index,
        releases=tuple(one.name for one in releases),
        privileges=found,
        silent=tuple(silent),
        unguarded=tuple(unguarded),
    )
