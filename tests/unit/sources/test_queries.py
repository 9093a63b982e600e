from __future__ import annotations

import json
from pathlib import Path

import pytest

from repoint.domain.errors import BadInputError, BadLineError, NotFoundError
from repoint.domain.expected import Expected, Span
from repoint.domain.ids import DocumentId
from repoint.domain.queries import QuerySetKind
from repoint.sources.queries import read_qrels, read_questions


def write(path: Path, *lines: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
    return path


D1, D2 = DocumentId("d1"), DocumentId("d2")
QUERIES = (
    {"_id": "q1", "text": "what helps?", "metadata": {"group": "treatment", "year": 2020}},
    {"_id": "q2", "text": "why?", "group": "cause"},
    {"_id": "q3", "text": "never judged"},
)
QRELS = ("query-id\tcorpus-id\tscore", "q1\td1\t2", "q1\td2\t0", "q2\td 3\t1")


def test_a_beir_folder_is_queries_with_groups_and_judgements(tmp_path: Path) -> None:
    write(tmp_path / "clinic/queries.jsonl", *QUERIES)
    write(tmp_path / "clinic/qrels/test.tsv", *QRELS)
    found = read_questions(tmp_path / "clinic")
    assert [(q.id, q.group) for q in found.queries] == [("q1", "treatment"), ("q2", "cause")]
    assert found.qrels == {"q1": {"d1": 2, "d2": 0}, "q2": {"d 3": 1}}
    assert (found.kind, found.source) == (QuerySetKind.JUDGED, "clinic")


def test_without_judgements_every_query_is_kept(tmp_path: Path) -> None:
    found = read_questions(write(tmp_path / "queries.jsonl", *QUERIES), group_field="year")
    assert [q.group for q in found.queries] == ["2020", "", ""]
    assert (len(found.queries), found.kind) == (3, QuerySetKind.LOG)


def test_a_log_of_lines_asks_each_question_once(tmp_path: Path) -> None:
    found = read_questions(
        write(tmp_path / "log.txt", "frost  dates", "", "slugs", "frost dates")
    )
    assert [(q.id, q.text) for q in found.queries] == [
        ("line-1", "frost dates"),
        ("line-3", "slugs"),
    ]


def test_trec_s_four_columns_are_read_too(tmp_path: Path) -> None:
    found = read_qrels(write(tmp_path / "qrels.txt", "q1 0 d1 1", "q1 0 d2 0"))
    assert found == {"q1": {"d1": 1, "d2": 0}}


def test_a_query_may_say_what_its_answer_should_rest_on(tmp_path: Path) -> None:
    spans = [
        {"document": "d2", "start": 0, "end": 9},
        {"document": "d2", "start": 12, "end": 20},
    ]
    file = write(
        tmp_path / "queries.jsonl",
        {"_id": "q1", "text": "why?", "citations": ["d1", *spans], "answer": " So. "},
        {"_id": "q2", "text": "how?", "metadata": {"answer": "Thus.", "citations": []}},
        {"_id": "q3", "text": "when?", "answer": "", "citations": None},
        {"_id": "q4", "text": "where?", "citations": [{"document": "d1"}]},
    )
    found = read_questions(file)
    assert found.expected == {
        "q1": Expected(
            citations={D1: (), D2: (Span(start=0, end=9), Span(start=12, end=20))},
            answer="So.",
        ),
        "q2": Expected(answer="Thus."),
        "q4": Expected(citations={D1: ()}),
    }
    assert [one.id for one in found.cited()] == ["q1", "q4"]
    assert [one.id for one in found.answered()] == ["q1", "q2"]
    kept = read_questions(file, qrels=write(tmp_path / "qrels.tsv", "q3\td1\t1"))
    assert len(kept.queries) == 4  # one is judged, of the others something is expected


def test_what_is_expected_makes_another_version_and_nothing_expected_the_same(
    tmp_path: Path,
) -> None:
    plain = {"_id": "q1", "text": "why?"}
    changes: list[dict[str, object]] = [
        {},
        {"answer": ""},
        {"answer": "So."},
        {"citations": ["d1", "d2"]},
        {"citations": ["d2", "d1"]},
        {"citations": ["d1", {"document": "d2", "start": 1, "end": 2}]},
    ]
    digests = [
        read_questions(write(tmp_path / f"{place}.jsonl", {**plain, **more})).digest()
        for place, more in enumerate(changes)
    ]
    assert digests[0] == digests[1]
    assert digests[3] == digests[4]
    assert len(set(digests)) == 4


@pytest.mark.parametrize(
    ("expected", "why"),
    [
        ({"answer": 5}, '"answer" is no text'),
        ({"answer": "x" * 100_001}, "100,001 characters"),
        ({"answer": "\ud800"}, "surrogate"),
        ({"citations": "d1"}, "no list"),
        ({"citations": [5]}, "no citation"),
        ({"citations": [""]}, "no citation"),
        ({"citations": ["d1", "d1"]}, "twice"),
        ({"citations": ["d1", {"document": "d1", "start": 0, "end": 2}]}, "twice"),
        ({"citations": [{"document": "d1", "start": 0}]}, "no span"),
        ({"citations": [{"document": "d1", "start": 2, "end": 2}]}, "no span"),
        ({"citations": [{"document": "d1", "start": True, "end": 2}]}, "no span"),
        ({"citations": [{"start": 0, "end": 2}]}, "names no document"),
        ({"citations": [{"document": "d1", "quote": "so"}]}, "no citation"),
    ],
)
def test_what_is_expected_in_another_shape_is_refused_with_its_line(
    tmp_path: Path, expected: dict[str, object], why: str
) -> None:
    file = write(
        tmp_path / "queries.jsonl",
        {"_id": "q1", "text": "fine?"},
        {"_id": "q2", "text": "why?", **expected},
    )
    with pytest.raises(BadLineError, match=why) as refused:
        read_questions(file)
    assert refused.value.line == 2
    assert "citations" in refused.value.hint


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["no json"], "line 1: is no JSON"),
        (["[" * 100_000], "line 1: is no JSON"),
        (["[1]"], "is no object"),
        ([{"_id": 3, "text": "x"}], '"_id" is no text'),
        ([{"_id": "a", "text": " "}], '"text" is no text'),
        ([{"_id": "a", "text": "x", "group": ["y"]}], "'group' is neither"),
        ([{"_id": "a", "text": "x"}, {"_id": "a", "text": "y"}], "line 2: query 'a' stands"),
    ],
)
def test_a_line_that_is_no_query_is_named(
    tmp_path: Path, lines: list[object], why: str
) -> None:
    with pytest.raises(BadLineError) as caught:
        read_questions(write(tmp_path / "q.jsonl", *lines))
    assert why in caught.value.message


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["q1\td1"], "2 columns"),
        (["q1\td1\t1", "q1\td2\t-1"], "line 2: '-1' is no grade"),
        (["q1\td1\t1", "q1\td2\t²"], "line 2: '²' is no grade"),
        (["q1\td1\t1", "q1\td2\t" + "9" * 5_000], "is no grade"),
        (["q1\td1\t1", "q1\td1\t2"], "another grade"),
    ],
)
def test_a_line_that_is_no_judgement_is_named(
    tmp_path: Path, lines: list[str], why: str
) -> None:
    with pytest.raises(BadLineError) as caught:
        read_qrels(write(tmp_path / "qrels.tsv", *lines))
    assert why in caught.value.message


def test_judgements_of_other_queries_are_refused(tmp_path: Path) -> None:
    qrels = write(tmp_path / "qrels.tsv", "q9\td1\t1")
    with pytest.raises(BadInputError, match="q9"):
        read_questions(write(tmp_path / "q.jsonl", *QUERIES), qrels=qrels)


def test_a_file_that_is_not_there_or_no_text_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        read_questions(tmp_path / "nosuch.jsonl")
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(BadInputError, match="UTF-8"):
        read_questions(tmp_path / "bad.txt")
