"""Filters as text: what is read, what is written, what is refused and where."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repoint.domain.document import FieldType
from repoint.domain.errors import BadFilterError, UnknownFieldError
from repoint.domain.filter_syntax import (
    MAX_DEPTH,
    MAX_LENGTH,
    check,
    from_mapping,
    parse,
    render,
)
from repoint.domain.filters import And, Compare, Comparison, Filter, In, Not, Or, Scalar

EQUAL = Comparison.EQUAL

READ: list[tuple[str, Filter]] = [
    ('group = "treatment"', Compare("group", EQUAL, "treatment")),
    ("group == 'treat'", Compare("group", EQUAL, "treat")),
    ("year>=2020", Compare("year", Comparison.AT_LEAST, 2020)),
    ("year <> -2.5e1", Compare("year", Comparison.UNEQUAL, -25.0)),
    ("open = TRUE", Compare("open", EQUAL, value=True)),
    ("lang in ('de', 3, false,)", In("lang", ("de", 3, False))),
    ("lang not in ('de')", Not(In("lang", ("de",)))),
    ("lang in ()", In("lang", ())),
    ("`a field` = 1", Compare("a field", EQUAL, 1)),
    ("`a``b` = 1", Compare("a`b", EQUAL, 1)),
    ("`and` = 1", Compare("and", EQUAL, 1)),
    ("größe.in-cm = 1", Compare("größe.in-cm", EQUAL, 1)),
    (r'a = "q\"\'\\\n\u00e9"', Compare("a", EQUAL, "q\"'\\\né")),
    ("true", And(())),
    ("false", Or(())),
    (
        "a = 1 or b = 2 and not c = 3",
        Or(
            (
                Compare("a", EQUAL, 1),
                And((Compare("b", EQUAL, 2), Not(Compare("c", EQUAL, 3)))),
            )
        ),
    ),
    (
        "(a = 1 or b = 2) and c = 3",
        And((Or((Compare("a", EQUAL, 1), Compare("b", EQUAL, 2))), Compare("c", EQUAL, 3))),
    ),
]

REFUSED = [
    ("", 0, "expected a field"),
    ("   ", 3, "expected a field"),
    ("group", 5, "expected ="),
    ("group treatment", 6, "expected ="),
    ("group = treatment", 8, 'put text in quotes: "treatment"'),
    ("'a' = 1", 0, "expected a field"),
    ("a = 1 b = 2", 6, "expected and, or"),
    ("a = 'b", 4, "not closed"),
    ("a = 1 and", 9, "expected a field"),
    ("(a = 1", 6, "closing bracket"),
    ("a in 'x'", 5, "bracket with values"),
    ("a in ('x' 'y')", 10, "comma"),
    ("a not 1", 6, "in after not"),
    (r"a = 'b\q'", 6, "unknown escape"),
    (r"a = '\ud800'", 4, "surrogate"),
    ("a = 1e999", 4, "too large"),
    ("a = " + "9" * 5_000, 4, "number of more"),
    ("a = 12abc", 4, "unexpected"),
    ("a = 1; drop", 5, "unexpected ';'"),
    ("a = null", 4, "put text in quotes"),
]


@pytest.mark.parametrize(("text", "expected"), READ, ids=[text for text, _ in READ])
def test_what_is_written_is_what_is_meant(text: str, expected: Filter) -> None:
    assert repr(parse(text)) == repr(expected)  # repr tells 1 from 1.0 and True


@pytest.mark.parametrize(("text", "position", "why"), REFUSED)
def test_what_cannot_be_read_is_refused_with_its_place(
    text: str, position: int, why: str
) -> None:
    with pytest.raises(BadFilterError) as caught:
        parse(text)
    assert caught.value.position == position
    assert why in caught.value.why


def test_depth_and_length_are_bounded() -> None:
    deep = "(" * MAX_DEPTH + "a = 1" + ")" * MAX_DEPTH
    assert parse(deep) == Compare("a", EQUAL, 1)
    for too_much in (f"({deep})", f"not {deep}", "not " * 5_000 + "a = 1", "(" * 50_000):
        with pytest.raises(BadFilterError, match="inside each other"):
            parse(too_much)
    with pytest.raises(BadFilterError, match="longer than"):
        parse("a = 1".ljust(MAX_LENGTH + 1))


scalars: st.SearchStrategy[Scalar] = st.one_of(
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
)
names = st.text(min_size=1) | st.sampled_from(["a", "and", "in", "x.y", "true", "a b", "`"])
comparisons = st.builds(Compare, names, st.sampled_from(Comparison), scalars) | st.builds(
    In, names, st.lists(scalars, max_size=3).map(tuple)
)


def several(parts: st.SearchStrategy[Filter]) -> st.SearchStrategy[tuple[Filter, ...]]:
    return st.just(()) | st.lists(parts, min_size=2, max_size=3).map(tuple)


filters: st.SearchStrategy[Filter] = st.recursive(
    comparisons,
    lambda parts: st.one_of(
        st.builds(Not, parts), st.builds(And, several(parts)), st.builds(Or, several(parts))
    ),
    max_leaves=8,
)


@given(filters)
def test_what_is_rendered_is_read_back_as_the_same_filter(filter_: Filter) -> None:
    assert repr(parse(render(filter_))) == repr(filter_)


@given(comparisons)
def test_a_connective_of_one_part_is_written_as_that_part(part: Filter) -> None:
    assert parse(render(And((part,)))) == part
    assert parse(render(Not(Or((And((part,)),))))) == Not(part)
    assert parse(render(Or((And((And((part, part)),)), part)))) == Or((And((part, part)), part))


@given(st.text())
def test_any_text_is_read_or_refused_but_never_breaks_the_reader(text: str) -> None:
    with contextlib.suppress(BadFilterError):
        parse(text)


def test_a_mapping_asks_for_equality_or_membership() -> None:
    assert from_mapping({"group": "x"}) == Compare("group", EQUAL, "x")
    assert from_mapping({"group": "x", "year": 3, "lang": ["de", "fr"]}) == And(
        (Compare("group", EQUAL, "x"), Compare("year", EQUAL, 3), In("lang", ("de", "fr")))
    )
    assert from_mapping({}) == And(())


@pytest.mark.parametrize("value", [None, {"gt": 1}, [None], [["x"]], float("nan"), "\ud800"])
def test_a_mapping_with_another_value_is_refused(value: object) -> None:
    with pytest.raises(BadFilterError, match="can be compared with"):
        from_mapping({"group": value})  # type: ignore[dict-item]  # what JSON may bring


FIELDS = {
    "group": FieldType.TEXT,
    "year": FieldType.NUMBER,
    "open": FieldType.BOOLEAN,
    "tags": FieldType.OPAQUE,
}


@pytest.mark.parametrize(
    "text",
    [
        "group >= 'a'",
        "year < 2.5 and year in (1, 2.0)",
        "open != true",
        "open in (true)",
        "true",
    ],
)
def test_a_filter_that_fits_the_fields_passes(text: str) -> None:
    check(parse(text), FIELDS, index="docs")


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("year = 1 and group = 3", 13),
        ("year = '2020'", 0),
        ("year = true", 0),
        ("open = 1", 0),
        ("open < true", 0),
        ("tags = 'a'", 0),
        ("not (group in ('a', 1))", 4),
    ],
)
def test_a_comparison_that_cannot_fit_its_field_is_refused(text: str, position: int) -> None:
    with pytest.raises(BadFilterError) as caught:
        check(parse(text), FIELDS, index="docs")
    assert caught.value.position == position


def test_a_field_that_nobody_has_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownFieldError) as caught:
        check(parse("yaer = 3"), FIELDS, index="docs")
    assert caught.value.known == ["group", "open", "tags", "year"]
