import numpy as np
import pytest

from repoint.backends.opensearch.documents import (
    MOST_DOCUMENTS,
    documents_of,
    made_of,
    physical,
    requests,
    score,
    spec_of,
)
from repoint.domain.errors import UnsupportedError
from repoint.domain.spec import Distance
from repoint.testing.collections import Version, spec


def test_a_spec_comes_back_from_the_mapping() -> None:
    given = spec(lexical=True)
    mapping = made_of(given)["mappings"]
    assert isinstance(mapping, dict)
    assert spec_of(mapping) == given
    assert spec_of({}) is None
    assert spec_of({"_meta": {"repoint": {"name": "x"}}}) is None


@pytest.mark.parametrize(
    ("name", "shown"), [("docs_v1", "docs_v1"), ("Docs", "x44.ocs"), ("a-B.c", "a-x42..c")]
)
def test_a_name_has_no_capitals(name: str, shown: str) -> None:
    assert physical(name) == shown


@pytest.mark.parametrize(
    ("distance", "theirs", "ours"),
    [
        (Distance.COSINE, 0.9, 0.8),
        (Distance.COSINE, 0.2, -0.6),
        (Distance.DOT, 51.0, 50.0),
        (Distance.DOT, 0.25, -3.0),
        (Distance.DOT, 1.0, 0.0),
        (Distance.L2, 1 / 19, -18.0),
        (Distance.L2, 1.0, 0.0),
    ],
)
def test_a_score_is_taken_back_to_what_it_was_made_of(
    distance: Distance, theirs: float, ours: float
) -> None:
    assert score(theirs, distance) == pytest.approx(ours)


def test_a_request_carries_no_more_than_a_server_takes() -> None:
    entries = [Version(document=f"d{n}", lsn=n, slots=1).entry() for n in range(2_500)]
    made = documents_of(spec(), entries, np.empty((0, 3), dtype=np.float32))
    sizes = [len(lines) for lines in requests(made, "docs")]
    assert sizes == [2 * MOST_DOCUMENTS, 2 * MOST_DOCUMENTS, 1_000]
    long = [
        Version(document=f"d{n}", lsn=n, vectors=[(1, 0, 0)], texts=["x" * 2**20]).entry()
        for n in range(9)
    ]
    made = documents_of(spec(), long, np.ones((9, 3), dtype=np.float32))
    assert [len(lines) for lines in requests(made, "docs")] == [6, 6, 6]


@pytest.mark.parametrize("document", ["\ud800", "é" * 20_000])
def test_what_cannot_be_compared_is_refused(document: str) -> None:
    entry = Version(document=document, lsn=1).entry()
    with pytest.raises(UnsupportedError):
        documents_of(spec(), [entry], np.empty((0, 3), dtype=np.float32))
