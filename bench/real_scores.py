"""Per-question scores of real releases on judged data, as ``repoint evaluate`` has them.

Read from ``REPOINT_DATA``, or ``../shared/data``. Small, and where there is no such folder,
they are of docstrings of the standard library, each asked for by its first sentence.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from bench.bench_bridge import L6
from bench.bench_diagnose import WEAK, docstrings
from bench.models import MINILM, STATIC
from bench.workspaces import fill, in_step, workspace

from repoint.client import Index
from repoint.domain.document import Document
from repoint.domain.errors import BadLineError
from repoint.domain.ids import QueryId
from repoint.domain.measures import Measure
from repoint.domain.queries import Query, Questions, relevant
from repoint.domain.spec import ReleaseSpec
from repoint.operations.evaluate import Options
from repoint.operations.evaluate.comparison import Comparison
from repoint.operations.evaluate.evaluating import read
from repoint.operations.evaluate.statistics import Floats
from repoint.operations.promote import PromoteOptions
from repoint.sources.files.record import document_of
from repoint.sources.queries import read_questions

GROUPS: Final = 10
MEASURE: Final = Measure.parse("nDCG@10")
#: How often each question is asked, each time without another of its words.
WORDINGS: Final = 4

MODELS: Final = {
    "wordllama": STATIC,
    "MiniLM L3": MINILM,
    "MiniLM L6": L6,
    "tokenlearn": ReleaseSpec(model=WEAK),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What two releases score on the same questions, group by group."""

    data: str
    baseline: str
    candidate: str
    #: A row a group: what the baseline scores on each of its questions.
    before: Sequence[Floats]
    now: Sequence[Floats]
    #: Of the baseline: a row a question, a column a wording.
    again: Sequence[Floats]
    #: A stored comparison, into which simulated scores are put.
    comparison: Comparison

    @property
    def pair(self) -> str:
        """What is compared with what."""
        return f"{self.data}, {self.baseline} → {self.candidate}"


def scores(data: str, candidates: Sequence[str], *, seed: int, smoke: bool) -> list[Scores]:
    """Return what each candidate scores beside wordllama."""
    documents, questions = _material(data, smoke=smoke)
    questions = _in_ten_groups(questions)
    with workspace() as (repoint, _):
        index = repoint.create_index("docs")
        fill(index, documents)
        index.judging.add_queries("asked", questions)
        index.judging.add_queries("again", _worded_anew(questions, seed=seed))
        in_step(repoint, "docs", "wordllama", MODELS["wordllama"])
        index.promote("wordllama", options=PromoteOptions(without_evaluation="benchmark"))
        again = _again(_compared(index, "wordllama", "again"), questions)
        found = []
        for number, name in enumerate(candidates):
            in_step(repoint, "docs", f"c{number}", MODELS[name])
            made = _compared(index, f"c{number}", "asked")
            before, now = (
                [np.array([side[MEASURE][one.id] for one in part]) for part in _parts(made)]
                for side in (made.baseline_scores, made.candidate_scores)
            )
            found.append(
                Scores(
                    data=data,
                    baseline="wordllama",
                    candidate=name,
                    before=before,
                    now=now,
                    again=again,
                    comparison=made,
                )
            )
            index.abort(reason="measured")
    return found


def _compared(index: Index, release: str, queries: str) -> Comparison:
    session = index.judging._session  # noqa: SLF001 - scores by question are in no report
    made = index.judging.evaluate(
        release, queries=queries, baseline="wordllama", options=Options(exact=False, depth=10)
    )
    comparison, _ = read(session, made.evaluation)
    return comparison


def _parts(comparison: Comparison) -> list[list[Query]]:
    names = sorted({one.group for one in comparison.scored})
    return [[one for one in comparison.scored if one.group == name] for name in names]


def _again(comparison: Comparison, questions: Questions) -> list[Floats]:
    scored = comparison.baseline_scores[MEASURE]
    names = sorted({one.group for one in questions.queries})
    return [
        np.array(
            [
                [scored[_wording(one, number)] for number in range(WORDINGS)]
                for one in questions.scored()
                if one.group == name
            ]
        )
        for name in names
    ]


def _wording(query: Query, number: int) -> QueryId:
    return QueryId(f"{query.id}~{number}")


def _worded_anew(questions: Questions, *, seed: int) -> Questions:
    """Return every question some times over, each time without one word or with all."""
    chance = random.Random(seed)  # noqa: S311 - a sample, not a secret
    asked = []
    for query in questions.queries:
        words = query.text.split()
        for number in range(WORDINGS):
            left_out = chance.randrange(len(words)) if len(words) > 2 else len(words)  # noqa: PLR2004 - two words say too little with one gone
            kept = words[:left_out] + words[left_out + 1 :]
            asked.append(replace(query, id=_wording(query, number), text=" ".join(kept)))
    qrels = {
        _wording(query, number): questions.qrels[query.id]
        for query in questions.queries
        for number in range(WORDINGS)
    }
    return replace(questions, queries=tuple(asked), qrels=qrels, source="worded anew")


def _in_ten_groups(questions: Questions) -> Questions:
    """Return them in their own ten groups, or dealt out to ten."""
    own = {query.group for query in questions.queries}
    if len(own) == GROUPS:
        return questions
    dealt = tuple(
        replace(query, group=f"part {place % GROUPS}")
        for place, query in enumerate(questions.queries)
    )
    return replace(questions, queries=dealt)


def _material(data: str, *, smoke: bool) -> tuple[Sequence[Document], Questions]:
    root = Path(os.environ.get("REPOINT_DATA") or "../shared/data")
    if smoke or not (root / data).is_dir():
        material = docstrings(documents=400, questions=100)
        return material.documents, material.questions
    questions = read_questions(root / data)
    judged = tuple(one for one in questions.queries if relevant(questions.qrels, one.id))
    lines = (root / data / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    documents = []
    for number, line in enumerate(lines, start=1):
        with contextlib.suppress(BadLineError):  # two of cranfield's have no word in them
            documents.append(document_of(json.loads(line), source=data, line=number))
    return documents, replace(questions, queries=judged)
