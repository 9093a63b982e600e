import operator
from collections.abc import Mapping

import pytest
from hypothesis import given

from repoint.backends.chroma.filters import Where, condition, fields
from repoint.domain.document import Metadata
from repoint.domain.errors import UnsupportedError
from repoint.domain.filters import (
    And,
    Compare,
    Comparison,
    Filter,
    Not,
    Or,
    matches,
    orders_text,
)
from repoint.testing.collection_model import FILTERS, METADATA
from repoint.testing.collection_searches import SHELF

ORDERS = {"$lt": operator.lt, "$lte": operator.le, "$gt": operator.gt, "$gte": operator.ge}


def passes(where: Where, record: Mapping[str, object]) -> bool:
    """Say what the server does: what is not equal may also be absent."""
    if isinstance(where, bool):
        return where
    ((key, asked),) = where.items()
    if key in {"$and", "$or"}:
        assert isinstance(asked, list)
        assert len(asked) > 1, "the server refuses it"
        return (all if key == "$and" else any)(passes(part, record) for part in asked)
    assert isinstance(asked, dict)
    ((comparison, value),) = asked.items()
    if comparison == "$ne":
        return key not in record or record[key] != value
    if comparison == "$eq":
        return key in record and record[key] == value
    assert isinstance(value, float), "the server orders numbers only"
    found = record.get(key)
    return isinstance(found, float) and bool(ORDERS[comparison](found, value))


@given(where=FILTERS, metadata=METADATA)
def test_a_condition_says_what_the_filter_says(where: Filter, metadata: Metadata) -> None:
    if orders_text(where):
        with pytest.raises(UnsupportedError):
            condition(where)
        return
    assert passes(condition(where), fields(metadata)) == matches(where, metadata)
    assert passes(condition(Not(where)), fields(metadata)) != matches(where, metadata)


@pytest.mark.parametrize(
    ("empty", "comes_to"),
    [(And(()), True), (Or(()), False), (Not(And(())), False), (Not(Or(())), True)],
    ids=repr,
)
def test_what_is_so_for_everybody_is_no_condition(
    empty: Filter,
    comes_to: bool,  # noqa: FBT001 - a table
) -> None:
    assert condition(empty) is comes_to
    novel = Compare("kind", Comparison.EQUAL, "novel")
    assert condition(And((empty, novel))) == (condition(novel) if comes_to else False)


def test_every_name_is_a_key_of_its_own() -> None:
    names = [name for metadata in SHELF.values() for name in metadata]
    keys = {key for name in names for key in fields({name: "x"})}
    assert len(keys) == 2 * len(set(names))
    assert all(key.isascii() and key.replace("_", "").isalnum() for key in keys if key != "t_")
