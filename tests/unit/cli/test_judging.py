"""Query sets, evaluations, runs and policies as people type them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.unit.cli.conftest import GOOD_SPEC, OTHER_SPEC, Shell


@pytest.fixture
def judged(shell: Shell) -> Shell:
    """v1 answers forty documents, v2 is in step, ``items`` is a judged set."""
    shell.ok("init")
    shell.ok("index", "create", "docs")
    shell.ok("ingest", "docs", shell.corpus(40))
    shell.ok("policy", "set", "docs", policy(shell, "{gate: empty-answers}"))
    shell.release("v1", GOOD_SPEC)
    shell.ok("promote", "docs", "v1")
    shell.release("v2", OTHER_SPEC)
    shell.ok("queries", "add", "docs", "items", "--from", *beir(shell))
    return shell


def policy(shell: Shell, *gates: str, name: str = "policy.yaml") -> str:
    lines = ["queries: items", "gates:", *(f"  - {gate}" for gate in gates)]
    return shell.file(name, "\n".join(lines) + "\n")


def beir(shell: Shell) -> tuple[str, str, str]:
    queries = [
        {
            "_id": f"q{n}",
            "text": f"number {n}",
            "metadata": {"group": "even" if n % 2 == 0 else "odd"},
        }
        for n in range(24)
    ]
    file = shell.file("queries.jsonl", "\n".join(map(json.dumps, queries)) + "\n")
    qrels = shell.file("qrels.tsv", "".join(f"q{n}\td{n}\t1\n" for n in range(24)))
    return file, "--qrels", qrels


def test_an_evaluation_is_printed_stored_and_lets_a_promotion_through(judged: Shell) -> None:
    printed = judged.ok("evaluate", "docs", "v2", "--queries", "items")
    assert "v2 against v1 on items@1, 24 queries (judged)" in printed
    assert "nDCG@10 by group:" in printed
    assert "pass         empty-answers: 0 of 24" in printed
    assert "repoint promote docs v2" in printed
    listed = judged.json("runs", "list", "docs")
    evaluations = listed["evaluations"]
    assert isinstance(evaluations, list)
    (one,) = evaluations
    assert isinstance(one, dict)
    assert "v2 against v1" in judged.ok("runs", "show", "docs", str(one["id"]))
    assert "the index finds" in judged.ok("runs", "show", "docs", str(one["candidate_run"]))
    told = judged.ok("promote", "docs", "v2")
    assert "gate:empty-answers" in told
    assert "judged by policy 1" in told


def test_gates_that_stand_in_the_way_end_with_status_3(judged: Shell) -> None:
    judged.ok("abort", "docs")
    strict = policy(judged, "{gate: recall, measure: P@10, minimum: 1}")
    assert "policy 2 of docs" in judged.ok("policy", "set", "docs", strict)
    result = judged.run("evaluate", "docs", "v2", "--queries", "items")
    assert result.exit_code == 3
    assert "fail         recall: P@10 is 0." in result.stdout
    assert "fail: P@10" in judged.refused(3, "promote", "docs", "v2")
    assert "fail: P@10" in judged.refused(
        3, "promote", "docs", "v2", "--without-evaluation", "I insist"
    )


def test_an_open_rollout_keeps_its_policy_and_that_is_said(judged: Shell) -> None:
    strict = policy(judged, "{gate: recall, measure: P@10, minimum: 1}")
    assert "rollout of v2 keeps the policy" in judged.ok("policy", "set", "docs", strict)
    judged.ok("evaluate", "docs", "v2", "--queries", "items")
    judged.ok("promote", "docs", "v2")


def test_a_page_is_written_and_a_place_that_cannot_be_is_named(
    judged: Shell, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    judged.ok("evaluate", "docs", "v2", "--queries", "items", "--html", str(page))
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    nowhere = str(tmp_path / "no" / "report.html")
    assert "cannot be written" in judged.refused(
        3, "evaluate", "docs", "v2", "--queries", "items", "--html", nowhere
    )


def test_judgements_are_added_one_by_one_or_from_a_file(judged: Shell) -> None:
    assert "items@2" in judged.ok("queries", "judge", "docs", "items", "q1", "d3", "2")
    more = judged.file("more.tsv", "q2\td5\t1\nq3\td3\t0\n")
    assert "items@3" in judged.ok("queries", "judge", "docs", "items", "--from", more)
    assert "no version is" in judged.ok("queries", "judge", "docs", "items", "--from", more)
    assert "a grade" in judged.refused(3, "queries", "judge", "docs", "items", "q1", "d3")
    shown = judged.json("queries", "show", "docs", "items", "--limit", "2")
    assert shown["version"] == 3
    first = judged.json("queries", "show", "docs", "items", "--version", "1")
    assert first["judgements"] == 24
    assert "even" in judged.ok("queries", "show", "docs", "items")


def test_known_items_are_made_from_the_corpus(judged: Shell) -> None:
    told = judged.ok("queries", "known-items", "docs", "known", "--count", "9", "--seed", "4")
    assert "known@1 of docs: 9 queries, 9 judgements (known-item)" in told
    listed = judged.ok("queries", "list", "docs")
    assert "items" in listed
    assert "known" in listed


def test_an_index_without_anything_says_what_to_type(docs: Shell) -> None:
    assert "queries add docs NAME" in docs.ok("queries", "list", "docs")
    assert "evaluate docs RELEASE" in docs.ok("runs", "list", "docs")
    assert "built in" in docs.ok("policy", "show", "docs")
    assert "gate: relevance" in docs.ok("policy", "show", "docs", "--version", "0")


def test_a_policy_is_printed_as_it_can_be_read_back(judged: Shell) -> None:
    printed = judged.ok("policy", "show", "docs")
    again = judged.file("again.yaml", printed)
    judged.ok("policy", "set", "docs", again, "--reason", "the same")
    assert judged.json("policy", "show", "docs")["version"] == 2


def test_a_policy_that_is_none_is_refused_with_its_line(judged: Shell) -> None:
    wrong = policy(judged, "{gate: relevance, tolerence: 0.1}", name="wrong.yaml")
    assert "line 3" in judged.refused(3, "policy", "set", "docs", wrong)


def rag(shell: Shell, **changed: object) -> str:
    lines = [
        {
            "_id": f"q{n}",
            "text": f"number {n}",
            "citations": [f"d{n}"],
            "answer": f"This is text number {n}.",
            **changed,
        }
        for n in range(24)
    ]
    return shell.file("rag.jsonl", "\n".join(map(json.dumps, lines)) + "\n")


def test_citations_and_answers_are_measured_printed_and_kept(judged: Shell) -> None:
    told = judged.ok("queries", "add", "docs", "rag", "--from", rag(judged))
    assert "24 with citations, 24 with an answer" in told
    judged.run(
        "policy", "set", "docs", judged.file("p.yaml", "gates: [{gate: empty-answers}]\n")
    )
    printed = judged.run(
        "evaluate", "docs", "v2", "--queries", "rag", "--judge", "lexical", "--save-as", "rag1"
    ).stdout
    assert "the first 5 retrieved sources against the expected citations of 24" in printed
    assert "CitationF1@5" in printed
    assert "what the first 5 passages support of the answers in rag, by lexical" in printed
    assert "Groundedness" in printed
    assert "supported by the first 5 passages" in judged.ok("runs", "show", "docs", "rag1")
    shown = judged.json("queries", "show", "docs", "rag", "--limit", "1")
    assert (shown["cited"], shown["answered"]) == (24, 24)


def test_what_cannot_be_judged_is_refused_with_what_to_type(judged: Shell) -> None:
    evaluate = ("evaluate", "docs", "v2", "--queries")
    assert "--answer-with NAME" in judged.refused(3, *evaluate, "items", "--judge", "lexical")
    assert "[chat.gpt]" in judged.refused(3, *evaluate, "items", "--judge", "gpt")
    assert "name a judge" in judged.refused(3, *evaluate, "items", "--answer-with", "gpt")
    bad = rag(judged, citations=[{"document": "d1", "start": 5}])
    refused = judged.refused(3, "queries", "add", "docs", "rag", "--from", bad)
    assert "line 1" in refused
    far = rag(judged, citations=[{"document": "d1", "start": 5, "end": 9_999}])
    assert "24 cited spans lie outside" in judged.ok(
        "queries", "add", "docs", "rag", "--from", far
    )
    gone = rag(judged, citations=["nowhere"])
    assert "1 of the judged or cited documents are not in docs" in judged.ok(
        "queries", "add", "docs", "rag", "--from", gone
    )
    empty = judged.file("empty.jsonl", "\n")
    assert "no query" in judged.refused(3, "queries", "add", "docs", "no", "--from", empty)
