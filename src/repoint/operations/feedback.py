"""Feedback: what became of an answer that was given while a canary was on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from repoint.domain.access import Action
from repoint.domain.answer_id import AnswerId, mark
from repoint.domain.errors import BadInputError
from repoint.domain.ids import IndexName
from repoint.domain.interleaving import preference
from repoint.domain.telemetry import Arm
from repoint.operations.session import Session, authorise

#: Answers that are not compared have no id, so there is nothing to say of them.
NOT_COMPARED = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What feedback did."""

    #: False: the answer or its key was counted before, or its canary is over.
    counted: bool
    #: 1 where the candidate was preferred, or its arm's answer was of use; 0.5 is a tie.
    outcome: float | None


def give(
    session: Session,
    index: IndexName,
    answer: str,
    *,
    clicked: Iterable[str],
    grades: Mapping[str, int] | None,
) -> Counted:
    """Record what became of an answer: which hits were clicked, or how they were judged.

    An interleaved answer counts once, for whose picks got more. In a canary's or a baseline's
    arm a key counts once, with the first of its answers that comes back: the arms hold
    different keys, and a key that asks a thousand times is still one.

    Raises:
        BadInputError: the id is of no answer of this index, or a grade is negative.
    """
    authorise(session, Action.FEEDBACK, index)
    if answer == NOT_COMPARED:
        return Counted(counted=False, outcome=None)
    credits_ = _credits(clicked, grades)
    with session.store.begin() as tx:
        tx.indexes.require(index)
        known = AnswerId.read(answer, index=index, secret=tx.feedback.secret(index) or b"")
        outcome = _outcome(known, credits_)
        canary = tx.pointers.pointer(index).canary
        if canary is None or canary.since != known.since:
            return Counted(counted=False, outcome=outcome)
        counted = tx.feedback.add(
            index,
            since=known.since,
            unit=known.unit,
            arm=known.arm,
            outcome=outcome,
            at=session.clock.now(),
        )
    return Counted(counted=counted, outcome=outcome)


def _credits(clicked: Iterable[str], grades: Mapping[str, int] | None) -> dict[str, float]:
    # One id alone, not its letters.
    found = dict.fromkeys((clicked,) if isinstance(clicked, str) else clicked, 1.0)
    for document, grade in (grades or {}).items():
        if grade < 0:
            raise BadInputError(f"the grade {grade} of {document!r} is below 0")
        found[document] = float(grade)
    return found


def _outcome(known: AnswerId, credits_: Mapping[str, float]) -> float:
    if known.arm is Arm.INTERLEAVED:
        by_mark = {mark(document): credit for document, credit in credits_.items()}
        return preference(known.teams, by_mark)
    return float(any(credit > 0 for credit in credits_.values()))
