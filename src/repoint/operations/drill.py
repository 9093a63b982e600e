"""Drill: rehearse a promotion and its rollback, and keep the time that each step took.

Nothing that is served changes. The collections, models and the log are the real ones; the
pointer's moves are real transactions, undone before their commit, so nobody ever sees them.
What a rollback would replay is estimated from what this release embeds a document in now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from typing import Final

from repoint.domain.access import Action
from repoint.domain.catchup import Backlog
from repoint.domain.drills import Drill, DrillStep
from repoint.domain.errors import RefusedError, RepointError
from repoint.domain.ids import IndexName, Lsn, ReleaseName
from repoint.domain.operation import OperationKind
from repoint.domain.pointer import Move, MoveKind, Pointer
from repoint.domain.readiness import Finding, Status, failures
from repoint.domain.release import Release
from repoint.operations import acknowledge, diff, golden, moving, verify
from repoint.operations.checks import behaviour, standing
from repoint.operations.originals import filled
from repoint.operations.promote import CLOSE
from repoint.operations.session import Session, authorise, in_turn, record
from repoint.operations.spaces import Space
from repoint.ports.store import Transaction

#: How long a drill waits for every process to confirm the epoch that it serves already.
_ACKNOWLEDGE: Final = timedelta(seconds=2)
#: Documents that are embedded to learn how long one takes.
_EMBEDDED: Final = 8


@in_turn
def drill(session: Session, index: IndexName, name: ReleaseName | None = None) -> Drill:
    """Rehearse going to a candidate and back, or back from what answers now; keep the result.

    Without a name it is the candidate of the open rollout, else the release that answers.

    Raises:
        RefusedError: nothing could go back: there is neither a candidate nor a fallback.
    """
    authorise(session, Action.DRILL, index)
    pointer, ahead, back = _cast(session, index, name)
    rehearsal = _Rehearsal(session)
    space = rehearsal.open(ahead, back)
    if space is not None:
        rehearsal.models(space)
        rehearsal.replay(space)
    rehearsal.moves(pointer, ahead)
    rehearsal.acknowledged(pointer)
    if space is not None:
        rehearsal.proof(space, pointer)
    rehearsal.ahead(ahead)
    return rehearsal.kept(pointer, ahead, back)


def _cast(
    session: Session, index: IndexName, name: ReleaseName | None
) -> tuple[Pointer, Release, Release]:
    with session.store.read() as view:
        pointer = view.pointers.pointer(index)
        rollout = view.pointers.rollout(index)
        candidate = rollout.release if rollout is not None else None
        chosen = name or (candidate if candidate != pointer.active else None) or pointer.active
        if chosen is None or pointer.active is None:
            raise RefusedError(
                f"nothing answers for {index!r} yet, so there is no way back to rehearse",
                hint=f"repoint promote {index} RELEASE",
            )
        way_back = pointer.fallback if chosen == pointer.active else pointer.active
        if way_back is None:
            raise RefusedError(
                f"{chosen} answers for {index!r} without a fallback: there is nothing to go "
                "back to",
                hint=f"rehearse a promotion: repoint drill {index} RELEASE",
            )
        return pointer, view.releases.get(index, chosen), view.releases.get(index, way_back)


class _UndoneError(Exception):
    """Ends the transaction of a rehearsed move, which leaves nothing."""


@dataclass(slots=True)
class _Rehearsal:
    """The steps so far, in the order of a rollback, and what they found."""

    session: Session
    steps: list[DrillStep] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def open(self, ahead: Release, back: Release) -> Space | None:
        """Look whether both collections stand and both models can be opened."""
        opened: list[Space] = []
        with self._timed("open") as say:
            for release in (ahead, back):
                with self._found(f"open:{release.name}"):
                    opened.append(self.session.spaces.confirm(release))
            say(f"{len(opened)} of 2 collections and models are there")
        return next((space for space in opened if space.release.name == back.name), None)

    def models(self, space: Space) -> None:
        """Probe the model that a rollback would bring back."""
        with self._timed("probes") as say, self._found("probes"):
            found = behaviour.query_model(self.session, space)
            say(found.summary)

    def replay(self, space: Space) -> None:
        """Estimate what is pending, deletes first, from what one document takes now."""
        release = space.release
        with self._timed("estimate") as say, self._found("replay"):
            with self.session.store.read() as view:
                watermark = view.catchup.watermark(release.index, release.name)
                head = view.log.head(release.index)
                pending = view.log.backlog(release.index, above=watermark, upto=head)
            each = self._each(space)
            say(f"a document takes {each * 1000:.1f} ms to embed")
            self._estimated(pending, each=each)

    def moves(self, pointer: Pointer, ahead: Release) -> None:
        """Carry out the pointer's moves in a transaction that is undone."""
        session = self.session
        with (
            self._timed("move") as say,
            self._found("move"),
            suppress(_UndoneError),
            session.store.begin() as tx,
        ):
            after = _there_and_back(session, tx, ahead)
            say(f"to epoch {after.epoch} and {after.active}, and undone")
            raise _UndoneError
        with self._timed("commit") as say, self._found("commit"):
            record(session, Action.DRILL, pointer.index)
            say("a record was made durable, as a move would be")

    def acknowledged(self, pointer: Pointer) -> None:
        """Let every serving process say which epoch it serves."""
        with self._timed("processes") as say, self._found("processes"):
            found = acknowledge.wait_for(
                self.session, pointer.index, pointer.epoch, timeout=_ACKNOWLEDGE
            ).finding()
            self.findings.append(found)
            say(found.summary)

    def proof(self, space: Space, pointer: Pointer) -> None:
        """Verify the way back as a rollback would: probes, known questions, filters, sample."""
        with self._timed("verify") as say, self._found("verify"):
            found = verify.answers_as_before(self.session, space, seed=pointer.epoch)
            if all(one.status is Status.SKIPPED for one in found if one.check == "golden"):
                found = [one for one in found if one.check not in {"golden", "latency"}]
                found.append(_known_items(self.session, space, pointer))
            self.findings += [_of("back", one) for one in found if one.check != "lag"]
            say(f"{len(found)} checks, {len(failures(found))} failed")

    def ahead(self, release: Release) -> None:
        """Look at the release that would answer first, and be left again."""
        with self._timed("ahead") as say, self._found("ahead"):
            space = self.session.spaces.open(release)
            with self.session.store.read() as view:
                upto = view.catchup.watermark(release.index, release.name)
                found = [
                    standing.live(release),
                    standing.lag(view, release.index, release.name, allowed=CLOSE),
                    standing.dead_letters(view, release.index, release.name),
                ]
            found.append(behaviour.query_model(self.session, space))
            found.append(
                diff.sampled(
                    self.session.store, space, upto=upto, count=verify.SAMPLE, seed=upto
                )
            )
            self.findings += [_of("ahead", one) for one in found]
            say(f"{len(found)} checks of {release.name}, {len(failures(found))} failed")

    def kept(self, pointer: Pointer, ahead: Release, back: Release) -> Drill:
        """Store what came of it."""
        session = self.session
        made = Drill(
            index=pointer.index,
            number=0,
            epoch=pointer.epoch,
            at=session.clock.now(),
            actor=session.actor,
            ahead=ahead.name,
            ahead_fingerprint=ahead.fingerprint,
            back=back.name,
            back_fingerprint=back.fingerprint,
            ready=not failures(self.findings),
            # What a drill does besides is no part of a rollback.
            rollback_seconds=sum(
                one.seconds for one in self.steps if one.step not in {"estimate", "ahead"}
            ),
            steps=tuple(self.steps),
            findings=tuple(self.findings),
        )
        with session.store.begin() as tx:
            return tx.drills.add(made)

    def _each(self, space: Space) -> float:
        """Return the seconds that one document takes to embed."""
        index = space.release.index
        recent = behaviour.recent_rows(self.session, index, upto=self._head(index))
        rows = filled(space.originals, index, recent[:_EMBEDDED])
        texts = [
            chunk.text
            for row in rows
            if row.document is not None
            for chunk in space.preparer.prepare(row.document)
        ]
        if not texts:
            return 0.0
        began = self.session.clock.monotonic()
        space.embedding.documents(texts)
        documents = sum(row.document is not None for row in rows)
        return (self.session.clock.monotonic() - began) / documents

    def _head(self, index: IndexName) -> Lsn:
        with self.session.store.read() as view:
            return view.log.head(index)

    def _estimated(self, pending: Backlog, *, each: float) -> None:
        seconds = pending.upserts * each
        self.steps.append(
            DrillStep(
                step="replay",
                seconds=seconds,
                said=f"{pending.tombstones} deletes and {pending.upserts} writes are pending",
            )
        )
        self.findings.append(
            Finding(
                check="replay",
                status=Status.OK,
                summary=f"{pending.rows} log rows would be replayed in about {seconds:.1f} s",
                figures={
                    "rows": pending.rows,
                    "deletes": pending.tombstones,
                    "seconds": round(seconds, 3),
                },
            )
        )

    @contextmanager
    def _timed(self, step: str) -> Iterator[Callable[[str], None]]:
        said = "it could not be done"

        def say(what: str) -> None:
            nonlocal said
            said = what

        began = self.session.clock.monotonic()
        yield say
        taken = self.session.clock.monotonic() - began
        self.steps.append(DrillStep(step=step, seconds=taken, said=said))

    @contextmanager
    def _found(self, check: str) -> Iterator[None]:
        """Make a finding of what goes wrong: a drill says everything that it meets."""
        try:
            yield
        except RepointError as error:
            self.findings.append(
                Finding(
                    check=check,
                    status=Status.FAILED,
                    summary=error.message,
                    figures={"error": error.code},
                    remedy=error.hint,
                )
            )


def _there_and_back(session: Session, tx: Transaction, ahead: Release) -> Pointer:
    """Write within the transaction all that a promotion and its rollback would."""
    start = tx.pointers.pointer(ahead.index)
    turns = [start]
    if start.active != ahead.name:
        turns.append(start.promoted(ahead.name))
    turns.append(turns[-1].rolled_back())
    moving.intend(
        session,
        tx,
        kind=OperationKind.ROLLBACK,
        pointer=start,
        release=ahead.name,
        reason="a drill",
    )
    for before, after in pairwise(turns):
        back = after is turns[-1]
        now = session.clock.now()
        tx.pointers.move(
            Move(
                kind=MoveKind.ROLLBACK if back else MoveKind.PROMOTE,
                before=before,
                after=after,
                actor=session.actor,
                reason="a drill",
                at=now,
                checked={},
            )
        )
        tx.audit.append(at=now, actor=session.actor, action="drill", index=ahead.index)
    return turns[-1]


def _known_items(session: Session, space: Space, pointer: Pointer) -> Finding:
    """Ask the way back for documents by their own first sentences."""
    with session.store.read() as view:
        watermark = view.catchup.watermark(pointer.index, space.release.name)
    queries = golden.known_items(
        session.store, pointer.index, upto=watermark, seed=pointer.epoch
    )
    now = golden.measure(space, queries, clock=session.clock)
    found = sum(now.expected[query] in answer for query, answer in now.answers.items())
    return Finding(
        check="golden",
        status=Status.OK if found or not now.answers else Status.FAILED,
        summary=f"{found} of {len(now.answers)} documents are found by their first sentences, "
        f"median answer in {now.latency_p50_ms:.1f} ms",
        figures={"found": found, "queries": len(now.answers)},
    )


def _of(role: str, finding: Finding) -> Finding:
    return Finding(
        check=f"{role}:{finding.check}",
        status=finding.status,
        summary=finding.summary,
        figures=finding.figures,
        remedy=finding.remedy,
    )
