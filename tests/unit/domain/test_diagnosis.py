from dataclasses import replace

import pytest

from repoint.domain.diagnosis import (
    LEAST,
    Blame,
    Cause,
    Certainty,
    Fault,
    ranked,
    verdict,
)

CAUSE = Cause(
    fault=Fault.BAD_MODEL,
    blame=Blame.MODEL,
    certainty=Certainty.MEASURED,
    score=0.5,
    summary="",
    figures={},
    remedy="",
)


def test_what_explains_most_comes_first_and_what_is_only_possible_last() -> None:
    possible = replace(CAUSE, fault=Fault.PROMPT, certainty=Certainty.POSSIBLE, score=1.0)
    proven = replace(CAUSE, fault=Fault.FILTER_FIELD, certainty=Certainty.PROVEN, score=0.7)
    assert ranked([possible, CAUSE, proven]) == (proven, CAUSE, possible)


def test_less_than_chance_is_no_cause_but_what_was_seen_is_told() -> None:
    little = replace(CAUSE, score=LEAST - 0.01)
    seen = replace(little, certainty=Certainty.PROVEN)
    assert ranked([little]) == ()
    assert ranked([seen]) == (seen,)


@pytest.mark.parametrize("blame", list(Blame))
def test_the_first_cause_answers_the_question(blame: Blame) -> None:
    other = replace(CAUSE, score=0.2, blame=Blame.MODEL)
    said = verdict((replace(CAUSE, blame=blame), other), lost=True)
    assert {
        Blame.MODEL: "the model was bad",
        Blame.MIGRATION: "the migration was incomplete",
        Blame.SETTINGS: "a setting of the release",
        Blame.PROVIDER: "provider changed it",
    }[blame] in said


def test_without_a_cause_the_answer_says_whether_anything_was_lost() -> None:
    assert "no fault was found" in verdict((), lost=False)
    assert "nothing that was looked at explains it" in verdict((), lost=True)
    possible = replace(CAUSE, certainty=Certainty.POSSIBLE)
    assert "outside of what was measured" in verdict((possible,), lost=False)
