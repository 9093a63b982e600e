"""A route is one release at one epoch, and a process that cannot confirm it answers no more."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta

import pytest

from repoint.domain.errors import (
    NotFoundError,
    RefusedMoveError,
    StoreUnavailableError,
    UnconfirmedRouteError,
)
from repoint.domain.ids import Epoch, IndexName
from repoint.domain.release import Release
from repoint.operations.routing import Router
from repoint.operations.spaces import Space, Spaces
from repoint.ports.store import ChangeFeed, Store, Transaction
from repoint.testing.clock import FrozenClock
from repoint.testing.stage import INDEX, Stage, document

LEASE = timedelta(seconds=10)


class ToldFeed:
    """A feed that reports a change whenever the test says so."""

    def __init__(self) -> None:
        self.news = threading.Semaphore(0)
        self.looked = threading.Semaphore(0)
        self.closed = threading.Event()

    def changed(self, *, timeout: float) -> bool:
        del timeout
        self.looked.release()
        return self.news.acquire(timeout=0.02)

    def close(self) -> None:
        """Hold nothing."""
        self.closed.set()


class Wire:
    """The store as one process reaches it: the line may be cut."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.cut = False
        self.feed = ToldFeed()
        self.before_begin: Callable[[], None] = lambda: None

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        self._reach()
        act, self.before_begin = self.before_begin, lambda: None
        act()
        with self._store.begin() as tx:
            yield tx

    def read(self) -> AbstractContextManager[Transaction]:
        self._reach()
        return self._store.read()

    def watch(self) -> ChangeFeed:
        return self.feed

    def scrub(self, traces: Sequence[str]) -> frozenset[str] | None:
        return self._store.scrub(traces)

    def close(self) -> None:
        self._store.close()

    def _reach(self) -> None:
        if self.cut:
            raise StoreUnavailableError("the line is cut")

    def tell(self) -> None:
        """Report a change, and return once the watcher has dealt with it."""
        while self.feed.looked.acquire(blocking=False):
            pass
        self.feed.news.release()
        for _ in range(2):
            assert self.feed.looked.acquire(timeout=30)


@pytest.fixture
def wire(promoted: Stage) -> Wire:
    return Wire(promoted.store)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def router(promoted: Stage, wire: Wire, clock: FrozenClock) -> Iterator[Router]:
    router = Router(
        wire,
        Spaces(promoted.drivers),
        clock=clock,
        process=promoted.open().process,
        lease=LEASE,
    )
    yield router
    wire.cut = False
    router.close()


def test_a_route_carries_release_epoch_and_its_own_model(
    promoted: Stage, router: Router
) -> None:
    route = router.resolve(INDEX)
    assert (route.release, route.epoch) == ("v2", 2)
    assert route.collection == promoted.release("v2").collection
    wanted = promoted.space("v2").embedding.query("two words").values.tolist()
    assert route.embed_query("two words") == wanted
    assert router.resolve(INDEX) is route


def test_it_is_registered_with_its_epoch_before_its_first_answer(
    promoted: Stage, router: Router
) -> None:
    router.resolve(INDEX)
    with promoted.store.read() as view:
        assert [one.serves for one in view.processes.all() if one.serves] == [{INDEX: 2}]


def test_a_move_replaces_the_route_and_is_acknowledged(
    promoted: Stage, router: Router, wire: Wire
) -> None:
    before = router.resolve(INDEX)
    promoted.rollback()
    wire.tell()
    after = router.resolve(INDEX)
    assert (before.release, after.release, after.epoch) == ("v2", "v1", 3)
    assert before.space.release.fingerprint != after.space.release.fingerprint
    with promoted.store.read() as view:
        assert Epoch(3) in {one.serves.get(INDEX) for one in view.processes.all()}


def test_a_process_that_cannot_confirm_answers_until_its_lease_ends_and_no_longer(
    router: Router, wire: Wire, clock: FrozenClock
) -> None:
    router.resolve(INDEX)
    wire.cut = True
    clock.advance(LEASE - timedelta(milliseconds=1))
    router.resolve(INDEX)
    clock.advance(timedelta(milliseconds=1))
    with pytest.raises(UnconfirmedRouteError) as caught:
        router.resolve(INDEX)
    assert caught.value.retryable


def test_it_answers_again_once_it_has_confirmed(
    router: Router, wire: Wire, clock: FrozenClock
) -> None:
    router.resolve(INDEX)
    wire.cut = True
    clock.advance(LEASE)
    with pytest.raises(UnconfirmedRouteError):
        router.resolve(INDEX)
    wire.cut = False
    wire.tell()
    wire.tell()
    assert router.resolve(INDEX).epoch == 2


def test_it_answers_at_the_new_epoch_when_it_missed_a_move(
    promoted: Stage, router: Router, wire: Wire, clock: FrozenClock
) -> None:
    router.resolve(INDEX)
    wire.cut = True
    promoted.rollback()
    clock.advance(LEASE)
    with pytest.raises(UnconfirmedRouteError):
        router.resolve(INDEX)
    wire.cut = False
    wire.tell()
    wire.tell()
    assert router.resolve(INDEX).release == "v1"


def test_a_move_between_reading_the_pointer_and_registering_is_not_missed(
    promoted: Stage, router: Router, wire: Wire
) -> None:
    router.announce()
    wire.tell()

    def a_move_comes_between() -> None:
        promoted.rollback()
        wire.tell()

    wire.before_begin = a_move_comes_between
    router.resolve(INDEX)
    assert router.resolve(INDEX).epoch == 3


def test_serving_another_index_confirms_nothing_of_the_first(
    promoted: Stage, router: Router, clock: FrozenClock
) -> None:
    with promoted.store.begin() as tx:
        tx.indexes.create(IndexName("other"), at=promoted.clock.now())
    router.resolve(INDEX)
    promoted.rollback()  # and the watcher hears nothing of it
    clock.advance(LEASE - timedelta(milliseconds=1))
    with pytest.raises(RefusedMoveError, match="nothing was promoted"):
        router.resolve(IndexName("other"))
    clock.advance(timedelta(milliseconds=1))
    try:
        epoch = router.resolve(INDEX).epoch
    except UnconfirmedRouteError:
        return
    assert epoch == 3


def test_an_index_that_is_not_there_is_not_found(router: Router) -> None:
    with pytest.raises(NotFoundError):
        router.resolve(IndexName("nowhere"))
    assert router.serves() == {}


def test_a_router_that_was_closed_left_the_registry(promoted: Stage, router: Router) -> None:
    router.resolve(INDEX)
    router.close()
    with promoted.store.read() as view:
        assert [one for one in view.processes.all() if one.serves] == []


def test_closing_waits_for_a_route_that_is_being_opened(
    promoted: Stage, router: Router, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it opens with is closed after it: it must not be at it any more."""
    router.resolve(INDEX)
    begun, opened, left = threading.Event(), threading.Event(), list[bool]()
    real = Spaces.open

    def held(spaces: Spaces, release: Release) -> Space:
        begun.set()
        wire.feed.closed.wait(30)  # the router is being closed
        try:
            return real(spaces, release)
        finally:
            opened.set()

    promoted.rollback()
    monkeypatch.setattr(Spaces, "open", held)
    wire.tell()
    assert begun.wait(30)
    wire.before_begin = lambda: left.append(opened.is_set())
    router.close()
    assert left == [True]


def test_a_field_that_came_later_is_known_after_a_fresh_look(
    promoted: Stage, router: Router
) -> None:
    assert "year" not in router.fields(INDEX)
    promoted.write({"dated": document("dated", "text", year=1999)})
    assert "year" not in router.fields(INDEX)
    assert "year" in router.fields(INDEX, fresh=True)
    assert "year" in router.fields(INDEX)


def test_a_process_that_was_swept_registers_again(
    promoted: Stage, router: Router, wire: Wire, clock: FrozenClock
) -> None:
    router.resolve(INDEX)
    with promoted.store.begin() as tx:
        for one in tx.processes.all():
            tx.processes.remove(one.id)
    clock.advance(LEASE / 2)
    wire.tell()
    wire.tell()
    with promoted.store.read() as view:
        assert [one.serves for one in view.processes.all() if one.serves] == [{INDEX: 2}]
