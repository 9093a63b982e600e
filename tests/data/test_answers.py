"""Groundedness and citations on real models and real answers: a damaged release shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.data.test_quality import MODELS

from repoint import Repoint
from repoint.client import Index
from repoint.domain.document import Document
from repoint.domain.expected import LONGEST_ANSWER, Expected
from repoint.domain.gates import Outcome
from repoint.domain.grounding import sentences_of
from repoint.domain.policy import CitationsGate, GroundednessGate, Policy
from repoint.domain.queries import relevant
from repoint.domain.spec import ReleaseSpec
from repoint.operations.evaluate import Options, Report
from repoint.sources.files.opening import open_source

pytestmark = [pytest.mark.data, pytest.mark.models, pytest.mark.slow]

DAMAGED = "treatment"
#: An answer as people would write one down: the first sentences of the document that has it.
SENTENCES = 4
POLICY = Policy(
    gates=(
        GroundednessGate(judge="lexical", groups=True),
        CitationsGate(measure="CitationR@5", groups=True),
    )
)


@pytest.fixture(scope="module")
def index(judged_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """MiniLM L3 answers on medquad-small; ``same`` is its twin, and L6 may follow it."""
    folder = judged_data / "medquad-small"
    with Repoint.init(tmp_path_factory.mktemp("answers") / "home") as repoint:
        index = repoint.create_index("docs")
        texts: dict[str, str] = {}

        def read() -> Iterator[Document]:
            with open_source(folder / "corpus.jsonl") as source:
                for _, document in source:
                    assert isinstance(document, Document)
                    texts[document.id] = document.text
                    yield document

        for _ in index.ingest(read()):
            pass
        index.judging.add_queries("plain", folder)
        asked = index.judging.query_set("plain").questions
        expected = {}
        for query in asked.queries:
            sources = sorted(relevant(asked.qrels, query.id))
            first = sentences_of(texts[sources[0]][:LONGEST_ANSWER])[:SENTENCES]
            expected[query.id] = Expected(
                citations=dict.fromkeys(sources, ()), answer=" ".join(first)
            )
        index.judging.add_queries("answers", replace(asked, expected=expected))
        index.judging.set_policy(POLICY, reason="answers must rest on what is found")
        for name, model in (("l3", "l3"), ("same", "l3"), ("l6", "l6")):
            index.create_release(name, ReleaseSpec(model=MODELS[model]))
            index.sync(name)
            if name == "l3":
                index.promote(name)
        yield index


def measured(index: Index, candidate: str) -> Report:
    return index.judging.evaluate(
        candidate, queries="answers", baseline="l3", options=Options(judge="lexical")
    )


def told(report: Report) -> tuple[float, float, float, float]:
    """Return groundedness of both, and citation recall of both; print what was measured."""
    assert report.grounding is not None
    assert report.citations is not None
    (grounded,) = report.grounding.figures
    recall = report.citations.figures[2]
    name = report.evaluation.candidate
    for one in (grounded, *report.citations.figures):
        print(  # noqa: T201 - the table that the documentation quotes
            f"{name:<8} {one.measure:<13} {one.baseline:.3f} {one.candidate:.3f} "
            f"{one.difference:+.3f} [{one.low:+.3f}, {one.high:+.3f}] p {one.p:.4f}"
        )
    for group in report.grounding.groups:
        figure = group.figures[0]
        print(f"  {group.group:<20} {figure.baseline:.3f} {figure.candidate:.3f}")  # noqa: T201 - as above
    return grounded.baseline, grounded.candidate, recall.baseline, recall.candidate


def outcomes(report: Report) -> dict[str, Outcome]:
    return {one.gate: one.outcome for one in report.gates}


def test_a_twin_supports_alike_and_passes_every_gate(index: Index) -> None:
    report = measured(index, "same")
    before, now, _, _ = told(report)
    assert now == before
    assert set(outcomes(report).values()) == {Outcome.PASS}


def test_a_release_that_lost_a_group_s_passages_is_told_from_an_undamaged_one(
    index: Index,
) -> None:
    asked = index.judging.query_set("answers").questions
    gone = {
        document
        for query in asked.queries
        if query.group == DAMAGED
        for document in relevant(asked.qrels, query.id)
    }
    session = index.judging._session  # noqa: SLF001 - the damage is done past repoint
    session.spaces.open(index.release("same")).collection.purge(sorted(gone))
    report = measured(index, "same")
    index.repair("same")
    before, now, recall, left = told(report)
    assert now < before - 0.03
    assert left < recall
    found = outcomes(report)
    assert found[f"groundedness:{DAMAGED}"] is Outcome.FAIL
    assert found[f"citations:{DAMAGED}"] is Outcome.FAIL
    assert found["groundedness:information"] is Outcome.PASS
    assert report.grounding is not None
    assert {one.group for one in report.grounding.worse[:5]} == {DAMAGED}


@pytest.mark.campaign
def test_a_better_model_finds_more_of_what_answers_rest_on(index: Index) -> None:
    report = measured(index, "l6")
    before, now, recall, found = told(report)
    assert now > before
    assert found > recall
