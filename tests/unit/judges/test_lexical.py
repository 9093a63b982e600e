import pytest
from hypothesis import given
from hypothesis import strategies as st

from repoint.domain.errors import BadInputError
from repoint.domain.grounding import Passage
from repoint.domain.ids import DocumentId
from repoint.judges.lexical import LexicalJudge

PASSAGE = (
    "Basalt forms when lava cools quickly at the surface. It holds 45 to 52 percent silica, "
    "and makes up most of the ocean floor."
)


def share(answer: str, *passages: str) -> float:
    held = [Passage(DocumentId(f"d{n}"), text) for n, text in enumerate(passages)]
    return LexicalJudge().judge("what is basalt?", answer, held).support.share


def unsupported(answer: str, *passages: str) -> tuple[int, ...]:
    held = [Passage(DocumentId(f"d{n}"), text) for n, text in enumerate(passages)]
    return LexicalJudge().judge("", answer, held).support.unsupported


def test_what_a_passage_says_is_supported_and_what_none_says_is_not() -> None:
    answer = "Basalt forms as lava cools at the surface. Penguins nest on glaciers in winter."
    assert share(answer, PASSAGE) == 0.5
    assert unsupported(answer, PASSAGE) == (1,)
    assert share(answer, PASSAGE, "In winter penguins nest on glaciers.") == 1.0


def test_a_figure_that_no_passage_has_is_not_supported() -> None:
    assert share("Basalt holds 45 to 52 percent silica.", PASSAGE) == 1.0
    assert share("Basalt holds 45 to 99 percent silica.", PASSAGE) == 0.0


def test_without_a_passage_nothing_is_supported() -> None:
    assert share("Basalt forms from lava.") == 0.0


def test_it_sees_words_and_no_meaning() -> None:
    """What the documentation says of it: a turned sentence passes, a paraphrase does not."""
    assert share("Basalt never forms when lava cools quickly at the surface.", PASSAGE) == 1.0
    assert (
        share("That rock appears once molten stone solidifies fast outdoors.", PASSAGE) == 0.0
    )


def test_two_passages_do_not_add_up_to_one() -> None:
    answer = "Copper melts slowly beside furnaces, zinc boils violently under pressure."
    first, second = answer.split(", ")
    assert share(answer, answer) == 1.0
    assert share(answer, first, second) == 0.0


def test_list_marks_and_passage_marks_are_no_claims() -> None:
    assert (
        share("1. Basalt forms at the surface [3].\n2. Lava cools quickly [1].", PASSAGE) == 1
    )


@pytest.mark.parametrize(
    ("answer", "passage", "expected"),
    [
        (
            "玄武岩は溶岩が冷えてできる。",
            "玄武岩は地表で溶岩が急に冷えてできる岩石である。",
            1.0,
        ),
        ("玄武岩は溶岩が冷えてできる。", "ペンギンは冬に氷河の上で巣を作る。", 0.0),
        ("Лава быстро остывает.", "ЛАВА на поверхности быстро остывает и твердеет", 1.0),
        ("ﬁne ﬂour makes bread", "Fine flour makes bread.", 1.0),
    ],
)
def test_other_scripts_are_read_as_they_are_written(
    answer: str, passage: str, expected: float
) -> None:
    assert share(answer, passage) == expected


@pytest.mark.parametrize("answer", ["", "  \n ", "… — !", "🙂🙂"])
def test_an_answer_that_says_nothing_cannot_be_judged(answer: str) -> None:
    with pytest.raises(BadInputError, match="no sentence"):
        share(answer, PASSAGE)


def test_a_very_long_answer_is_judged_to_its_end() -> None:
    answer = "Basalt forms when lava cools quickly. " * 2_000 + "Penguins nest on glaciers."
    assert unsupported(answer, PASSAGE) == (2_000,)


@given(st.text(max_size=200))
def test_an_answer_is_supported_by_itself(text: str) -> None:
    try:
        assert share(text, text) == 1.0
    except BadInputError:
        assert not any(one.isalnum() for one in text)
