"""What a filter means: the definition that every backend is held to."""

import pytest

from repoint.domain.document import Metadata
from repoint.domain.filters import (
    And,
    Compare,
    Comparison,
    Filter,
    In,
    Not,
    Or,
    Scalar,
    fields_of,
    leaves,
    matches,
)

DOCUMENT: Metadata = {
    "group": "treatment",
    "year": 2020,
    "score": 0.5,
    "open": True,
    "nothing": None,
    "tags": ["a"],
}


def equal(field: str, value: Scalar) -> Compare:
    return Compare(field, Comparison.EQUAL, value)


TRUE = [
    equal("group", "treatment"),
    equal("year", 2020),
    equal("year", 2020.0),
    equal("score", 0.5),
    equal("open", value=True),
    Compare("open", Comparison.UNEQUAL, value=False),
    Compare("group", Comparison.UNEQUAL, "cause"),
    Compare("group", Comparison.MORE, "Z"),  # by code points: small letters come later
    Compare("year", Comparison.AT_LEAST, 2020),
    Compare("year", Comparison.AT_MOST, 2020.0),
    Compare("score", Comparison.LESS, 1),
    Compare("score", Comparison.MORE, 0),
    In("group", ("cause", "treatment")),
    In("year", (2019, 2020.0)),
    Not(equal("missing", 1)),
    Not(equal("nothing", 1)),
    And(()),
    And((equal("group", "treatment"), equal("year", 2020))),
    Or((equal("group", "cause"), equal("year", 2020))),
]

FALSE = [
    equal("group", "Treatment"),
    equal("year", "2020"),
    equal("year", value=True),
    equal("open", 1),
    equal("open", value=False),
    equal("missing", "x"),
    equal("nothing", "None"),
    equal("tags", "a"),
    Compare("missing", Comparison.UNEQUAL, "x"),
    Compare("nothing", Comparison.UNEQUAL, "x"),
    Compare("tags", Comparison.UNEQUAL, "x"),
    Compare("year", Comparison.UNEQUAL, "2020"),
    Compare("open", Comparison.UNEQUAL, 0),
    Compare("open", Comparison.AT_LEAST, value=False),
    Compare("year", Comparison.LESS, "3000"),
    In("year", ("2020", True)),
    In("year", ()),
    In("missing", ("x",)),
    Or(()),
    Or((equal("group", "cause"), equal("year", 2021))),
    And((equal("group", "treatment"), equal("year", 2021))),
    Not(And(())),
]


@pytest.mark.parametrize("filter_", TRUE, ids=repr)
def test_what_holds_matches_and_its_negation_does_not(filter_: Filter) -> None:
    assert matches(filter_, DOCUMENT)
    assert not matches(Not(filter_), DOCUMENT)


@pytest.mark.parametrize("filter_", FALSE, ids=repr)
def test_what_does_not_hold_is_false_and_its_negation_is_true(filter_: Filter) -> None:
    assert not matches(filter_, DOCUMENT)
    assert matches(Not(filter_), DOCUMENT)


def test_integers_are_compared_exactly_beyond_what_a_float_can_hold() -> None:
    assert not matches(equal("n", 2**53 + 1), {"n": float(2**53)})


def test_the_fields_of_a_filter_are_all_that_it_looks_at() -> None:
    filter_ = And((equal("a", 1), Not(Or((equal("b", 1), In("c", (1,)), equal("a", 2))))))
    assert fields_of(filter_) == {"a", "b", "c"}
    assert [leaf.field for leaf in leaves(filter_)] == ["a", "b", "c", "a"]
    assert fields_of(And(())) == frozenset()
