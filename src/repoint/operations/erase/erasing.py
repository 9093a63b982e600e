"""The order of an erasure, from its record to its proof.

1. One transaction records what is to be erased and puts its tombstones into the log.
2. Every place gives it up: collections, dead letters, what releases were measured with,
   evidence, caches. Each step finds nothing to do where an earlier run did it.
3. Every place is looked at again, and only if nothing is left anywhere the record lets go of
   the names itself (stage CLEARED); what it held leaves the store's files (stage DONE).

Killed anywhere, it is finished by the next ``erase`` of the index, or by ``reconcile``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from repoint.domain.access import Action
from repoint.domain.audit import Outcome
from repoint.domain.document import Json
from repoint.domain.erasure import MOST, Erasure, Secret, Stage, betrays, traces_of
from repoint.domain.errors import BadInputError, RepointError
from repoint.domain.ids import DocumentId, IndexName, Lsn
from repoint.domain.readiness import Finding, Status
from repoint.operations.acknowledge import is_alive
from repoint.operations.erase import collections, measured, records
from repoint.operations.golden import first_sentence
from repoint.operations.session import Session, authorise, require_reason
from repoint.ports.store import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureReport:
    """What an erasure did, place by place."""

    id: str
    index: IndexName
    #: Documents named, and how many of them the log did not know.
    documents: int
    unknown: int
    #: Whether every place was looked at and nothing was found there.
    verified: bool
    #: One finding a place, with the figure found after.
    findings: Sequence[Finding]
    #: What no program that runs here can reach, in words.
    not_reached: Sequence[str]
    seconds: float


def erase(
    session: Session, index: IndexName, ids: Iterable[DocumentId], *, reason: str
) -> ErasureReport:
    """Delete documents for good and remove their content from wherever repoint put it.

    What an earlier run left unfinished on the index is finished first.

    Raises:
        BadInputError: no id, too many, or a reason that is empty or names a document.
        NotFoundError: no such index.
    """
    authorise(session, Action.ERASE, index, reason=reason)
    require_reason(reason, of="an erasure")
    named = list(dict.fromkeys(islice(ids, MOST + 1)))
    _require_few(named, reason)
    session.announce()
    finish_open(session, index)
    return _carry_out(session, _begin(session, index, named, reason))


def finish_open(
    session: Session, index: IndexName, *, abandoned_only: bool = False
) -> list[ErasureReport]:
    """Finish what earlier runs began; ``abandoned_only`` leaves it to a live process."""
    authorise(session, Action.ERASE, index)
    with session.store.read() as view:
        processes = {one.id: one for one in view.processes.all()}
    return [
        _carry_out(session, erasure)
        for erasure in unfinished(session, index)
        if not (
            abandoned_only
            and (owner := processes.get(erasure.owner)) is not None
            and owner.id != session.process.id
            and is_alive(owner, session)
        )
    ]


def unfinished(session: Session, index: IndexName) -> list[Erasure]:
    """Return the erasures of an index that are not proven yet, oldest first."""
    with session.store.read() as view:
        return [one for one in view.erasures.all(index) if one.stage is not Stage.DONE]


def _require_few(named: Sequence[DocumentId], reason: str) -> None:
    if not named:
        raise BadInputError("nothing was named that could be erased", hint="name documents")
    if len(named) > MOST:
        raise BadInputError(
            f"one erasure takes at most {MOST:,} documents", hint="erase them in parts"
        )
    if betrays(reason, Secret(stand_ins=dict.fromkeys(named, ""))):
        raise BadInputError(
            "the reason names one of the documents, and it is kept for good",
            hint="name the request instead, for instance its number",
        )


def _begin(
    session: Session, index: IndexName, named: Sequence[DocumentId], reason: str
) -> Erasure:
    with session.store.begin() as tx:
        now = session.clock.now()
        rows = tx.log.get(index, named)
        standing = [row.document for row in rows.values() if row.document is not None]
        sentences = {first_sentence(one.text) for one in standing} - {""}
        erasure = Erasure(
            id=session.ids.new(),
            index=index,
            actor=session.actor,
            reason=reason,
            owner=session.process.id,
            at=now,
            stage=Stage.OPEN,
            documents=len(named),
            unknown=len(named) - len(rows),
            upto=tx.log.append(index, named, at=now).head,
            secret=Secret(
                stand_ins={one: f"erased-{session.ids.new()[:16]}" for one in named},
                traces=traces_of(standing),
                questions=frozenset(sentences),
            ),
        )
        for source, _ in tx.sources.all(index):
            tx.sources.unnote(index, source.name, named)
        tx.erasures.begin(erasure)
        _record(tx, session, erasure, what="begun")
    return erasure


def _carry_out(session: Session, erasure: Erasure) -> ErasureReport:
    began = session.clock.monotonic()
    if erasure.stage is Stage.OPEN:
        findings = _everywhere(session, erasure)
        erasure = replace(erasure, findings=findings)
        if any(one.status is Status.FAILED for one in findings):
            with session.store.begin() as tx:
                tx.erasures.advance(erasure)
            return _report(session, erasure, began)
        with session.store.begin() as tx:
            tx.erasures.advance(_cleared(erasure))
    # From here on the record holds no name, so what the files hold is somewhere else.
    found = records.store_files(session, erasure.secret)
    done = replace(_cleared(erasure), stage=Stage.DONE, findings=(*erasure.findings, found))
    with session.store.begin() as tx:
        stands = {one.id: one for one in tx.erasures.all(erasure.index)}[erasure.id]
        if stands.stage is not Stage.DONE:  # another process may have come as far
            tx.erasures.advance(done)
            _record(tx, session, done, what="proven")
    return _report(session, done, began)


def _cleared(erasure: Erasure) -> Erasure:
    return replace(erasure, stage=Stage.CLEARED, secret=Secret(stand_ins={}))


def _everywhere(session: Session, erasure: Erasure) -> tuple[Finding, ...]:
    """Remove it from every place, then look at every place; a failure stops no other."""
    removals: list[tuple[str, Callable[[], list[Finding]]]] = [
        ("dead-letters", lambda: records.dead_letters(session, erasure)),
        ("collections", lambda: collections.give_up(session, erasure)),
        ("measured", lambda: measured.rewrite(session, erasure)),
        ("evidence", lambda: records.evidence(session, erasure)),
        ("caches", lambda: records.caches(session, erasure)),
        ("log", lambda: records.log(session, erasure)),
        ("records", lambda: records.mentions(session, erasure)),
    ]
    findings: list[Finding] = []
    for place, remove in removals:
        try:
            findings += remove()
        except RepointError as error:
            findings.append(
                Finding(
                    check=place,
                    status=Status.FAILED,
                    summary=f"it could not be finished there: {error.message}",
                    figures={"error": error.code},
                    remedy=error.hint or f"then again: repoint erase {erasure.index}",
                )
            )
    return tuple(findings)


def _record(tx: Transaction, session: Session, erasure: Erasure, *, what: str) -> None:
    figures: dict[str, Json] = {
        one.check: dict(one.figures) for one in erasure.findings if one.figures
    }
    tx.audit.append(
        at=session.clock.now(),
        actor=session.actor,
        action=Action.ERASE,
        index=erasure.index,
        outcome=Outcome.DONE,
        reason=erasure.reason,
        details={
            "what": what,
            "erasure": erasure.id,
            "documents": erasure.documents,
            "unknown": erasure.unknown,
            "upto": Lsn(erasure.upto),
            "found": figures,
        },
    )


def _report(session: Session, erasure: Erasure, began: float) -> ErasureReport:
    return ErasureReport(
        id=erasure.id,
        index=erasure.index,
        documents=erasure.documents,
        unknown=erasure.unknown,
        verified=erasure.stage is Stage.DONE
        and not any(one.status is Status.FAILED for one in erasure.findings),
        findings=erasure.findings,
        not_reached=records.not_reached(session, erasure.index),
        seconds=session.clock.monotonic() - began,
    )
