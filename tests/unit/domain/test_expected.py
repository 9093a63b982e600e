import pytest

from repoint.domain.expected import Cited, Expected, Span, compared, holds
from repoint.domain.ids import DocumentId

A, B, C, D = (DocumentId(name) for name in "abcd")
EXPECTED = Expected(citations={A: (), B: (Span(start=0, end=9),)})


def test_precision_is_over_what_was_retrieved_and_recall_over_what_was_expected() -> None:
    assert compared([A, C, D], EXPECTED, astray=set()) == Cited(1 / 3, 1 / 2)
    assert compared([B, A], EXPECTED, astray=set()) == Cited(1.0, 1.0)
    assert compared([B, A], EXPECTED, astray=set()).f1 == 1.0


def test_another_part_of_the_document_is_not_what_was_to_be_cited() -> None:
    assert compared([B, A], EXPECTED, astray={B}) == Cited(0.5, 0.5)


def test_nothing_retrieved_counts_0() -> None:
    assert compared([], EXPECTED, astray=set()) == Cited(0.0, 0.0)
    assert compared([C], EXPECTED, astray=set()).f1 == 0.0


@pytest.mark.parametrize(
    ("passage", "held"),
    [
        ("before. the quoted words. after", True),
        ("the quoted w", True),  # cut at its end, more than half is there
        ("re. the quot", True),
        ("re. the", False),
        ("oted words. after", True),
        ("quoted wor", True),  # cut at both ends
        ("ted", False),
        ("", False),
        ("something else", False),
    ],
)
def test_a_passage_stands_for_a_quote_of_which_it_holds_half(passage: str, held: bool) -> None:  # noqa: FBT001 - the outcome
    assert holds(passage, "the quoted words.") is held


def test_an_empty_quote_is_held_by_nothing() -> None:
    assert not holds("a passage", "")


def test_long_texts_are_compared_in_no_time() -> None:
    quote = "".join(f"word {n} of many. " for n in range(40_000))
    assert holds(quote[300_000:], quote)
    assert holds(f"before. {quote[:400_000]}", quote)
    assert not holds(f"{quote[:300_000]} and no more", quote)
