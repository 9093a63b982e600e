import math

import pytest

from repoint.domain.errors import BadSpecError
from repoint.domain.spec import RerankSpec
from repoint.rerankers.lexical import LexicalReranker
from repoint.wiring.clock import SystemClock


def best(query: str, *texts: str) -> str:
    scores = LexicalReranker().score(query, texts)
    return max(zip(scores, texts, strict=True))[1]


def test_a_rare_word_weighs_more_than_a_common_one() -> None:
    assert best("the cat", "the dog the", "a cat", "the bird", "the fish") == "a cat"


def test_more_of_the_query_is_better() -> None:
    assert best("red harbour", "red ship", "red harbour", "green harbour") == "red harbour"


def test_repeating_a_word_helps_less_and_less() -> None:
    scorer = LexicalReranker(length_share=1e-9)
    once, twice, thrice = scorer.score("storm", ["storm", "storm storm", "storm storm storm"])
    assert once < twice < thrice
    assert thrice - twice < twice - once


def test_a_text_without_any_word_of_the_query_scores_zero() -> None:
    assert LexicalReranker().score("storm", ["bread", ""]) == [0.0, 0.0]
    assert LexicalReranker().score("", ["bread"]) == [0.0]
    assert LexicalReranker().score("storm", []) == []


def test_the_same_input_gives_the_same_scores_and_each_text_its_own() -> None:
    texts = ["red ship", "storm over the red harbour", "bread"]
    scores = LexicalReranker().score("red storm", texts)
    assert LexicalReranker().score("red storm", texts) == scores
    assert LexicalReranker().score("red storm", texts[::-1]) == scores[::-1]


def test_case_does_not_matter() -> None:
    upper, lower = LexicalReranker().score("HARBOUR", ["Harbour", "harbour"])
    assert upper == lower > 0


def test_options_are_read_and_checked() -> None:
    spec = RerankSpec(provider="lexical", options={"saturation": 1.2})
    assert LexicalReranker.open(spec, clock=SystemClock()).score("a", ["a"])[0] > 0
    with pytest.raises(BadSpecError, match="saturation"):
        LexicalReranker.open(
            RerankSpec(provider="lexical", options={"saturation": 0}), clock=SystemClock()
        )


@pytest.mark.parametrize("share", [1.01, 3, math.inf, math.nan])
def test_a_text_pays_for_its_length_wholly_at_most(share: float) -> None:
    spec = RerankSpec(provider="lexical", options={"length_share": share})
    with pytest.raises(BadSpecError, match=r"options\.length_share: .* is (not )?above"):
        LexicalReranker.open(spec, clock=SystemClock())


def test_a_text_that_pays_wholly_has_a_score() -> None:
    scores = LexicalReranker(length_share=1).score("storm", ["storm", "storm and much rain"])
    assert scores[0] > scores[1] > 0
