import pytest

from repoint.domain.errors import BadInputError
from repoint.domain.measures import STANDARD, Measure, MeasureKind, standard


@pytest.mark.parametrize(
    ("text", "kind", "depth"),
    [
        ("nDCG@10", MeasureKind.NDCG, 10),
        ("ndcg@5", MeasureKind.NDCG, 5),
        ("R@100", MeasureKind.RECALL, 100),
        ("RR", MeasureKind.RECIPROCAL_RANK, None),
        ("AP", MeasureKind.AVERAGE_PRECISION, None),
        ("success@5", MeasureKind.SUCCESS, 5),
        (" P@1 ", MeasureKind.PRECISION, 1),
        ("CitationF1@5", MeasureKind.CITATION_F1, 5),
        ("citationp@3", MeasureKind.CITATION_PRECISION, 3),
        ("CitationR@10", MeasureKind.CITATION_RECALL, 10),
    ],
)
def test_a_measure_is_read_as_it_is_written(
    text: str, kind: MeasureKind, depth: int | None
) -> None:
    measure = Measure.parse(text)
    assert measure == Measure(kind, depth)
    assert Measure.parse(str(measure)) == measure


@pytest.mark.parametrize(
    "text", ["", "nDCG", "R", "Success", "nDCG@0", "MAP@10", "nDCG@1001", "F1@5", "CitationF1"]
)
def test_what_is_no_measure_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadInputError) as caught:
        Measure.parse(text)
    assert caught.value.hint or "deeper" in caught.value.message


def test_the_standard_measures_begin_with_the_depth_that_counts() -> None:
    assert [str(one) for one in STANDARD] == ["nDCG@10", "R@100", "RR@10", "AP", "Success@5"]
    assert str(standard(5)[0]) == "nDCG@5"
    assert standard(10) == STANDARD
