"""Counting live queries: everything once, whatever the store does, and nobody waits for it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from repoint.domain.access import Role
from repoint.domain.errors import (
    BadInputError,
    NotPermittedError,
    RateLimitedError,
    StoreUnavailableError,
)
from repoint.domain.ids import Actor, ReleaseName
from repoint.domain.telemetry import UNKNOWN, Arm, Count, Stage, Tally
from repoint.operations import query
from repoint.operations.telemetry import Meter, meter, read, totals
from repoint.operations.telemetry.retention import TIERS, widen
from repoint.testing.stage import INDEX
from repoint.testing.stage import Stage as Theatre

V1 = ReleaseName("v1")
HOUR = timedelta(hours=1)


@pytest.fixture
def counting(stage: Theatre) -> Iterator[Meter]:
    made = Meter(stage.store, clock=stage.clock, process=stage.session.process.id)
    yield made
    made.close()


def ask(stage: Theatre, counting: Meter, text: str = "document 3", *, limit: int = 3) -> None:
    space = stage.space("v1")
    began = stage.clock.monotonic()
    hits, timings = query.ask(space, text, limit=limit, clock=stage.clock)
    answer = query.Answer(index=INDEX, release=V1, epoch=None, hits=hits, timings=timings)
    counting.answered(
        answer, space, text=text, began=began, ended=stage.clock.monotonic() + 0.004
    )


def tally(stage: Theatre, *, since: timedelta = HOUR, release: ReleaseName = V1) -> Tally:
    now = stage.clock.now()
    window = read(stage.session, INDEX, since=now - since, until=now + HOUR)
    return window.of(release, Arm.ACTIVE)


def test_every_answer_is_counted_with_its_stages(stage: Theatre, counting: Meter) -> None:
    for text in ("document 1", "document 2", "document 1"):
        ask(stage, counting, text)
    counting.flush()

    found = tally(stage)

    assert found.count(Count.QUERIES) == 3
    assert found.count(Count.EMBEDDED) == 2  # the third came from the cache
    assert found.histogram(Stage.EMBED).count == 2
    assert found.histogram(Stage.SEARCH).count == 3
    assert found.histogram(Stage.RERANK).count == 0  # there is no reranker
    assert found.histogram(Stage.TOTAL).quantile(0.5) == pytest.approx(4.0)
    assert found.count(Count.EMPTY) == found.count(Count.TOKENS) == 0


def test_errors_are_told_apart_by_whose_fault_they_are(stage: Theatre, counting: Meter) -> None:
    counting.failed(RateLimitedError("slow down"), index=INDEX, release=V1)
    counting.failed(BadInputError("no text"), index=INDEX, release=V1)
    counting.failed(KeyError("a bug"), index=INDEX, release=V1)
    counting.failed(StoreUnavailableError("gone"), index=INDEX)
    counting.flush()

    found, unknown = tally(stage), tally(stage, release=UNKNOWN)

    assert found.count(Count.QUERIES) == 3
    assert found.count(Count.FAILED) == 2
    assert found.count(Count.REFUSED) == 1
    assert found.count(Count.RATE_LIMITED) == 1
    assert found.errors == {"rate-limited": 1, "bad-input": 1, "KeyError": 1}
    assert unknown.errors == {"store-unavailable": 1}
    assert found.share(Count.FAILED) == pytest.approx(2 / 3)


def test_storing_a_period_again_counts_nothing_twice(stage: Theatre, counting: Meter) -> None:
    for _ in range(3):
        ask(stage, counting)
        counting.flush()
        counting.flush()
    assert tally(stage).count(Count.QUERIES) == 3


def test_processes_are_added_up_without_knowing_of_each_other(stage: Theatre) -> None:
    meters = [
        Meter(stage.store, clock=stage.clock, process=stage.open().process.id) for _ in "abc"
    ]
    for one in meters:
        ask(stage, one)
        one.close()
    found = tally(stage)
    assert found.count(Count.QUERIES) == 3
    assert found.histogram(Stage.TOTAL).count == 3


def test_a_window_counts_what_lies_in_it(stage: Theatre, counting: Meter) -> None:
    ask(stage, counting)
    stage.clock.advance(timedelta(minutes=5))
    ask(stage, counting)
    ask(stage, counting)
    counting.flush()
    assert tally(stage, since=timedelta(minutes=1)).count(Count.QUERIES) == 2
    assert tally(stage, since=timedelta(minutes=6)).count(Count.QUERIES) == 3


def test_tokens_and_cost_are_counted_where_the_spec_names_a_price(
    stage: Theatre, counting: Meter
) -> None:
    space = stage.space("v1")
    model = replace(space.release.spec.model, price_per_million_tokens=0.5)
    priced = replace(
        space,
        release=replace(space.release, spec=replace(space.release.spec, model=model)),
    )
    for text in ("three words here", "three words here"):
        hits, timings = query.ask(priced, text, limit=1, clock=stage.clock)
        answer = query.Answer(index=INDEX, release=V1, epoch=None, hits=hits, timings=timings)
        counting.answered(answer, priced, text=text, began=0.0, ended=0.0)
    counting.flush()

    found = tally(stage)

    assert found.count(Count.TOKENS) == 3  # the second came from the cache and cost nothing
    assert found.cost == pytest.approx(3 * 0.5 / 1_000_000)


class Deaf:
    """A store that takes nothing until it is told to."""

    def __init__(self, stage: Theatre) -> None:
        self._store = stage.store
        self.down = True

    def __getattr__(self, name: str) -> object:
        if name == "begin" and self.down:
            raise StoreUnavailableError("gone")
        return getattr(self._store, name)


def test_a_store_that_is_out_of_reach_gets_everything_later(stage: Theatre) -> None:
    store = Deaf(stage)
    counting = Meter(store, clock=stage.clock, process=stage.session.process.id)  # type: ignore[arg-type]
    ask(stage, counting)
    counting.flush()  # fails, and nobody notices
    ask(stage, counting)
    store.down = False
    counting.close()
    assert tally(stage).count(Count.QUERIES) == 2


def test_what_waited_too_long_is_counted_as_lost(stage: Theatre) -> None:
    store = Deaf(stage)
    counting = Meter(store, clock=stage.clock, process=stage.session.process.id)  # type: ignore[arg-type]
    ask(stage, counting)
    counting.flush()  # fails, and nobody notices
    stage.clock.advance(meter.PATIENCE / 2)
    ask(stage, counting)
    counting.flush()
    stage.clock.advance(meter.PATIENCE / 2 + timedelta(seconds=30))
    counting.flush()
    store.down = False
    counting.close()
    assert tally(stage).count(Count.QUERIES) == 1
    assert tally(stage, release=UNKNOWN).count(Count.LOST) == 1


def test_a_queue_that_is_full_loses_the_note_and_says_so(
    stage: Theatre, counting: Meter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meter, "MOST_NOTES", 2)
    for _ in range(5):
        ask(stage, counting)
    counting.flush()
    assert tally(stage).count(Count.QUERIES) == 2
    assert tally(stage, release=UNKNOWN).count(Count.LOST) == 3


def test_only_who_may_read_reads_telemetry(stage: Theatre) -> None:
    with stage.store.begin() as tx:
        tx.access.grant(Actor("ana"), Role.ADMIN, None)
    stranger = stage.open(Actor("eve"), is_owner=False)
    with pytest.raises(NotPermittedError):
        read(stranger, INDEX, since=stage.clock.now())
    with pytest.raises(NotPermittedError):
        totals(stranger, INDEX)


def test_old_periods_get_wider_and_no_figure_changes(stage: Theatre, counting: Meter) -> None:
    for _ in range(30):  # some days, a query now and then
        ask(stage, counting)
        counting.flush()
        stage.clock.advance(timedelta(minutes=137))
    before = totals(stage.session, INDEX).of(V1, Arm.ACTIVE).as_tree()

    with stage.store.begin() as tx:
        while widen(tx, now=stage.clock.now()):
            pass

    assert totals(stage.session, INDEX).of(V1, Arm.ACTIVE).as_tree() == before
    with stage.store.read() as view:
        left = view.telemetry.within(
            INDEX, since=stage.clock.now() - timedelta(days=9), until=stage.clock.now()
        )
    for tier in TIERS[:2]:
        ages = [
            stage.clock.now() - o.period.ends_at for o in left if o.period.width == tier.width
        ]
        assert all(age < tier.kept for age in ages)
    assert {one.period.width for one in left} <= {tier.width for tier in TIERS}


def test_a_year_of_queries_takes_a_bounded_number_of_rows(
    stage: Theatre, counting: Meter
) -> None:
    for _ in range(120):
        ask(stage, counting)
        counting.flush()
        stage.clock.advance(timedelta(days=3))
    with stage.store.begin() as tx:
        while widen(tx, now=stage.clock.now()):
            pass
        rows = tx.telemetry.within(
            INDEX, since=stage.clock.now() - timedelta(days=400), until=stage.clock.now()
        )
    assert len(rows) <= 12
    assert totals(stage.session, INDEX).of(V1, Arm.ACTIVE).count(Count.QUERIES) == 120
    assert tally(stage, since=timedelta(days=400)).count(Count.QUERIES) == len(rows)
