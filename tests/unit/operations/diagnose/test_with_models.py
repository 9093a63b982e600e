"""Each fault made for real, with real models, on a corpus that every machine has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from repoint import Repoint
from repoint.client import Index
from repoint.demo.corpus import read_corpus
from repoint.demo.models import V1, V2, load
from repoint.domain.diagnosis import Fault
from repoint.domain.ids import DocumentId, QueryId
from repoint.domain.queries import Query, QuerySetKind, Questions
from repoint.operations.promote import PromoteOptions
from repoint.testing.ailments import Ailment, Clinic, Models
from repoint.testing.injuries import ward

pytestmark = [pytest.mark.models, pytest.mark.slow]

#: Healthy, and then every fault that needs no second model of equal dimensions.
FAULTS = [
    "none",
    Fault.MISSING_DOCUMENTS,
    Fault.STALE_DOCUMENTS,
    Fault.DOUBLED_CHUNKS,
    Fault.FILTER_FIELD,
    Fault.NORMALISATION,
    Fault.BAD_MODEL,
    Fault.QUERY_PREFIX,
    Fault.NORMALISATION,
    Fault.DISTANCE,
    Fault.ANN_PARAMETERS,
    Fault.CHUNKING,
    Fault.TRUNCATION,
    Fault.CUT_OFF,
    Fault.RERANKER,
    Fault.PROMPT,
]


@dataclass(frozen=True)
class Hospital:
    repoint: Repoint
    index: Index
    ailments: list[Ailment]


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    home: Path = tmp_path_factory.mktemp("hospital") / "home"
    corpus = read_corpus(limit=500, questions=100)
    queries = [
        Query(id=QueryId(f"q{place}"), text=one.text)
        for place, one in enumerate(corpus.questions)
    ]
    qrels = {
        query.id: {DocumentId(one.document): 1}
        for query, one in zip(queries, corpus.questions, strict=True)
    }
    clinic = Clinic(
        models=Models(good=load(V1).model, weak=load(V2).model),
        home=home,
        filter_field="package",
        cut_off=0.55,
        small_chunk=16,
    )
    Repoint.init(home).close()
    with Repoint.open(home, keep_in_step=False) as repoint:
        index = repoint.create_index("docs")
        for _ in index.ingest(corpus.documents):
            pass
        questions = Questions(
            queries=queries, qrels=qrels, kind=QuerySetKind.KNOWN_ITEM, source="docstrings"
        )
        index.judging.add_queries("asked", questions)
        for name, spec in clinic.baselines.items():
            index.create_release(name, spec)
            index.sync(name)
        index.promote("v1", options=PromoteOptions(without_evaluation="a test"))
        yield Hospital(repoint, index, list(clinic.of_one_model()))


@pytest.mark.parametrize(
    "number", range(len(FAULTS)), ids=[f"{n}-{one}" for n, one in enumerate(FAULTS)]
)
def test_the_fault_that_was_made_is_named_first(hospital: Hospital, number: int) -> None:
    ailment = hospital.ailments[number]
    assert str(ailment.fault or "none") == FAULTS[number]
    if ailment.fault is Fault.ANN_PARAMETERS:
        pytest.skip("so few vectors lie in partitions that are all found; see bench_diagnose")
    name = f"r{number}"
    hospital.index.create_release(name, ailment.spec)
    hospital.index.sync(name)
    if ailment.harm is not None:
        ailment.harm(ward(hospital.repoint, "docs", name))
    made = hospital.index.diagnose(name, baseline=ailment.baseline, queries="asked")
    named = "none" if made.top is None else str(made.top.fault)
    assert named == FAULTS[number], f"{ailment.says}: {[str(c.fault) for c in made.causes]}"
