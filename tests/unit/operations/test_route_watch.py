"""Who follows the pointer for others is registered, waited for, and silent when cut off."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import timedelta

import pytest
from tests.unit.operations.test_routing import LEASE, Wire

from repoint.domain.errors import (
    NotFoundError,
    RefusedMoveError,
    TooManyWaitingError,
    UnconfirmedRouteError,
)
from repoint.domain.ids import Epoch, IndexName
from repoint.operations.route_watch import RouteWatch, service_route
from repoint.operations.watchers import Watcher, Watchers
from repoint.testing.clock import FrozenClock
from repoint.testing.stage import INDEX, OWNER, Stage


@pytest.fixture
def wire(promoted: Stage) -> Wire:
    return Wire(promoted.store)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def watch(promoted: Stage, wire: Wire, clock: FrozenClock) -> Iterator[RouteWatch]:
    session = dataclasses.replace(promoted.session, store=wire, clock=clock)
    made = RouteWatch(session, program="watch", lease=LEASE)
    yield made
    wire.cut = False
    made.close()


def acknowledged(stage: Stage) -> list[int]:
    with stage.store.read() as view:
        return [one.serves[INDEX] for one in view.processes.all() if INDEX in one.serves]


def test_a_route_is_collection_model_and_epoch_of_one_release(promoted: Stage) -> None:
    route = service_route(promoted.session, INDEX)
    release = promoted.release("v2")
    assert (route.release, route.epoch, route.collection) == ("v2", 2, release.collection)
    tree = route.tree()
    model = tree["model"]
    assert isinstance(model, dict)
    assert model["options"] == {"seed": 2}
    assert "api_key_env" not in model


def test_it_is_registered_at_the_epoch_that_it_read(promoted: Stage, watch: RouteWatch) -> None:
    watch.join(INDEX)
    assert watch.current(INDEX).release == "v2"
    assert acknowledged(promoted) == [2]


def test_a_move_is_known_at_once_and_acknowledged_when_it_is_said(
    promoted: Stage, watch: RouteWatch, wire: Wire
) -> None:
    watch.join(INDEX)
    promoted.rollback()
    wire.tell()
    found = watch.wait(INDEX, after=Epoch(2), seconds=30)
    assert found is not None
    assert (found.release, found.epoch) == ("v1", 3)
    assert acknowledged(promoted) == [2]
    watch.acknowledge(INDEX, Epoch(3))
    assert acknowledged(promoted) == [3]
    watch.acknowledge(INDEX, Epoch(2))
    assert acknowledged(promoted) == [3]


def test_a_wait_that_sees_no_move_gives_nothing(watch: RouteWatch) -> None:
    watch.join(INDEX)
    assert watch.wait(INDEX, after=Epoch(2), seconds=0.01) is None


def test_what_was_not_confirmed_within_the_lease_is_given_to_nobody(
    watch: RouteWatch, wire: Wire, clock: FrozenClock
) -> None:
    watch.join(INDEX)
    wire.cut = True
    clock.advance(LEASE - timedelta(seconds=1))
    assert watch.current(INDEX).release == "v2"
    clock.advance(timedelta(seconds=2))
    with pytest.raises(UnconfirmedRouteError):
        watch.current(INDEX)


def test_what_it_has_not_taken_over_is_not_confirmed(
    promoted: Stage, watch: RouteWatch, wire: Wire, clock: FrozenClock
) -> None:
    watch.join(INDEX)
    promoted.rollback()
    wire.tell()
    clock.advance(LEASE + timedelta(seconds=1))
    wire.tell()
    assert watch.unconfirmed(INDEX) is not None
    watch.acknowledge(INDEX, Epoch(3))
    assert watch.unconfirmed(INDEX) is None


def test_it_leaves_the_registry_when_it_is_closed(promoted: Stage, watch: RouteWatch) -> None:
    watch.join(INDEX)
    watch.close()
    assert acknowledged(promoted) == []


def test_an_index_that_is_not_there_is_not_followed(watch: RouteWatch) -> None:
    with pytest.raises(NotFoundError):
        watch.join(IndexName("nope"))
    assert not watch.follows(IndexName("nope"))


def test_where_nothing_was_promoted_nobody_answers(promoted: Stage, watch: RouteWatch) -> None:
    with promoted.store.begin() as tx:
        tx.indexes.create(IndexName("new"), at=promoted.clock.now())
    watch.join(IndexName("new"))
    assert watch.epoch(IndexName("new")) == 0
    with pytest.raises(RefusedMoveError):
        watch.current(IndexName("new"))
    with pytest.raises(RefusedMoveError):
        service_route(promoted.session, IndexName("new"))


def test_confirmations_given_together_are_written_together(promoted: Stage) -> None:
    watchers = Watchers(promoted.session, most=1000)
    names = [
        Watcher(actor=OWNER, name=f"w{number}", index=INDEX, address="10.0.0.1")
        for number in range(200)
    ]
    done = [watchers.confirm(one, Epoch(2), lease=LEASE) for one in names]
    for one in done:
        one.result(timeout=30)
    watchers.leave(names[0]).result(timeout=30)
    watchers.close()
    assert acknowledged(promoted) == [2] * 199


def test_a_confirmation_that_could_not_be_written_is_said(promoted: Stage, wire: Wire) -> None:
    watchers = Watchers(dataclasses.replace(promoted.session, store=wire), most=9)
    wire.cut = True
    watcher = Watcher(actor=OWNER, name="w", index=INDEX, address="10.0.0.1")
    problem = watchers.confirm(watcher, Epoch(2), lease=LEASE).exception(timeout=30)
    watchers.close()
    assert "the line is cut" in str(problem)


def test_no_more_watchers_hold_leases_than_may(promoted: Stage) -> None:
    watchers = Watchers(promoted.session, most=2)
    one, two, three = (
        Watcher(actor=OWNER, name=name, index=INDEX, address="10.0.0.1") for name in "abc"
    )
    for watcher in (one, two, one):
        watchers.confirm(watcher, Epoch(2), lease=LEASE).result(timeout=30)
    with pytest.raises(TooManyWaitingError):
        watchers.confirm(three, Epoch(2), lease=LEASE)
    watchers.leave(one).result(timeout=30)
    watchers.confirm(three, Epoch(2), lease=LEASE).result(timeout=30)
    promoted.clock.advance(LEASE)
    watchers.confirm(one, Epoch(2), lease=LEASE).result(timeout=30)
    watchers.close()
