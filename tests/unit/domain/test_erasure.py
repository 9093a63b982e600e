"""What has to go with a document, and what stays as it was."""

from dataclasses import replace

import pytest

from repoint.domain.document import Document, Json
from repoint.domain.erasure import (
    TRACES,
    Secret,
    baseline_without,
    betrays,
    mentions,
    questions_without,
    run_without,
    text_without,
    traces_of,
    tree_without,
)
from repoint.domain.expected import Expected, Span
from repoint.domain.ids import DocumentId, QueryId
from repoint.domain.operation import Baseline
from repoint.domain.queries import Query, QuerySetKind, Questions
from repoint.testing.clock import NOON
from repoint.testing.store_judging import run
from repoint.testing.store_samples import DOCS, V1

TEXT = 'He said "my name is Zwetschgenbaum and I live in the Kirschallee" and left.'
GONE = Secret(
    stand_ins={DocumentId("7"): "erased-a", DocumentId("person-0008"): "erased-b"},
    traces=("my name is Zwetschgenbaum and I live in",),
    questions=frozenset({"My name is Zwetschgenbaum"}),
)
NOBODY: frozenset[str] = frozenset()


def document(name: str, text: str) -> Document:
    return Document(id=DocumentId(name), text=text, title="t", metadata={"n": 1})


def test_a_trace_reads_the_same_in_json() -> None:
    for trace in traces_of([document("7", TEXT)]):
        assert trace in TEXT
        assert '"' not in trace
        assert len(trace) >= 16


def test_many_documents_have_few_traces_and_short_ones_none() -> None:
    many = [document(str(n), f"{n} " + "word " * 30 + str(n)) for n in range(1000)]

    assert 16 <= len(traces_of(many)) <= TRACES
    assert traces_of(many) == traces_of(many)
    assert traces_of([document("7", "short")]) == ()
    assert traces_of([]) == ()


def test_known_items_of_a_document_go_and_judgements_of_it_stay_nameless() -> None:
    one, two = QueryId("item-7"), QueryId("q2")
    questions = Questions(
        queries=(Query(id=one, text="who?"), Query(id=two, text="what?")),
        qrels={one: {DocumentId("7"): 1}, two: {DocumentId("9"): 1}},
        kind=QuerySetKind.KNOWN_ITEM,
        source="",
    )

    left, made = questions_without(questions, GONE)
    assert made == {one}
    assert left.queries == (questions.queries[1],)
    assert left.qrels == {two: {DocumentId("9"): 1}}

    asked = replace(questions, kind=QuerySetKind.JUDGED)
    left, made = questions_without(asked, GONE)
    assert made == frozenset()
    assert left.qrels[one] == {DocumentId("erased-a"): 1}
    assert questions_without(left, GONE) == (left, frozenset())


def test_a_question_that_is_a_documents_first_sentence_goes_from_any_set() -> None:
    one = QueryId("q1")
    questions = Questions(
        queries=(Query(id=one, text="My name is Zwetschgenbaum"),),
        qrels={},
        kind=QuerySetKind.LOG,
        source="",
    )

    assert questions_without(questions, GONE)[1] == {one}


def test_answers_made_of_a_document_go_and_its_citations_stay_nameless() -> None:
    names = [QueryId(f"q{n}") for n in range(5)]
    span = (Span(start=0, end=4),)
    questions = Questions(
        queries=tuple(Query(id=name, text=f"what, {name}?") for name in names),
        qrels={names[1]: {DocumentId("7"): 1}, names[4]: {DocumentId("7"): 0}},
        kind=QuerySetKind.JUDGED,
        source="",
        expected={
            names[0]: Expected(answer="of it", citations={DocumentId("7"): span}),
            names[1]: Expected(answer="of what is relevant"),
            names[2]: Expected(answer=f"as said: {GONE.traces[0]}, and so on"),
            names[3]: Expected(answer="mine", citations={DocumentId("9"): ()}),
            names[4]: Expected(answer="not of what is irrelevant"),
        },
    )

    left, _ = questions_without(questions, GONE)
    assert [left.expected[name].answer for name in names] == [
        "",
        "",
        "",
        "mine",
        "not of what is irrelevant",
    ]
    assert left.expected[names[0]].citations == {DocumentId("erased-a"): span}
    assert questions_without(left, GONE)[0] == left


def test_a_run_keeps_its_verdicts_without_what_names_the_document() -> None:
    one, two = QueryId("q1"), QueryId("q2")
    made = run()
    assert made.grounding is not None
    reason = f'unavailable: it says "7" and {GONE.traces[0]}'
    before = replace(
        made,
        astray={one: frozenset({DocumentId("7"), DocumentId("9")}), two: frozenset()},
        grounding=replace(made.grounding, failed={one: reason}),
    )

    after = run_without(before, GONE, frozenset({two}))

    assert after.astray == {one: {DocumentId("erased-a"), DocumentId("9")}}
    assert after.grounding is not None
    assert after.grounding.verdicts == made.grounding.verdicts
    assert after.grounding.failed == {one: 'unavailable: it says "erased-a" and (erased)'}


def test_a_run_keeps_its_ranks() -> None:
    before = replace(
        run(), ranked={QueryId("q1"): (DocumentId("7"), DocumentId("9")), QueryId("q2"): ()}
    )

    after = run_without(before, GONE, frozenset({QueryId("q2")}))

    assert after.ranked == {QueryId("q1"): (DocumentId("erased-a"), DocumentId("9"))}
    assert after.refused == {}
    assert set(after.stages) == {QueryId("q1")}


def test_a_baseline_loses_what_was_made_of_it_and_what_found_it() -> None:
    before = Baseline(
        index=DOCS,
        release=V1,
        answers={"own": ("7", "1"), "other": ("1", "7"), "My name is Zwetschgenbaum": ("2",)},
        expected={"own": "7", "other": "1", "My name is Zwetschgenbaum": "9"},
        latency_p50_ms=1.0,
        latency_p95_ms=2.0,
        at=NOON,
    )

    after = baseline_without(before, GONE)

    assert after.answers == {"other": ("1",)}
    assert after.expected == {"other": "1"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("the newest, '7' (LSN 7), is found", "the newest, 'erased-a' (LSN 7), is found"),
        ("7 of 12 golden queries", "7 of 12 golden queries"),
        ("person-0008 is missing", "erased-b is missing"),
        ("xperson-00081 is missing", "xperson-00081 is missing"),
        (f"first: {TEXT}", 'first: He said "(erased) the Kirschallee" and left.'),
    ],
)
def test_a_short_id_is_only_one_in_quotation_marks(before: str, after: str) -> None:
    assert text_without(before, GONE) == after


def test_a_tree_keeps_what_only_equals_an_id() -> None:
    tree: Json = {
        "release": "7",
        "rows": 7,
        "documents": ["person-0008", "9"],
        "person-0008": None,
    }

    cleaned = tree_without(tree, GONE, spared=frozenset({"7"}))

    assert cleaned == {
        "release": "7",
        "rows": 7,
        "documents": ["erased-b", "9"],
        "erased-b": None,
    }
    assert tree_without({"document": "7"}, GONE, spared=NOBODY) == {"document": "erased-a"}


def test_what_still_mentions_a_document_is_noticed() -> None:
    assert mentions('{"document":"7"}', GONE)
    assert mentions("the newest, 'person-0008', is found", GONE)
    assert mentions(TEXT, GONE)
    assert not mentions('{"rows":7,"n":"77"}', GONE)
    assert not mentions(text_without(f"{TEXT} '7' person-0008", GONE), GONE)


def test_a_reason_that_names_a_document_betrays_it() -> None:
    assert betrays("request of person-0008", GONE)
    assert not betrays("request 7", GONE)
