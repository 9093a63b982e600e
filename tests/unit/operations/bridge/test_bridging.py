"""A bridge is measured, allowed, said with every answer, and undone; never silent."""

import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from repoint.domain.access import Role
from repoint.domain.bridge import Against, Bridge, BridgeRule
from repoint.domain.errors import (
    BadInputError,
    MissingModelError,
    NotFoundError,
    NotPermittedError,
    NotReadyError,
    RefusedError,
)
from repoint.domain.ids import Actor, BridgeId, DocumentId, QueryId, QuerySetName, ReleaseName
from repoint.domain.policy import BUILT_IN, Policy
from repoint.domain.queries import Query, QuerySetKind, Questions
from repoint.domain.readiness import Status
from repoint.operations import policies, query_sets
from repoint.operations.bridge import bridging
from repoint.operations.bridge.bridging import FitOptions
from repoint.operations.evaluate import Options, evaluate
from repoint.operations.query import search
from repoint.operations.route import Route
from repoint.operations.session import Session
from repoint.operations.sync import Follower
from repoint.testing.stage import INDEX, UNMEASURED, Stage

WORDS = ("oak", "pine", "elm", "birch", "willow", "maple")
V1, V2 = ReleaseName("v1"), ReleaseName("v2")
SET = QuerySetName("trees")
JUDGED = FitOptions(queries="trees")


@dataclass
class Gone:
    """v2 answers, v1 is its fallback, and the provider of v1's model is gone for good."""

    stage: Stage

    @property
    def session(self) -> Session:
        return self.stage.session

    def allow(self, floor: float) -> None:
        rule = BridgeRule(floor=floor)
        policy = Policy(gates=BUILT_IN.gates, bridge=rule)
        policies.set_policy(self.session, INDEX, policy, reason="an emergency")

    def fit(self, options: FitOptions = JUDGED) -> Bridge:
        return bridging.fit(self.session, INDEX, V1, V2, options=options)

    def enable(self, bridge: Bridge, *, by: Session | None = None) -> Bridge:
        return bridging.enable(by or self.session, INDEX, bridge.id, reason="v1's model ended")

    def finding(self, check: str) -> Status:
        report = self.stage.rollback()
        (found,) = [one for one in report.findings if one.check == check]
        return found.status


@pytest.fixture
def gone(tmp_path: Path) -> Iterator[Gone]:
    with Stage(folder=tmp_path / "stage") as stage:
        texts = {
            f"d{n}": " ".join(chosen)
            for n, chosen in enumerate(itertools.permutations(WORDS, 3))
        }
        stage.write(dict(texts))
        for name, seed in (("v1", 1), ("v2", 2)):
            stage.create(name, seed=seed, chunk=None)
            stage.revive(name)
        stage.promote("v1")
        questions = {
            QueryId(f"q{n}"): " ".join(pair)
            for n, pair in enumerate(itertools.combinations(WORDS, 2))
        }
        qrels = {
            query: {
                DocumentId(name): 1
                for name, text in texts.items()
                if set(asked.split()) <= set(text.split())
            }
            for query, asked in questions.items()
        }
        asked = Questions(
            queries=tuple(Query(id=query, text=text) for query, text in questions.items()),
            qrels=qrels,
            kind=QuerySetKind.JUDGED,
            source="a test",
        )
        query_sets.add(stage.session, INDEX, SET, asked)
        evaluate(
            stage.session, INDEX, V2, baseline="active", queries=SET, options=Options(depth=100)
        )
        stage.promote("v2", options=UNMEASURED)
        stage.model("v1").down = True
        yield Gone(stage)


def test_a_bridge_says_what_it_keeps_of_a_stored_run(gone: Gone) -> None:
    embedded = len(gone.stage.model("v1").embedded)
    made = gone.fit()
    kept = made.retention
    assert kept.against is Against.JUDGEMENTS
    assert (kept.measure, kept.queries, kept.count) == ("nDCG@10", "trees@1", 15)
    assert 0.5 < kept.share <= 1.2
    assert kept.low <= kept.bridged - kept.old <= kept.high
    assert (made.fitted, made.held_out) == (108, 12)
    assert bridging.bridges(gone.session, INDEX) == [made]
    assert len(gone.stage.model("v1").embedded) == embedded


def test_without_a_query_set_the_golden_queries_tell(gone: Gone) -> None:
    kept = gone.fit(FitOptions()).retention
    assert (kept.against, kept.measure) == (Against.OLD_ANSWERS, "overlap@10")
    assert kept.old == 1.0


def test_no_policy_no_bridge(gone: Gone) -> None:
    made = gone.fit()
    with pytest.raises(RefusedError, match="allows no bridge"):
        gone.enable(made)
    assert gone.stage.release("v1").bridge is None


def test_what_keeps_less_than_the_floor_is_refused(gone: Gone) -> None:
    gone.allow(0.999_999)
    made = gone.fit()
    assert made.retention.share < 0.999_999
    with pytest.raises(RefusedError, match=r"the policy's floor is 100\.0%"):
        gone.enable(made)


def test_a_rollback_over_a_bridge_answers_and_says_so(gone: Gone) -> None:
    gone.allow(0.5)
    with pytest.raises(NotReadyError):
        gone.stage.rollback()  # without the bridge there is no way back
    made = gone.enable(gone.fit())
    report = gone.stage.rollback()
    statuses = {one.check: one.status for one in report.findings}
    assert report.verified
    assert statuses["query-model"] is Status.WARNING
    route = Route(index=INDEX, release=V1, epoch=report.epoch, space=gone.stage.space("v1"))
    answer = search(route, "oak pine", limit=5, where=None, clock=gone.stage.clock)
    assert (answer.release, answer.bridge) == ("v1", made.id)
    assert answer.hits


def test_a_living_model_that_changed_fails_the_bridge(gone: Gone) -> None:
    gone.allow(0.1)
    gone.enable(gone.fit())
    gone.stage.model("v2").changed = True
    with pytest.raises(NotReadyError, match="the model changed"):
        gone.stage.rollback()


def test_documents_never_go_over_a_bridge(gone: Gone) -> None:
    gone.allow(0.5)
    gone.enable(gone.fit())
    with pytest.raises(MissingModelError, match="documents never do"):
        gone.stage.space("v1").embedding.documents(["oak"])
    gone.stage.write({"new": "oak pine elm"})
    report = gone.stage.rollback()
    lag = next(one for one in report.findings if one.check == "lag")
    assert lag.status is Status.FAILED
    assert not report.verified


def test_deletes_reach_what_answers_over_a_bridge(gone: Gone) -> None:
    gone.allow(0.5)
    gone.enable(gone.fit())
    gone.stage.rollback()
    gone.stage.write({"new": "oak pine elm"})  # waits for the model, and stands before:
    gone.stage.write({"d1": None})
    follower = Follower(
        gone.stage.store,
        gone.session.spaces,
        index=INDEX,
        owner=gone.session.process.id,
        clock=gone.stage.clock,
    )
    follower.start()
    collection = gone.stage.space("v1").collection
    patience = threading.Event()  # the stage's clock takes no time
    try:
        for _ in range(12_000):
            if V1 in follower.last_error:
                break
            patience.wait(0.005)
        assert not collection.stored([DocumentId("d1")]).documents
    finally:
        follower.close()


def test_what_answers_now_is_left_as_it_is(gone: Gone) -> None:
    gone.allow(0.5)
    made = gone.enable(gone.fit())
    gone.stage.rollback()
    with pytest.raises(RefusedError, match="answers now"):
        gone.enable(made)
    with pytest.raises(RefusedError, match="answers now"):
        bridging.disable(gone.session, INDEX, V1, reason="")


def test_the_own_model_comes_back(gone: Gone) -> None:
    gone.allow(0.5)
    made = gone.enable(gone.fit())
    gone.stage.model("v1").down = False
    assert bridging.disable(gone.session, INDEX, V1, reason="it is back") == made_off(made)
    assert gone.stage.space("v1").bridge is None
    assert gone.finding("query-model") is Status.OK


def made_off(bridge: Bridge) -> Bridge:

    return replace(bridge, enabled=False)


def test_an_evaluation_never_stands_for_the_own_model(gone: Gone) -> None:
    gone.allow(0.5)
    gone.enable(gone.fit())
    with pytest.raises(RefusedError, match="go over bridge"):
        evaluate(
            gone.session, INDEX, V1, baseline="active", queries=SET, options=Options(depth=100)
        )


def test_only_an_approver_enables_and_the_record_says_who_and_why(gone: Gone) -> None:
    gone.allow(0.5)
    made = gone.fit()
    bo = gone.stage.open(Actor("bo"), is_owner=False)
    with gone.stage.store.begin() as tx:
        tx.access.grant(Actor("bo"), Role.OPERATOR, None)
        tx.access.grant(Actor("ana"), Role.APPROVER, None)
    with pytest.raises(NotPermittedError):
        gone.enable(made, by=bo)
    assert gone.stage.release("v1").bridge is None
    with pytest.raises(BadInputError, match="reason"):
        bridging.enable(gone.session, INDEX, made.id, reason=" ")
    gone.enable(made)
    with gone.stage.store.read() as view:
        last = list(view.audit.records())[-1]
    assert (last.actor, last.action, last.reason) == (
        "ana",
        "enable-bridge",
        "v1's model ended",
    )


@pytest.mark.parametrize(
    ("release", "source", "options", "why"),
    [
        ("v1", "v1", FitOptions(), "with itself"),
        ("v1", "v2", FitOptions(pairs=5), "too few"),
        ("v1", "v9", FitOptions(), "v9"),
        ("v1", "v2", FitOptions(queries="nothing"), "nothing"),
    ],
)
def test_what_cannot_be_fitted_is_refused(
    gone: Gone, release: str, source: str, options: FitOptions, why: str
) -> None:
    with pytest.raises((BadInputError, NotFoundError), match=why):
        bridging.fit(
            gone.session, INDEX, ReleaseName(release), ReleaseName(source), options=options
        )
    assert bridging.bridges(gone.session, INDEX) == []


def test_releases_that_cut_texts_in_other_ways_have_nothing_in_common(gone: Gone) -> None:
    gone.stage.create("v3", seed=3, chunk=6)
    gone.stage.revive("v3")
    with pytest.raises(RefusedError, match="in common"):
        bridging.fit(gone.session, INDEX, V1, ReleaseName("v3"), options=JUDGED)


def test_a_bridge_that_nobody_stored_is_not_found(gone: Gone) -> None:
    gone.allow(0.1)
    with pytest.raises(NotFoundError, match="b-9"):
        bridging.enable(gone.session, INDEX, BridgeId("b-9"), reason="why")
