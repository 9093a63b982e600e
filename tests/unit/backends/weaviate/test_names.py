import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.weaviate_peer.shelves import SPACE

from repoint.backends.weaviate.names import (
    class_name,
    document_key,
    object_id,
    property_name,
    term,
)
from repoint.domain.document import FieldType
from repoint.domain.errors import UnsupportedError

NAMES = st.from_regex("[a-z][A-Za-z0-9_.-]{0,12}", fullmatch=True)
#: Texts of characters that are trimmed, lie beside those, or are the driver's own marks.
EDGES = st.text(st.sampled_from("\x00\x01\x08\t\r\x0e\x1f !aZ\x84\x85\x86\u3000\U0010ffff"))
TEXTS = EDGES | st.text(st.characters(exclude_categories=["Cs"]))


@given(NAMES, NAMES)
def test_two_names_are_one_class_only_if_they_are_one(one: str, other: str) -> None:
    assert (class_name(one) == class_name(other)) == (one == other)
    assert re.fullmatch("[A-Z][_0-9A-Za-z]*", class_name(one))


def test_an_underscore_that_looks_like_an_escape_is_escaped() -> None:
    assert class_name("my-docs") == "My_X2Ddocs"
    assert class_name("my_X2Ddocs") == "My_X5FX2Ddocs"
    assert class_name("docs_v1_aaaaaaaaaaaa") == "Docs_v1_aaaaaaaaaaaa"


@given(st.lists(TEXTS, max_size=8))
def test_a_term_keeps_order_and_difference_and_loses_nothing_at_its_ends(
    texts: list[str],
) -> None:
    ordered = sorted(set(texts))
    terms = [term(text) for text in ordered]
    assert all(found and found == found.strip(SPACE) for found in terms)
    assert all(one.encode() < other.encode() for one, other in pairwise(terms))


@pytest.mark.parametrize("text", ["novel", "No Vel", "a\x00b", "日本", 'it\'s "x" ;--'])
def test_a_text_that_nobody_would_change_stands_as_it_is(text: str) -> None:
    assert term(text) == text


@given(st.text(max_size=300), st.text(max_size=300))
def test_two_fields_have_one_property_only_if_they_are_one(one: str, other: str) -> None:
    names = [property_name(field, FieldType.TEXT) for field in (one, other)]
    assert (names[0].lower() == names[1].lower()) == (one == other)
    assert all(re.fullmatch("[_A-Za-z][_0-9A-Za-z]{0,230}", name) for name in names)


@pytest.mark.parametrize("ending", ["_searchable", "_rangeable", "_temp", "__meta_count"])
def test_a_field_does_not_end_as_the_servers_own_indexes_do(ending: str) -> None:
    assert not property_name(f"field{ending}", FieldType.NUMBER).endswith(ending)
    assert property_name("field", FieldType.NUMBER) == "n_field"


def test_no_two_slots_meet() -> None:
    places = [("a", 0), ("a", 1), ("0:a", 0), ("", 0), (" ", 0), ("a ", 0), ("a\x00", 0)]
    assert len({object_id(*place) for place in places}) == len(places)
    assert len({document_key(document) for document, _ in places}) == len(places) - 1


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="surrogate"):
        term("a\ud800")
