import operator
from collections.abc import Mapping

import pytest
from hypothesis import given

from repoint.backends.opensearch.filters import Query, condition, fields
from repoint.domain.document import Metadata
from repoint.domain.filters import Filter, Not, matches
from repoint.testing.collection_model import FILTERS, METADATA
from repoint.testing.collection_searches import FILTERS as NASTY
from repoint.testing.collection_searches import SHELF

ORDERS = {"lt": operator.lt, "lte": operator.le, "gt": operator.gt, "gte": operator.ge}


def passes(query: Query, record: Mapping[str, object]) -> bool:
    """Say what the server does with one document's fields."""
    ((kind, asked),) = query.items()
    assert isinstance(asked, dict)
    if kind in {"match_all", "match_none"}:
        return kind == "match_all"
    if kind == "bool":
        should = asked.get("should")
        return (
            all(passes(part, record) for part in asked.get("filter", []))
            and not any(passes(part, record) for part in asked.get("must_not", []))
            and (should is None or any(passes(part, record) for part in should))
        )
    if kind == "exists":
        return str(asked["field"]).removeprefix("fields.") in record
    ((name, how),) = asked.items()
    found = record.get(name.removeprefix("fields."))
    if kind == "term":
        return found is not None and found == how["value"]
    ((order, value),) = how.items()
    if isinstance(found, str) and isinstance(value, str):
        return bool(ORDERS[order](found.encode(), value.encode()))
    return isinstance(found, float) and bool(ORDERS[order](found, value))


@given(where=FILTERS, metadata=METADATA)
def test_a_query_says_what_the_filter_says(where: Filter, metadata: Metadata) -> None:
    assert passes(condition(where), fields(metadata)) == matches(where, metadata)
    assert passes(condition(Not(where)), fields(metadata)) != matches(where, metadata)


@pytest.mark.parametrize("where", NASTY, ids=repr)
def test_a_query_says_it_of_every_kind_of_metadata(where: Filter) -> None:
    found = {name for name, one in SHELF.items() if passes(condition(where), fields(one))}
    assert found == {name for name, one in SHELF.items() if matches(where, one)}
