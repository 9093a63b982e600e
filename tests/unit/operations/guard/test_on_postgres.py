"""The same on a control store that many machines share."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.operations.guard.watching import guard, look, outcomes, pointer, prepare, watch

from repoint.domain.guarding import DecisionState
from repoint.domain.triggers import ModelDriftTrigger, RelevanceTrigger
from repoint.operations.drill import drill
from repoint.stores.sql.postgres import PostgresStore
from repoint.testing.stage import INDEX, Stage
from repoint.wiring.clock import SystemClock


@pytest.mark.server("postgres")
def test_a_guard_goes_back_and_a_drill_leaves_no_trace(
    postgres_url: str, tmp_path: Path
) -> None:
    stage = Stage(
        folder=tmp_path / "stage",
        opening=lambda: PostgresStore.open(postgres_url, clock=SystemClock()),
    )
    with stage:
        prepare(stage, documents=12)
        watch(stage, ModelDriftTrigger(), RelevanceTrigger(measure="RR@10", minimum_samples=5))
        assert drill(stage.session, INDEX).ready
        assert pointer(stage).epoch == 2
        first, second = guard(stage), guard(stage)
        assert look(stage, first).decision is None
        stage.model("v2").changed = True
        seen = look(stage, first)
        assert outcomes(seen)["model-drift"] == "fail"
        assert seen.decision is not None
        assert seen.decision.state is DecisionState.DONE
        assert pointer(stage).active == "v1"
        assert look(stage, second).decision is None
