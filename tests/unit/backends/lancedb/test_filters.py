import pytest

from repoint.backends.lancedb.filters import (
    ALWAYS,
    NEVER,
    column,
    columns_of,
    sql,
    text_literal,
)
from repoint.domain.document import FieldType
from repoint.domain.filters import And, Compare, Comparison, In, Not, Or

KIND = column("kind", FieldType.TEXT)
YEAR = column("year", FieldType.NUMBER)
COLUMNS = frozenset({KIND, YEAR})
NOVEL = Compare("kind", Comparison.EQUAL, "novel")
ELSEWHERE = Compare("nobody", Comparison.EQUAL, "x")


@pytest.mark.parametrize("field", ["a.b", "x' OR 1=1", "`", "", "É", "\x00", "a" * 300])
def test_a_column_name_holds_nothing_that_is_sql(field: str) -> None:
    assert column(field, FieldType.TEXT).removeprefix("t_").isalnum() or not field


def test_two_fields_never_share_a_column() -> None:
    fields = ["a", "A", "a ", "61", "", "a\x00", "á"]
    names = {column(field, kind) for field in fields for kind in list(FieldType)[:3]}
    assert len(names) == 3 * len(fields)


def test_a_quote_ends_no_literal() -> None:
    assert text_literal("it's '' \\'") == "'it''s '''' \\'''"


def test_an_absent_field_makes_a_comparison_false_not_unknown() -> None:
    assert sql(NOVEL, COLUMNS) == f"({KIND} IS NOT NULL AND {KIND} = 'novel')"


def test_a_field_that_nobody_has_matches_nothing() -> None:
    assert sql(ELSEWHERE, COLUMNS) == NEVER
    assert sql(Not(ELSEWHERE), COLUMNS) == ALWAYS
    assert sql(And((NOVEL, ELSEWHERE)), COLUMNS) == NEVER
    assert sql(Or((NOVEL, ELSEWHERE)), COLUMNS) == sql(NOVEL, COLUMNS)


def test_a_filter_says_which_columns_it_looks_into() -> None:
    where = And(
        (NOVEL, Not(In("year", (1, 2.5, "x"))), Compare("open", Comparison.EQUAL, value=True))
    )
    assert columns_of(where) == {
        KIND,
        YEAR,
        column("year", FieldType.TEXT),
        column("open", FieldType.BOOLEAN),
    }
