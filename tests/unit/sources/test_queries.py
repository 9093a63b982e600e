from __future__ import annotations

import json
from pathlib import Path

import pytest

from repoint.domain.errors import BadInputError, BadLineError, NotFoundError
from repoint.domain.queries import QuerySetKind
from repoint.sources.queries import read_qrels, read_questions


def write(path: Path, *lines: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
    return path


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


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["no json"], "line 1: is no JSON"),
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
