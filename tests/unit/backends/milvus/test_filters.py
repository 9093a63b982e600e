import re

import pytest
from hypothesis import given

from repoint.backends.milvus.filters import Where, condition, fields
from repoint.backends.milvus.names import physical
from repoint.domain.document import Metadata
from repoint.domain.filters import Filter, Not, matches
from repoint.testing.collection_model import FILTERS, METADATA
from repoint.testing.collection_searches import FILTERS as NASTY

#: All that an expression is made of: what a person wrote is hexadecimal, or a number.
WORDS = re.compile(
    r'fields\["[tnb]_[0-9a-f]*"\]|"[0-9a-f]*"|-?[0-9.]+(e[+-]?[0-9]+)?|true|false'
    r"|exists|and|or|not|[<>=!]=|[<>]|[() ]"
)


def passes(where: Where, record: Metadata) -> bool:
    """Evaluate an expression as Python would, where absent is nothing that compares."""
    if isinstance(where, bool):
        return where
    words = [found[0] for found in WORDS.finditer(where)]
    assert "".join(words) == where
    spoken = (
        " ".join(words)
        .replace("true", "True")
        .replace("false", "False")
        .replace('fields["', 'fields.get("')
        .replace('"]', '", ABSENT)')
    )
    spoken = re.sub(r"exists +(fields\.get\([^)]*\))", r"(\1 is not ABSENT)", spoken)
    names = {"fields": record, "ABSENT": Absent()}
    return bool(eval(spoken, {"__builtins__": {}}, names))  # noqa: S307 - words of ours alone


class Absent:
    """A key that is not there, where each server has an answer of its own."""

    def _compared(self, _: object) -> bool:
        return True

    __lt__ = __le__ = __gt__ = __ge__ = __ne__ = _compared
    __hash__ = None  # type: ignore[assignment]


@given(where=FILTERS, metadata=METADATA)
def test_an_expression_says_what_the_filter_says(where: Filter, metadata: Metadata) -> None:
    assert passes(condition(where), fields(metadata)) == matches(where, metadata)
    assert passes(condition(Not(where)), fields(metadata)) != matches(where, metadata)


@pytest.mark.parametrize("where", NASTY, ids=repr)
def test_nothing_that_a_person_wrote_is_in_an_expression(where: Filter) -> None:
    said = condition(where)
    assert isinstance(said, bool) or not WORDS.sub("", said)


@pytest.mark.parametrize(
    ("name", "shown"), [("docs_v1", "docs_v1"), ("a-b", "a_2d_b"), ("a.b", "a_2e_b")]
)
def test_a_name_has_only_letters_that_milvus_takes(name: str, shown: str) -> None:
    assert physical(name) == shown
