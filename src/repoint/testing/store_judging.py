"""What every store promises of query sets, runs, evaluations and policies."""

from __future__ import annotations

from dataclasses import replace

import pytest

from repoint.domain.diagnosis import (
    Asked,
    Blame,
    Cause,
    Cell,
    Certainty,
    ChunkFigures,
    Diagnosis,
    Expense,
    Fault,
    FieldCoverage,
    Loss,
    Sample,
    SpecChange,
)
from repoint.domain.errors import AlreadyExistsError, ConflictError, NotFoundError
from repoint.domain.evaluation import Evaluation, Run, RunCost, Stages
from repoint.domain.expected import Expected, Span
from repoint.domain.grounding import Grounding, Support
from repoint.domain.ids import (
    DiagnosisId,
    DocumentId,
    EvaluationId,
    Fingerprint,
    Lsn,
    QueryId,
    QuerySetName,
    ReleaseName,
    RunId,
)
from repoint.domain.policy import UNSET, EmptyAnswersGate, LatencyGate, Policy, RelevanceGate
from repoint.domain.queries import Query, QuerySet, QuerySetKind, Questions
from repoint.domain.rollout import Event
from repoint.ports.store import Store
from repoint.testing.conformance import Suite
from repoint.testing.store_samples import ANNA, DOCS, NOW, SOON, V1, V2, release, with_index

CLINIC = QuerySetName("clinic")
POLICY = Policy(
    queries="clinic",
    expires_hours=12.5,
    max_lag=7,
    inconclusive_refuses=False,
    gates=(RelevanceGate(groups=True), LatencyGate(p95_ms=20.0), EmptyAnswersGate(count=3)),
)


def query_set(version: int = 1, *, name: QuerySetName = CLINIC) -> QuerySet:
    """Return a small judged set; its queries differ with the version."""
    one, two = QueryId("q1"), QueryId("q2")
    return QuerySet(
        index=DOCS,
        name=name,
        version=version,
        questions=Questions(
            queries=(
                Query(id=one, text="what helps?", group="treatment"),
                Query(id=two, text=f"why, in «{version}»?"),
            ),
            qrels={one: {DocumentId("d1"): 2, DocumentId("d2"): 0}},
            kind=QuerySetKind.JUDGED,
            source="a file",
            expected={
                one: Expected(
                    citations={
                        DocumentId("d1"): (Span(start=0, end=9), Span(start=12, end=20))
                    },
                    answer="Rest, «and» 水.",
                ),
                two: Expected(citations={DocumentId("d2"): ()}),
            },
        ),
        actor=ANNA,
        at=NOW,
    )


def run(name: str = "r-1", *, called: str = "") -> Run:
    """Return what v1 answered to ``query_set``."""
    one, two = QueryId("q1"), QueryId("q2")
    found = (DocumentId("d1"), DocumentId("d2"))
    return Run(
        id=RunId(name),
        index=DOCS,
        release=V1,
        fingerprint=release(V1).fingerprint,
        query_set=CLINIC,
        version=1,
        depth=100,
        lsn=Lsn(3),
        at=NOW,
        actor=ANNA,
        name=called,
        ranked={one: found, two: ()},
        exact={one: tuple(reversed(found)), two: ()},
        stages={one: Stages(embed_ms=1.5, search_ms=2.25, rerank_ms=0.0)},
        refused={two: "too long"},
        cost=RunCost(
            tokens=12,
            price_per_million_tokens=0.5,
            chunks=9,
            vector_bytes=288,
            bytes_on_disk=None,
        ),
        passages=5,
        astray={one: frozenset(found)},
        grounding=Grounding(
            judge="gpt",
            identity="model m, prompt 1",
            answered_by="model n, prompt '2' of v1",
            passages=5,
            verdicts={one: Support(sentences=4, unsupported=(0, 3))},
            failed={two: "unavailable: «no» answer"},
            tokens=21,
        ),
    )


def evaluation(name: str = "e-1", *, candidate: Run, baseline: Run) -> Evaluation:
    """Return the comparison of two runs."""
    return Evaluation(
        id=EvaluationId(name),
        index=DOCS,
        candidate=candidate.release,
        baseline=baseline.release,
        candidate_fingerprint=candidate.fingerprint,
        baseline_fingerprint=baseline.fingerprint,
        query_set=candidate.query_set,
        version=candidate.version,
        candidate_run=candidate.id,
        baseline_run=baseline.id,
        k=10,
        at=SOON,
        actor=ANNA,
    )


class QuerySetSuite(Suite):
    """Query sets and their versions."""

    def test_a_version_comes_back_as_it_was_given(self, store: Store) -> None:
        """[query-sets-are-immutable]: an older version stays beside the newest."""
        with_index(store)
        with store.begin() as tx:
            tx.query_sets.add(query_set(1))
            tx.query_sets.add(query_set(2))
        with store.read() as view:
            assert view.query_sets.get(DOCS, CLINIC, version=1) == query_set(1)
            assert view.query_sets.get(DOCS, CLINIC) == query_set(2)
            assert view.query_sets.newest(DOCS, CLINIC) == 2
            assert view.query_sets.newest(DOCS, QuerySetName("other")) == 0

    def test_a_version_out_of_turn_is_refused(self, store: Store) -> None:
        """[versions-rise-by-one]: of two who add the next one, the second is told."""
        with_index(store)
        with store.begin() as tx:
            tx.query_sets.add(query_set(1))
        for version in (1, 3):
            with pytest.raises(ConflictError, match="version 1"), store.begin() as tx:
                tx.query_sets.add(query_set(version))

    def test_the_list_has_figures_and_no_queries(self, store: Store) -> None:
        """Sets by name, the newest version first."""
        with_index(store)
        with store.begin() as tx:
            tx.query_sets.add(query_set(1, name=QuerySetName("zoo")))
            tx.query_sets.add(query_set(1))
            tx.query_sets.add(query_set(2))
        with store.read() as view:
            found = view.query_sets.all(DOCS)
        assert [(one.name, one.version) for one in found] == [
            ("clinic", 2),
            ("clinic", 1),
            ("zoo", 1),
        ]
        assert (found[0].queries, found[0].judgements, found[0].groups) == (2, 2, 1)

    def test_an_unknown_set_is_named_with_those_there_are(self, store: Store) -> None:
        """So are an unknown version and an unknown index."""
        with_index(store)
        with store.begin() as tx:
            tx.query_sets.add(query_set())
        with store.read() as view:
            with pytest.raises(NotFoundError, match="'nosuch'") as caught:
                view.query_sets.get(DOCS, QuerySetName("nosuch"))
            assert caught.value.known == ["clinic@1"]
            with pytest.raises(NotFoundError, match="clinic@5"):
                view.query_sets.get(DOCS, CLINIC, version=5)


class RunSuite(Suite):
    """Runs and evaluations."""

    def test_a_run_comes_back_as_it_was_given(self, store: Store) -> None:
        """[runs-are-immutable]: rankings in order, exact answers, times, refusals, cost."""
        with_index(store)
        with store.begin() as tx:
            tx.query_sets.add(query_set())
            tx.runs.add(run(called="summer"))
        with store.read() as view:
            assert view.runs.get(DOCS, RunId("r-1")) == run(called="summer")
            assert view.runs.named(DOCS, "summer") == run(called="summer")
            assert view.runs.named(DOCS, "winter") is None

    def test_a_name_is_given_once(self, store: Store) -> None:
        """A baseline that people speak of does not change under them."""
        with_index(store)
        with store.begin() as tx:
            tx.query_sets.add(query_set())
            tx.runs.add(run("r-1", called="summer"))
            tx.runs.add(run("r-2"))
            tx.runs.add(run("r-3"))
        with pytest.raises(AlreadyExistsError, match="summer"), store.begin() as tx:
            tx.runs.add(run("r-4", called="summer"))
        with store.read() as view:
            assert [one.id for one in view.runs.all(DOCS)] == ["r-3", "r-2", "r-1"]
            assert view.runs.all(DOCS)[2].name == "summer"

    def test_a_run_names_what_there_is(self, store: Store) -> None:
        """The release and the query set's version."""
        with_index(store)
        with pytest.raises(NotFoundError, match="clinic@1"), store.begin() as tx:
            tx.runs.add(run())
        with store.read() as view, pytest.raises(NotFoundError, match="r-1"):
            view.runs.get(DOCS, RunId("r-1"))

    def test_the_newest_evaluation_is_of_exactly_these_two(self, store: Store) -> None:
        """By name, and by query set where one is named."""
        with_index(store)
        mine = release(V2, dimensions=9).fingerprint
        with store.begin() as tx:
            tx.query_sets.add(query_set())
            tx.runs.add(run("r-1"))
            tx.runs.add(replace(run("r-2"), release=V2, fingerprint=mine))
            one, two = tx.runs.get(DOCS, RunId("r-1")), tx.runs.get(DOCS, RunId("r-2"))
            tx.runs.add_evaluation(evaluation("e-1", candidate=two, baseline=one))
            tx.runs.add_evaluation(evaluation("e-2", candidate=two, baseline=one))
            tx.runs.add_evaluation(evaluation("e-3", candidate=one, baseline=two))
        with store.read() as view:
            newest = view.runs.newest_evaluation(
                DOCS, candidate=V2, baseline=V1, query_set="clinic"
            )
            assert newest == evaluation("e-2", candidate=two, baseline=one)
            assert newest == view.runs.evaluation(DOCS, EvaluationId("e-2"))
            assert [one.id for one in view.runs.evaluations(DOCS)] == ["e-3", "e-2", "e-1"]
            assert not view.runs.newest_evaluation(DOCS, candidate=V2, baseline=V2)
            assert not view.runs.newest_evaluation(
                DOCS, candidate=V2, baseline=V1, query_set="other"
            )
            with pytest.raises(NotFoundError, match="e-9"):
                view.runs.evaluation(DOCS, EvaluationId("e-9"))

    def test_an_evaluation_names_stored_runs(self, store: Store) -> None:
        """Otherwise nothing is stored."""
        with_index(store)
        with store.begin() as tx:
            tx.query_sets.add(query_set())
            tx.runs.add(run())
        with pytest.raises(NotFoundError, match="r-9"), store.begin() as tx:
            tx.runs.add_evaluation(evaluation(candidate=run(), baseline=run("r-9")))


class PolicySuite(Suite):
    """Policies and their versions."""

    def test_a_policy_comes_back_as_it_was_given(self, store: Store) -> None:
        """[policies-are-immutable]: version 0 is the built-in one."""
        with_index(store)
        with store.read() as view:
            assert view.policies.newest(DOCS) == UNSET
        with store.begin() as tx:
            first = tx.policies.set(DOCS, POLICY, actor=ANNA, reason="why", at=NOW)
            tx.policies.set(DOCS, replace(POLICY, max_lag=8), actor=ANNA, reason="", at=SOON)
        with store.read() as view:
            assert view.policies.get(DOCS, 1) == first
            assert view.policies.newest(DOCS).policy.max_lag == 8
            assert view.policies.newest(DOCS).version == 2
            assert view.policies.get(DOCS, 0) == UNSET
            with pytest.raises(NotFoundError, match="'3'"):
                view.policies.get(DOCS, 3)

    def test_a_rollout_keeps_the_policy_that_it_began_with(self, store: Store) -> None:
        """[policy-is-fixed]: later versions count for later rollouts."""
        with_index(store)
        with store.begin() as tx:
            tx.pointers.open_rollout(DOCS, V1, at=NOW)
            tx.policies.set(DOCS, POLICY, actor=ANNA, reason="", at=NOW)
        with store.begin() as tx:
            rollout = tx.pointers.rollout(DOCS)
            assert rollout is not None
            assert rollout.policy == 0
            assert tx.pointers.advance(rollout, Event.ABORT, at=SOON).policy == 0
            assert tx.pointers.open_rollout(DOCS, V1, at=SOON).policy == 1


def diagnosis(name: str = "d-1") -> Diagnosis:
    """Return what may be said of v1, every kind of field in it."""
    return Diagnosis(
        id=DiagnosisId(name),
        index=DOCS,
        release=V1,
        baseline=V2,
        release_fingerprint=Fingerprint("f1"),
        baseline_fingerprint=Fingerprint("f2"),
        actor=ANNA,
        at=NOW,
        head=Lsn(9),
        watermark=Lsn(7),
        asked=Asked(source="clinic@1", judged=True, questions=2),
        loss=Loss(
            measure="nDCG@10",
            group="",
            questions=2,
            failing=1,
            baseline=0.75,
            release=0.5,
            low=-0.5,
            high=0.0,
            p=0.25,
        ),
        verdict="a verdict",
        causes=(
            Cause(
                fault=Fault.MISSING_DOCUMENTS,
                blame=Blame.MIGRATION,
                certainty=Certainty.MEASURED,
                score=0.5,
                summary="two are missing",
                figures={"documents": 2, "share": 0.5, "why": "«ü»", "whole": True, "x": None},
                remedy="repoint diff docs v1 --repair",
            ),
        ),
        cells=(
            Cell(
                change="exact search",
                queries="release",
                collection="release",
                search="exact",
                value=0.5,
                gain=0.0,
            ),
        ),
        pool=4,
        differences={"missing": 2},
        compared=4,
        sample=Sample(documents=2, compared=2, matching=1, median_cosine=None),
        chunks=(
            ChunkFigures(
                release=V1,
                documents=2,
                chunks_per_document=1.5,
                median_characters=10.0,
                median_tokens=4.0,
                longest_tokens=9,
                truncated=0.25,
            ),
        ),
        fields=(FieldCoverage(field="group", probed=2, found=1),),
        changes=(SpecChange(field="distance", baseline="cosine", release="dot"),),
        probes={"v1": "as stored"},
        expense=Expense(questions=4, searches=9, texts=2, tokens=30, money=0.5),
        left_out=("nothing",),
    )


class DiagnosisSuite(Suite):
    """What was found to be wrong with releases."""

    def test_a_diagnosis_is_kept_as_it_was_made(self, store: Store, another: Store) -> None:
        """[diagnoses-are-immutable]: the newest one stands first, none replaces another."""
        with_index(store)
        with store.begin() as tx:
            tx.diagnoses.add(diagnosis("d-1"))
            tx.diagnoses.add(diagnosis("d-2"))
        with another.read() as tx:
            assert tx.diagnoses.all(DOCS) == [diagnosis("d-2"), diagnosis("d-1")]
            assert tx.diagnoses.newest(DOCS, V1) == diagnosis("d-2")
            assert tx.diagnoses.newest(DOCS, V2) is None

    def test_a_diagnosis_is_of_a_release_that_there_is(self, store: Store) -> None:
        """Nothing is written of another."""
        with_index(store)
        strange = replace(diagnosis(), release=ReleaseName("v9"))
        with pytest.raises(NotFoundError), store.begin() as tx:
            tx.diagnoses.add(strange)
