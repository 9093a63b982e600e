"""A serving process notices that a query model changed behind its name."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.unit.operations.test_routing import Wire

from repoint.domain.errors import ModelChangedError
from repoint.domain.ids import ProcessId, ReleaseName
from repoint.domain.readiness import Status
from repoint.operations import check, model_watch, status
from repoint.operations.model_watch import ModelWatch, ProbeSettings
from repoint.operations.routing import Router
from repoint.operations.spaces import Spaces
from repoint.testing.clock import FrozenClock
from repoint.testing.stage import INDEX, OWNER, Stage

#: The thread of these watches never wakes by itself.
ASLEEP = timedelta(hours=1)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """v1 answers."""
    with Stage(folder=tmp_path / "stage") as stage:
        stage.write({f"d{n}": f"document {n} is about something" for n in range(4)})
        stage.create("v1", seed=1)
        stage.revive("v1")
        stage.promote("v1")
        yield stage


def watch_on(
    stage: Stage,
    *,
    stops: bool = False,
    every: timedelta = timedelta(minutes=10),
    host: str = "here",
) -> ModelWatch:
    return ModelWatch(
        stage.store,
        clock=stage.clock,
        host=host,
        actor=OWNER,
        settings=ProbeSettings(every=every, stops=stops, delay=ASLEEP),
    )


def router_on(stage: Stage, watch: ModelWatch, *, name: str = "serving") -> Router:
    process = replace(stage.session.process, id=ProcessId(name))
    return Router(
        Wire(stage.store),
        Spaces(stage.drivers),
        clock=FrozenClock(),  # its lease does not run out while the test lets time pass
        process=process,
        watch=watch,
    )


def alarms(stage: Stage) -> list[str]:
    with stage.store.read() as view:
        return [
            f"{one.release} {one.check} {one.host}"
            for one in view.alarms.all(INDEX, now=stage.clock.now())
        ]


def recorded(stage: Stage) -> list[object]:
    with stage.store.read() as view:
        return [
            one.details["alarm"]
            for one in view.audit.records(index=INDEX)
            if one.action == "probe"
        ]


def test_a_model_that_answers_as_before_raises_no_alarm(stage: Stage) -> None:
    watch = watch_on(stage)
    router = router_on(stage, watch)
    router.resolve(INDEX)

    assert [one.status for one in watch.look()] == [Status.OK]
    assert alarms(stage) == []
    assert watch.look() == []  # not due again
    router.close()


def test_a_model_that_changed_is_an_alarm_once_and_answers_on(stage: Stage) -> None:
    watch = watch_on(stage)
    router = router_on(stage, watch)
    router.resolve(INDEX)
    watch.look()
    stage.model("v1").changed = True

    for _ in range(3):
        stage.clock.advance(timedelta(minutes=10))
        watch.look()

    assert alarms(stage) == ["v1 query-model here"]
    assert recorded(stage) == ["begun"]
    now = status.status(stage.session, INDEX)
    assert now.alarms[0].at > now.alarms[0].since
    assert "probes are off" in now.alarms[0].summary
    found = {one.check: one for one in check.check(stage.session, INDEX)}
    assert found["active:alarm-query-model"].status is Status.WARNING
    assert router.resolve(INDEX).release == "v1"
    router.close()


def test_an_alarm_ends_when_the_same_machine_finds_the_model_as_it_was(stage: Stage) -> None:
    watch = watch_on(stage)
    router = router_on(stage, watch)
    router.resolve(INDEX)
    stage.model("v1").changed = True
    watch.look()
    elsewhere = watch_on(stage, host="there")
    elsewhere.serve(INDEX, router.resolve(INDEX).space)
    elsewhere.look()
    assert alarms(stage) == ["v1 query-model here", "v1 query-model there"]

    stage.model("v1").changed = False
    stage.clock.advance(timedelta(minutes=10))
    watch.look()

    assert alarms(stage) == ["v1 query-model there"]
    assert recorded(stage) == ["begun", "begun", "ended"]
    stage.clock.advance(timedelta(days=1, seconds=1))
    assert alarms(stage) == []  # nobody saw it again: that machine is gone
    elsewhere.close()
    router.close()


def test_a_changed_model_answers_no_more_where_that_is_wanted(stage: Stage) -> None:
    watch = watch_on(stage, stops=True)
    router = router_on(stage, watch)
    route = router.resolve(INDEX)
    stage.model("v1").changed = True
    watch.look()

    with pytest.raises(ModelChangedError, match="changed") as caught:
        router.resolve(INDEX)
    assert caught.value.release == "v1"

    stage.model("v1").changed = False
    stage.clock.advance(timedelta(minutes=10))
    watch.look()
    assert router.resolve(INDEX).epoch == route.epoch
    router.close()


def test_the_next_process_of_the_machine_does_not_answer_either(stage: Stage) -> None:
    first = watch_on(stage, stops=True)
    one = router_on(stage, first)
    one.resolve(INDEX)
    stage.model("v1").changed = True
    first.look()
    one.close()

    second = watch_on(stage, stops=True)
    other = router_on(stage, second, name="another")
    with pytest.raises(ModelChangedError):
        other.resolve(INDEX)

    stage.model("v1").changed = False
    second.look()  # it is watched although it does not answer
    assert other.resolve(INDEX).release == ReleaseName("v1")
    other.close()


def test_a_provider_that_is_down_is_no_drift(stage: Stage) -> None:
    watch = watch_on(stage, stops=True)
    router = router_on(stage, watch)
    router.resolve(INDEX)
    stage.model("v1").down = True

    assert watch.look() == []
    assert alarms(stage) == []
    router.resolve(INDEX)
    router.close()


def test_what_answers_after_a_move_is_watched_next(stage: Stage) -> None:
    watch = watch_on(stage)
    router = router_on(stage, watch)
    router.resolve(INDEX)
    watch.look()
    stage.create("v2", seed=2)
    stage.revive("v2")
    watch.serve(INDEX, stage.space("v2"))
    stage.model("v2").changed = True

    watch.look()

    assert alarms(stage) == ["v2 query-model here"]
    router.close()


def test_never_means_never(stage: Stage) -> None:
    watch = watch_on(stage, every=timedelta(0))
    router = router_on(stage, watch)
    router.resolve(INDEX)
    stage.model("v1").changed = True

    assert watch.look() == []
    router.close()


def test_the_thread_looks_by_itself_and_ends_with_its_process(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_watch, "_PATIENCE_S", 60.0)
    before = set(threading.enumerate())
    stage.model("v1").changed = True
    seen = threading.Event()
    watch = ModelWatch(
        stage.store,
        clock=stage.clock,
        host="here",
        actor=OWNER,
        settings=ProbeSettings(stops=True, delay=timedelta(milliseconds=1)),
    )
    watch.withdrawing(lambda _: seen.set())
    watch.serve(INDEX, stage.space("v1"))

    assert seen.wait(timeout=60)
    watch.close()
    assert not set(threading.enumerate()) - before
