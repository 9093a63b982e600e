from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repoint.domain.errors import BadSpecError
from repoint.domain.grounding import Grounding, Support, batches, sentences_of
from repoint.domain.ids import QueryId
from repoint.domain.prompt import filled, require_places

ONE = Grounding(
    judge="lexical",
    identity="words/1",
    passages=5,
    verdicts={
        QueryId("q1"): Support(sentences=4, unsupported=(1,)),
        QueryId("q2"): Support(sentences=1),
    },
    failed={QueryId("q3"): "unavailable: no answer"},
)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Lava cools quickly. It forms basalt rock.", 2),
        ("Dr. Smith gave 3.5 mg of it. The patient recovered well.", 2),
        ("He said: “It is cooling now.” Nobody answered him at all.", 2),
        ("- lava cools quickly\n- basalt is formed\n", 2),
        ("溶岩が地表で急に冷えて固まる。玄武岩は海底の大部分をつくっている。", 2),
        ("Yes.", 1),
        ("Lava cools quickly. Yes.", 1),
        ("... !!", 0),
        ("", 0),
    ],
)
def test_a_text_is_cut_into_its_sentences(text: str, sentences: int) -> None:
    assert len(sentences_of(text)) == sentences


@given(st.text())
def test_every_letter_is_in_exactly_one_sentence(text: str) -> None:
    kept = "".join(one for part in sentences_of(text) for one in part if one.isalnum())
    assert kept == "".join(one for one in text if one.isalnum())


def test_what_failed_counts_as_neither() -> None:
    assert ONE.mean == pytest.approx((0.75 + 1.0) / 2)
    assert ONE.asked == 3
    assert ONE.failed_share == pytest.approx(1 / 3)
    nothing = replace(ONE, verdicts={}, failed={})
    assert (nothing.mean, nothing.failed_share) == (None, 0.0)


def test_verdicts_of_another_judge_or_depth_or_of_made_answers_are_not_comparable() -> None:
    assert ONE.comparable(replace(ONE, judge="renamed"))
    assert not ONE.comparable(replace(ONE, identity="words/2"))
    assert not ONE.comparable(replace(ONE, passages=3))
    made = replace(ONE, answered_by="model m, prompt '1' of v1")
    assert not ONE.comparable(made)
    assert made.comparable(replace(made, answered_by="model m, prompt '2' of v2"))


def test_batches_leave_nothing_out() -> None:
    assert [list(one) for one in batches(["a"] * 5, 2)] == [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize(
    "template", ["Q: {question}\n{passages}", "{{ passages }} {{question}}"]
)
def test_a_prompt_is_filled_in_one_pass(template: str) -> None:
    require_places(template, source="v1")
    prompt = filled(template, question="why {passages}?", passages=["a {question}", "b"])
    assert "why {passages}?" in prompt
    assert "[1] a {question}\n\n[2] b" in prompt


@pytest.mark.parametrize("template", ["{passages} alone", "{question} alone", "{context}"])
def test_a_prompt_without_a_place_is_refused(template: str) -> None:
    with pytest.raises(BadSpecError, match="no place"):
        require_places(template, source="v1")
