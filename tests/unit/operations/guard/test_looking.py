"""A look sees what is wrong, and the guard goes back or freezes as it was declared."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.unit.operations.guard.watching import (
    FakeMetrics,
    corpus,
    guard,
    look,
    outcomes,
    pointer,
    watch,
)

from repoint.domain.access import Role
from repoint.domain.document import Chunk, Entry
from repoint.domain.errors import (
    NotPermittedError,
    RefusedError,
    UnavailableError,
)
from repoint.domain.guarding import Alert, DecisionState
from repoint.domain.ids import Actor, DocumentId, Lsn, RunId
from repoint.domain.readiness import Status
from repoint.domain.triggers import (
    Act,
    AlertTrigger,
    CostTrigger,
    EmptyAnswersTrigger,
    GuardRules,
    IndexRecallTrigger,
    LatencyTrigger,
    MissingDocumentsTrigger,
    ModelDriftTrigger,
    NoData,
    Of,
    PrometheusTrigger,
    ProviderErrorsTrigger,
    RelevanceTrigger,
    SearchProbesTrigger,
)
from repoint.operations import freeze
from repoint.operations.check import check
from repoint.operations.grants import grant, verify_audit
from repoint.operations.in_step import catch_up
from repoint.ports.backend import SpaceMatrix
from repoint.testing.stage import INDEX, Stage

RELEVANCE = RelevanceTrigger(measure="RR@10", tolerance=0.05)


def damage(stage: Stage, *, every: int = 2) -> None:
    """Take documents out of v2's collection, behind everybody's back."""
    gone = [DocumentId(name) for n, name in enumerate(corpus()) if n % every == 0]
    stage.space("v2").collection.purge(gone)


def test_all_is_well_and_nothing_is_done(stage: Stage) -> None:
    watch(
        stage,
        RELEVANCE,
        IndexRecallTrigger(),
        LatencyTrigger(of=Of.BENCHMARK, p95_ms=500, minimum_samples=20),
        ProviderErrorsTrigger(of=Of.BENCHMARK),
        MissingDocumentsTrigger(lag=0),
        EmptyAnswersTrigger(of=Of.BENCHMARK, minimum_samples=20),
        SearchProbesTrigger(),
        ModelDriftTrigger(),
    )
    by = guard(stage)
    for number in (1, 2, 3):
        seen = look(stage, by)
        assert set(outcomes(seen).values()) == {"pass"}, seen.look
        assert seen.decision is None
        assert seen.look is not None
        assert seen.look.number == number
    assert pointer(stage).active == "v2"


def test_lost_relevance_goes_back_with_its_figures_on_record(stage: Stage) -> None:
    watch(stage, RELEVANCE)
    assert outcomes(look(stage)) == {"relevance": "pass"}
    damage(stage)

    seen = look(stage)

    assert outcomes(seen) == {"relevance": "fail"}
    assert seen.decision is not None
    assert seen.decision.act is Act.ROLLBACK
    assert seen.decision.state is DecisionState.DONE, seen.decision
    assert seen.decision.outcome["verified"] is True
    assert seen.decision.results[0].figures["samples"] == 40
    assert pointer(stage).active == "v1"
    with stage.store.read() as view:
        move = view.pointers.moves(INDEX, limit=1)[0]
        assert (move.actor, move.after.epoch) == ("guard", 3)
        run = view.runs.get(INDEX, RunId(str(seen.decision.outcome["run"])))
        assert (run.release, len(run.ranked)) == ("v2", 40)
        assert move.reason.startswith("guard, decision 1: relevance: RR@10 changed by -")
        acts = [record.action for record in view.audit.records()]
        assert "guard" in acts
    assert verify_audit(stage.session) == len(acts)
    with stage.store.read() as view:
        assert view.guarding.decisions(INDEX) == [seen.decision]


def test_nothing_is_done_while_documents_come_change_and_go(stage: Stage) -> None:
    watch(
        stage,
        RELEVANCE,
        IndexRecallTrigger(),
        MissingDocumentsTrigger(lag=0),
        SearchProbesTrigger(),
        ModelDriftTrigger(),
    )
    by, texts = guard(stage), list(corpus().items())
    for number in range(15):
        name, text = texts[number * 3 % 40]
        stage.write(
            {f"new{number}": f"something new {number}. It is.", name: f"{text} {number}"}
        )
        if number % 4 == 0:
            stage.write({texts[number][0]: None})
        for release in ("v1", "v2"):
            catch_up(stage.session, stage.space(release))
        seen = look(stage, by)
        assert set(outcomes(seen).values()) == {"pass"}, seen.look
    assert pointer(stage).active == "v2"


def test_a_group_that_fell_is_seen_beside_an_average_that_holds(stage: Stage) -> None:
    # Known items have no groups: a group that is declared and not there judges the whole.
    watch(stage, RelevanceTrigger(measure="RR@10", groups=True))
    assert outcomes(look(stage)) == {"relevance": "pass"}


def test_a_silent_change_of_the_model_is_found_by_its_probes(stage: Stage) -> None:
    watch(stage, ModelDriftTrigger())
    stage.model("v2").changed = True
    seen = look(stage)
    assert outcomes(seen) == {"model-drift": "fail"}
    assert seen.decision is not None
    assert seen.decision.state is DecisionState.DONE
    assert pointer(stage).active == "v1"


def test_a_provider_that_is_down_is_its_own_trigger_and_nobody_else_s(stage: Stage) -> None:
    watch(
        stage,
        ProviderErrorsTrigger(of=Of.BENCHMARK),
        RelevanceTrigger(measure="RR@10", then=Act.FREEZE),
        ModelDriftTrigger(then=Act.FREEZE),
    )
    stage.model("v2").down = True
    seen = look(stage)
    assert outcomes(seen) == {
        "provider-errors": "fail",
        "relevance": "inconclusive",
        "model-drift": "error",
    }
    assert pointer(stage).active == "v1"


def test_a_fallback_that_cannot_be_asked_hides_nothing_of_what_answers(stage: Stage) -> None:
    watch(stage, RelevanceTrigger(measure="RR@10"), ProviderErrorsTrigger(of=Of.BENCHMARK))
    stage.model("v1").down = True
    assert outcomes(look(stage)) == {"relevance": "error", "provider-errors": "pass"}
    stage.model("v1").down = False
    assert outcomes(look(stage)) == {"relevance": "pass", "provider-errors": "pass"}


def test_missing_documents_are_found_by_the_sample(stage: Stage) -> None:
    watch(stage, MissingDocumentsTrigger(lag=3))
    damage(stage, every=10)
    seen = look(stage)
    assert outcomes(seen) == {"missing-documents": "fail", "missing-documents:lag": "pass"}
    assert pointer(stage).active == "v1"


def test_lag_is_a_figure_of_its_own(stage: Stage) -> None:
    watch(stage, MissingDocumentsTrigger(lag=3, then=Act.FREEZE))
    stage.write({f"late{n}": f"late {n}" for n in range(5)})
    seen = look(stage)
    assert outcomes(seen) == {"missing-documents": "pass", "missing-documents:lag": "fail"}
    assert pointer(stage).active == "v2"
    with stage.store.read() as view:
        frozen = view.indexes.frozen(INDEX)
    assert frozen is not None
    assert frozen.actor == "guard"


def test_a_dropped_collection_is_a_failure_and_no_doubt(stage: Stage) -> None:
    watch(stage, SearchProbesTrigger(in_a_row=1))
    stage.backend.drop(stage.release("v2").collection)
    assert outcomes(look(stage)) == {"search-probes": "fail"}
    assert pointer(stage).active == "v1"


def test_a_deleted_document_that_is_back_does_not_wait_for_a_second_look(stage: Stage) -> None:
    watch(stage, SearchProbesTrigger())
    space = stage.space("v2")
    kept = space.collection.stored([DocumentId("d5")], with_vectors=True)
    assert kept.vectors is not None
    stage.write({"d5": None})
    for release in ("v1", "v2"):
        catch_up(stage.session, stage.space(release))
    assert set(outcomes(look(stage)).values()) == {"pass"}
    with stage.store.read() as view:
        row = view.log.get(INDEX, [DocumentId("d5")])[DocumentId("d5")]
    chunk = Chunk(text="back", start=0, end=4, digest="d")
    entry = Entry(document=DocumentId("d5"), lsn=Lsn(row.lsn + 1), chunks=[chunk], slots=1)
    space.collection.put([entry], SpaceMatrix(space.release.fingerprint, kept.vectors))
    seen = look(stage)
    assert outcomes(seen)["search-probes:deleted-document"] == "fail"
    assert pointer(stage).active == "v1"


def test_latency_is_compared_with_the_fallback_s_stored_run(stage: Stage) -> None:
    watch(stage, LatencyTrigger(of=Of.BENCHMARK, p50_ratio=2, minimum_samples=20))
    look(stage)  # the frozen clock: nothing takes any time
    clock, model = stage.clock, stage.model("v2")
    slow = model.embed

    def slowly(*args: object, **kwargs: object) -> object:
        clock.sleep(0.2)
        return slow(*args, **kwargs)  # type: ignore[arg-type]  # handed on as it came

    model.embed = slowly  # type: ignore[method-assign, assignment]  # the provider is slow
    seen = look(stage)
    assert outcomes(seen) == {"latency:p50-ratio": "fail"}
    assert pointer(stage).active == "v1"


def test_cost_without_a_price_is_an_error_and_moves_nothing(stage: Stage) -> None:
    watch(stage, CostTrigger(ratio=1.5))
    seen = look(stage)
    assert outcomes(seen) == {"cost": "error"}
    assert seen.decision is None


def test_errors_in_a_row_count_as_failed_where_that_is_declared(stage: Stage) -> None:
    watch(stage, CostTrigger(ratio=1.5, error_limit=3))
    by = guard(stage)
    assert [look(stage, by).decision for _ in range(2)] == [None, None]
    seen = look(stage, by)
    assert seen.look is not None
    assert seen.look.results[0].errors == 3
    assert pointer(stage).active == "v1"


def test_a_trigger_may_have_to_fail_several_times_in_a_row(stage: Stage) -> None:
    metrics = FakeMetrics()
    watch(
        stage,
        PrometheusTrigger(name="p95", url="http://metrics", query="q", above=1, in_a_row=3),
    )
    by = guard(stage)
    for value, failed in ((5, 1), (5, 2), (1, 0), (5, 1), (5, 2)):
        metrics.values["q"] = value
        seen = look(stage, by, metrics=metrics)
        assert seen.look is not None
        assert seen.look.results[0].failed == failed
        assert seen.decision is None
    metrics.fails = UnavailableError("no answer")  # neither ends the streak nor adds to it
    assert outcomes(look(stage, by, metrics=metrics)) == {"prometheus:p95": "error"}
    metrics.fails = None
    assert look(stage, by, metrics=metrics).decision is not None
    assert pointer(stage).active == "v1"


def test_no_data_fails_only_where_that_is_declared(stage: Stage) -> None:
    gone = PrometheusTrigger(name="a", url="http://m", query="a", above=1)
    watch(
        stage,
        gone,
        PrometheusTrigger(
            name="b", url="http://m", query="b", below=1, no_data=NoData.FAIL, then=Act.FREEZE
        ),
    )
    seen = look(stage)
    assert outcomes(seen) == {"prometheus:a": "inconclusive", "prometheus:b": "fail"}
    assert seen.decision is not None
    assert (seen.decision.act, seen.decision.state) == (Act.FREEZE, DecisionState.DONE)


def test_an_alert_that_fires_goes_back_and_an_older_one_does_not(stage: Stage) -> None:
    watch(stage, AlertTrigger(alert="Slow", labels={"index": "docs"}))
    assert outcomes(look(stage)) == {"alert:Slow": "inconclusive"}
    now = stage.clock.now()

    def told(*, started: timedelta, labels: dict[str, str], firing: bool = True) -> None:
        alert = Alert(
            fingerprint="f",
            name="Slow",
            labels=labels,
            firing=firing,
            started_at=now + started,
            received_at=stage.clock.now(),
        )
        with stage.store.begin() as tx:
            tx.guarding.put_alert(INDEX, alert)

    mine = {"index": "docs", "severity": "page"}
    told(started=timedelta(days=-1), labels=mine)  # before v2 answered
    assert outcomes(look(stage)) == {"alert:Slow": "pass"}
    told(started=timedelta(0), labels=mine, firing=False)
    assert outcomes(look(stage)) == {"alert:Slow": "pass"}
    told(started=timedelta(0), labels={"index": "other"})
    assert outcomes(look(stage)) == {"alert:Slow": "inconclusive"}
    told(started=timedelta(0), labels=mine)
    assert outcomes(look(stage)) == {"alert:Slow": "fail"}
    assert pointer(stage).active == "v1"


def test_a_dry_run_decides_and_does_nothing(stage: Stage) -> None:
    watch(stage, ModelDriftTrigger())
    stage.model("v2").changed = True
    by = guard(stage)
    seen = look(stage, by, dry_run=True)
    assert seen.decision is not None
    assert seen.decision.state is DecisionState.HELD_BACK
    assert seen.decision.outcome == {"held_back": "a dry run"}
    assert look(stage, by, dry_run=True).decision is None  # the same again is no news
    assert pointer(stage).active == "v2"
    assert look(stage, by).decision is not None
    assert pointer(stage).active == "v1"


def test_one_rollback_too_many_freezes_instead(stage: Stage) -> None:
    watch(
        stage,
        ModelDriftTrigger(),
        rules=GuardRules(rollbacks=1, cool_down=timedelta(minutes=1)),
    )
    by = guard(stage)
    stage.model("v2").changed = True
    look(stage, by)
    stage.model("v2").changed = False
    stage.promote("v2")
    stage.model("v2").changed = True
    seen = look(stage, by)
    assert seen.decision is not None
    assert (seen.decision.act, seen.decision.state) == (Act.FREEZE, DecisionState.DONE)
    assert "1 automatic rollbacks" in seen.decision.why
    assert pointer(stage).active == "v2"
    freeze.unfreeze(stage.session, INDEX)
    stage.clock.advance(timedelta(days=1))
    assert look(stage).decision is not None
    assert pointer(stage).active == "v1"


def test_after_it_went_back_the_guard_cools_down(stage: Stage) -> None:
    watch(stage, ModelDriftTrigger(), rules=GuardRules(rollbacks=9))
    by = guard(stage)
    stage.model("v2").changed = True
    look(stage, by)
    stage.model("v2").changed = False
    stage.promote("v2")
    stage.model("v2").changed = True
    seen = look(stage, by)
    assert seen.decision is not None
    assert seen.decision.state is DecisionState.HELD_BACK
    assert "cooling down until" in str(seen.decision.outcome["held_back"])
    stage.clock.advance(timedelta(minutes=30))
    assert look(stage).decision is not None
    assert pointer(stage).active == "v1"


def test_with_nothing_to_go_back_to_it_freezes(stage: Stage) -> None:
    watch(stage, ModelDriftTrigger(), RELEVANCE)
    stage.accept("v2")
    stage.model("v2").changed = True
    seen = look(stage)
    assert outcomes(seen) == {"model-drift": "fail", "relevance": "inconclusive"}
    assert seen.decision is not None
    assert seen.decision.act is Act.FREEZE
    assert "no fallback" in seen.decision.why
    again = look(stage)
    assert again.decision is not None
    assert again.decision.outcome["held_back"] == "the index is frozen already"


def test_a_refused_rollback_is_recorded_and_tried_again(stage: Stage) -> None:
    watch(stage, ModelDriftTrigger())
    stage.model("v2").changed = True
    stage.model("v1").down = True
    by = guard(stage)
    seen = look(stage, by)
    assert seen.decision is not None
    assert seen.decision.state is DecisionState.REFUSED
    assert seen.decision.outcome["error"] == "not-ready"
    assert pointer(stage).active == "v2"
    stage.model("v1").down = False
    assert look(stage, by).decision is not None
    assert pointer(stage).active == "v1"


def test_two_guards_do_not_both_look(stage: Stage) -> None:
    watch(stage, ModelDriftTrigger())
    first, second = guard(stage), guard(stage)
    stage.model("v2").changed = True
    assert look(stage, first, dry_run=True).look is not None
    assert look(stage, second, after=timedelta(0)).look is None
    stage.kill(first)
    seen = look(stage, second, after=timedelta(0))  # the dead one's lease is not waited for
    assert seen.decision is not None
    assert pointer(stage).active == "v1"


def test_the_checklist_says_whether_anybody_looks(stage: Stage) -> None:
    def said() -> tuple[Status, str]:
        found = [one for one in check(stage.session, INDEX) if one.check == "guard"]
        return (found[0].status, found[0].summary) if found else (Status.SKIPPED, "")

    assert said() == (Status.SKIPPED, "")
    watch(stage, ModelDriftTrigger(then=Act.FREEZE))
    assert said() == (
        Status.WARNING,
        "the policy declares 1 triggers, and nobody looks: never",
    )
    look(stage)
    assert said() == (Status.OK, "look 1 at epoch 2: no trigger fires")
    stage.clock.advance(timedelta(minutes=16))
    assert said()[0] is Status.WARNING
    stage.model("v2").changed = True
    look(stage)
    assert said() == (Status.WARNING, "look 2 at epoch 2: model-drift fired")


def test_a_figure_without_bounds_is_kept_as_text(stage: Stage) -> None:
    metrics = FakeMetrics()
    watch(stage, PrometheusTrigger(name="p", url="http://m", query="q", above=1))
    metrics.values["q"] = float("inf")
    seen = look(stage, metrics=metrics)
    assert seen.look is not None
    assert seen.look.results[0].figures["value"] == "inf"
    assert pointer(stage).active == "v1"


def test_a_mistake_in_one_trigger_blinds_no_other(stage: Stage) -> None:
    metrics = FakeMetrics()
    metrics.fails = ZeroDivisionError("not ours")
    by = PrometheusTrigger(name="p", url="http://m", query="q", above=1)
    watch(stage, by, ModelDriftTrigger())
    stage.model("v2").changed = True
    seen = look(stage, metrics=metrics)
    assert outcomes(seen) == {"prometheus:p": "error", "model-drift": "fail"}
    assert pointer(stage).active == "v1"


def test_a_policy_without_triggers_has_nothing_to_guard_by(stage: Stage) -> None:
    with pytest.raises(RefusedError, match="declares no trigger"):
        look(stage)


def test_who_may_not_guard_changes_nothing(stage: Stage) -> None:
    watch(stage, ModelDriftTrigger())
    grant(stage.session, Actor("ana"), Role.ADMIN, None)
    stage.model("v2").changed = True
    with pytest.raises(NotPermittedError):
        look(stage)
    assert pointer(stage).active == "v2"
    grant(stage.session, Actor("guard"), Role.OPERATOR, INDEX)
    assert look(stage).decision is not None
    assert pointer(stage).active == "v1"
