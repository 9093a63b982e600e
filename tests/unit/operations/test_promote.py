"""Promote refuses what is not ready, says why, records it, and changes nothing."""

from dataclasses import replace
from datetime import timedelta

import pytest

from repoint.domain.audit import Outcome
from repoint.domain.catchup import DeadLetter
from repoint.domain.errors import ConflictError, FrozenError, NotReadyError, RefusedMoveError
from repoint.domain.ids import DocumentId, Epoch, IndexName, Lsn, ReleaseName
from repoint.domain.readiness import Finding, Status
from repoint.operations import freeze, promote, releases
from repoint.operations.promote import CLOSE, PromoteOptions
from repoint.testing.stage import INDEX, UNMEASURED, Stage

V2 = ReleaseName("v2")


def refused(stage: Stage, name: str = "v2", options: PromoteOptions = UNMEASURED) -> str:
    """Return why; nothing moved, nothing stays under way, and the refusal is on record."""
    with pytest.raises(NotReadyError) as caught:
        stage.promote(name, options=options)
    with stage.store.read() as view:
        assert view.pointers.pointer(INDEX).active == "v1"
        assert view.pointers.pointer(INDEX).epoch == 1
        assert view.operations.unfinished(INDEX) is None
        outcomes = {one.outcome for one in view.audit.records()[-2:]}
    assert Outcome.REFUSED in outcomes
    return str(caught.value)


def test_a_candidate_far_behind_is_refused_with_its_rows(stage: Stage) -> None:
    stage.write({f"n{n}": f"new {n}" for n in range(CLOSE + 1)})
    assert f"v2 is {CLOSE + 1} rows behind" in refused(stage)


def test_a_candidate_close_to_the_head_is_brought_into_step(stage: Stage) -> None:
    stage.write({"new": "a fresh one", "d1": None})
    assert stage.promote("v2").epoch == 2
    found = stage.space("v2").collection.stored([DocumentId("new"), DocumentId("d1")])
    assert set(found.documents) == {"new"}


def test_a_stated_lag_is_allowed(stage: Stage) -> None:
    stage.write({f"n{n}": f"new {n}" for n in range(CLOSE + 1)})
    options = replace(UNMEASURED, max_lag=CLOSE + 1)
    assert stage.promote("v2", options=options).epoch == 2


def test_too_many_dead_letters_stand_in_the_way(stage: Stage) -> None:
    letter = DeadLetter(
        index=INDEX,
        release=V2,
        document=DocumentId("d1"),
        lsn=Lsn(2),
        code="input-rejected",
        reason="too long",
        attempts=1,
        at=stage.clock.now(),
    )
    with stage.store.begin() as tx:
        tx.dead_letters.put([letter])
    assert "v2 could not take 1 documents" in refused(stage)


def test_a_model_that_changed_behind_its_name_is_refused(stage: Stage) -> None:
    stage.model("v2").changed = True
    assert "the model changed" in refused(stage)


def test_a_model_that_does_not_answer_is_refused(stage: Stage) -> None:
    stage.model("v2").down = True
    assert "does not answer its probes" in refused(stage)


def test_a_collection_changed_behind_repoints_back_is_refused(stage: Stage) -> None:
    stage.space("v2").collection.purge([DocumentId("d3")])
    assert "1" in refused(stage)


def test_nobody_goes_forward_without_an_evaluation_or_a_reason(stage: Stage) -> None:
    assert "nobody measured v2 against v1" in refused(stage, options=PromoteOptions())


def test_the_reason_for_no_evaluation_is_kept_with_the_move(stage: Stage) -> None:
    stage.promote("v2", options=PromoteOptions(without_evaluation="it is Friday"))
    with stage.store.read() as view:
        (move, *_) = view.pointers.moves(INDEX)
    checked = move.checked["evaluation"]
    assert isinstance(checked, dict)
    assert "it is Friday" in str(checked["summary"])


class Judged:
    """An evaluation with a verdict."""

    def __init__(self, status: Status) -> None:
        self.status = status

    def verdict(
        self, index: IndexName, release: ReleaseName, *, against: ReleaseName | None
    ) -> list[Finding]:
        summary = f"{index}: {release} against {against}"
        return [Finding(check="evaluation", status=self.status, summary=summary)]


def test_an_evaluation_that_failed_is_not_overridden_by_a_reason(stage: Stage) -> None:
    with pytest.raises(NotReadyError, match="v2 against v1"):
        promote.promote(
            stage.session,
            INDEX,
            V2,
            reason="it is better",
            evaluations=Judged(Status.FAILED),
            options=UNMEASURED,
        )


def test_a_fallback_that_could_not_answer_again_is_refused(stage: Stage) -> None:
    stage.model("v1").changed = True
    assert "v1 could not answer again" in refused(stage)


def test_a_fallback_whose_collection_is_gone_is_refused(stage: Stage) -> None:
    stage.backend.drop(stage.release("v1").collection)
    assert "v1 could not answer again" in refused(stage)


def test_a_frozen_index_is_refused_before_anything_is_opened(stage: Stage) -> None:
    freeze.freeze(stage.session, INDEX, reason="holidays")
    before = len(stage.model("v2").embedded)
    with pytest.raises(FrozenError, match="holidays"):
        stage.promote("v2")
    assert len(stage.model("v2").embedded) == before


def test_a_freeze_that_comes_during_the_checks_still_counts(stage: Stage) -> None:
    class Freezing(Judged):
        def verdict(
            self, index: IndexName, release: ReleaseName, *, against: ReleaseName | None
        ) -> list[Finding]:
            freeze.freeze(stage.open(), INDEX, reason="stop")
            return super().verdict(index, release, against=against)

    with pytest.raises(FrozenError, match="stop"):
        promote.promote(
            stage.session,
            INDEX,
            V2,
            reason="it is better",
            evaluations=Freezing(Status.OK),
            options=UNMEASURED,
        )
    with stage.store.read() as view:
        assert view.pointers.pointer(INDEX).epoch == 1
        assert view.operations.unfinished(INDEX) is None


def test_another_open_rollout_is_in_the_way_and_named(stage: Stage) -> None:
    stage.create("v3", seed=3)
    stage.revive("v3")  # v2's rollout was opened first
    with pytest.raises(ConflictError, match="v2 is preparing"):
        stage.promote("v3")


def test_a_soak_must_end_before_the_next_candidate(promoted: Stage) -> None:
    promoted.create("v3", seed=3)
    promoted.revive("v3")
    with pytest.raises(ConflictError, match="accept docs v2"):
        promoted.promote("v3")


def test_what_is_active_is_refused(stage: Stage) -> None:
    with pytest.raises(RefusedMoveError, match="already active"):
        stage.promote("v1")


def test_a_release_never_brought_to_life_is_refused(stage: Stage) -> None:
    stage.create("v3", seed=3)
    with pytest.raises(NotReadyError, match="sync docs v3"):
        stage.promote("v3")


def test_a_paused_candidate_is_refused(stage: Stage) -> None:
    releases.set_pace(stage.session, INDEX, V2, paused=True)
    with pytest.raises(NotReadyError, match="--resume"):
        stage.promote("v2")


def test_a_straggler_is_named_and_does_not_undo_the_move(stage: Stage) -> None:
    stage.serve(stage.open(), Epoch(1))
    report = stage.promote(
        "v2", options=replace(UNMEASURED, ack_timeout=timedelta(milliseconds=20))
    )
    told = report.findings[-1]
    assert (told.check, told.status) == ("processes", Status.FAILED)
    assert "test stage:" in told.summary
    assert report.epoch == 2
