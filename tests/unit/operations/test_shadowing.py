"""Asking the shadow: compared and counted, and never in the way of who is being served."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from repoint.domain.ids import Epoch, ReleaseName
from repoint.domain.release import Release
from repoint.domain.shadow import Shadow
from repoint.domain.telemetry import Arm, Count, Measure, Stage, Tally
from repoint.operations import query, shadow, shadowing, telemetry
from repoint.operations.shadowing import PATIENCE_S, Shadower
from repoint.operations.spaces import Space
from repoint.operations.telemetry import Meter
from repoint.testing.stage import INDEX
from repoint.testing.stage import Stage as Theatre

V1, V2 = ReleaseName("v1"), ReleaseName("v2")
#: Looks of five milliseconds that only a broken shadow needs.
LOOKS = 12_000


class Desk:
    """One serving process with a shadow of v2."""

    def __init__(self, stage: Theatre, *, share: float = 1.0) -> None:
        self.stage = stage
        session = stage.session
        self.meter = Meter(stage.store, clock=stage.clock, process=session.process.id)
        self.shadower = Shadower(
            stage.store, session.spaces, clock=stage.clock, meter=self.meter
        )
        self.shadow = shadow.start(session, INDEX, V2, share=share, reason="")
        stage.clock.advance(timedelta(seconds=1))

    def serve(self, text: str = "document 3", *, by: Shadow | None = None) -> None:
        space = self.stage.space("v1")
        self.shadower.began = self.stage.clock.monotonic()
        hits, timings = query.ask(space, text, limit=5, clock=self.stage.clock)
        answer = query.Answer(
            index=INDEX, release=V1, epoch=Epoch(1), hits=hits, timings=timings
        )
        self.shadower.offer(by or self.shadow, answer, text=text, limit=5, where=None)

    def quiet(self) -> None:
        self.shadower.ended = self.stage.clock.monotonic()
        self.stage.clock.advance(timedelta(milliseconds=10))

    def counted(self, *, passing: timedelta = timedelta(), **wanted: int) -> Tally:
        """Return v2's tally once it has these counts, so much time passing between looks."""
        patience = threading.Event()
        found = Tally()
        for _ in range(LOOKS):
            self.stage.clock.advance(passing)
            self.meter.flush()
            found = telemetry.totals(self.stage.session, INDEX).of(V2, Arm.SHADOW)
            if all(found.count(Count(name)) == count for name, count in wanted.items()):
                return found
            patience.wait(0.005)
        pytest.fail(f"not {wanted} but {found.counts}")

    def close(self) -> None:
        self.shadower.close()
        self.meter.close()


@pytest.fixture
def desk(stage: Theatre) -> Iterator[Desk]:
    made = Desk(stage)
    yield made
    made.close()


def test_a_served_question_is_asked_of_the_shadow_and_compared(desk: Desk) -> None:
    for text in ("document 1", "document 2"):
        desk.serve(text)
        desk.quiet()

    found = desk.counted(queries=2)

    for measure in (Measure.OVERLAP, Measure.RBO):
        assert found.histogram(measure).count == 2
        assert 0 <= found.histogram(measure).least <= found.histogram(measure).greatest <= 1
    assert found.histogram(Measure.LATENCY_DIFFERENCE).count == 2
    assert found.histogram(Measure.SCORE_DIFFERENCE).count == 2
    assert found.histogram(Stage.TOTAL).count == 2
    assert found.count(Count.DROPPED) == found.count(Count.FAILED) == 0


def test_a_shadow_of_the_same_vectors_agrees_wholly(stage: Theatre) -> None:
    stage.create("twin", seed=1)
    stage.revive("twin")
    desk = Desk(stage)
    twin = replace(desk.shadow, release=ReleaseName("twin"))
    desk.serve(by=twin)
    desk.quiet()
    patience, found = threading.Event(), Tally()
    for _ in range(LOOKS):
        desk.meter.flush()
        found = telemetry.totals(stage.session, INDEX).of(twin.release, Arm.SHADOW)
        if found.count(Count.QUERIES):
            break
        patience.wait(0.005)
    desk.close()
    assert found.histogram(Measure.OVERLAP).quantile(0.5) == 1
    assert found.histogram(Measure.RBO).mean == pytest.approx(1)
    assert found.histogram(Measure.SCORE_DIFFERENCE).quantile(0.5) == 0


def test_a_share_is_kept_evenly(stage: Theatre) -> None:
    desk = Desk(stage, share=0.25)
    for number in range(200):
        desk.serve(f"document {number % 8}")
    desk.quiet()
    desk.counted(queries=50)
    desk.close()


def test_while_somebody_is_served_the_shadow_waits_and_then_drops(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.quiet()
    desk.stage.clock.advance(timedelta(seconds=1))
    spaces = desk.stage.session.spaces
    opened: list[object] = []
    really = spaces.open

    def noted(release: Release) -> Space:
        opened.append(release.name)
        return really(release)

    monkeypatch.setattr(spaces, "open", noted)
    desk.serve()  # and the next one began: it never gets quiet
    desk.counted(queries=0, dropped=1, passing=timedelta(seconds=PATIENCE_S))
    assert set(opened) == {V1}  # by who was served, and by nobody else


def test_a_full_queue_drops_and_counts(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadowing, "_THREADS", 0)
    for _ in range(shadowing.WAITING + 7):
        desk.serve()
    desk.counted(dropped=7)
    desk.shadower.close()  # what still waits is dropped, and counted too
    desk.counted(dropped=shadowing.WAITING + 7)


def test_a_shadow_that_fails_is_counted_and_nothing_else(desk: Desk) -> None:
    desk.stage.model("v2").down = True
    desk.serve()
    desk.quiet()
    found = desk.counted(failed=1)
    assert found.errors == {"unavailable": 1}


def test_who_was_promoted_meanwhile_is_not_asked_twice(desk: Desk) -> None:
    desk.serve(by=replace(desk.shadow, release=V1))
    desk.serve()
    desk.quiet()
    desk.counted(queries=1)
