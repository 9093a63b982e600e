"""A follower keeps every live release in step, shows what fails, and ends promptly."""

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from repoint.domain.errors import MissingModelError, RateLimitedError, UnavailableError
from repoint.domain.ids import ProcessId, ReleaseName
from repoint.domain.release import Release, ReleaseState
from repoint.operations.spaces import Spaces
from repoint.operations.sync import Follower, Limits, sync
from repoint.operations.sync.follow import patience
from repoint.ports.backend import FloatMatrix
from repoint.ports.embedder import Purpose
from repoint.testing.workbench import INDEX, RELEASE, WORKER, BenchDrivers, Workbench
from repoint.wiring.clock import SystemClock

LIMITS = Limits(range_rows=8, ranges=3)
#: Only a broken follower gets near it.
ENOUGH = 60.0


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    with Workbench(tmp_path, clock=SystemClock()) as bench:
        yield bench


@pytest.fixture
def follower(bench: Workbench) -> Iterator[Follower]:
    follower = following(bench)
    yield follower
    follower.close()


def following(
    bench: Workbench, owner: str = "follower", spaces: Spaces | None = None
) -> Follower:
    follower = Follower(
        bench.store,
        spaces or Spaces(BenchDrivers(bench)),
        index=INDEX,
        owner=ProcessId(owner),
        clock=bench.clock,
        limits=LIMITS,
    )
    follower.start()
    return follower


def until(bench: Workbench, reached: Callable[[], bool]) -> None:
    """Return when it is so, looking again after every commit."""
    deadline = bench.clock.monotonic() + ENOUGH
    feed = bench.store.watch()
    while not reached():
        assert bench.clock.monotonic() < deadline, "it never came to that"
        feed.changed(timeout=0.05)
    feed.close()


def in_step(bench: Workbench, release: Release | None = None) -> Callable[[], bool]:
    return lambda: bench.watermark(release) == bench.head()


def test_writes_reach_the_collection_by_themselves(
    bench: Workbench, follower: Follower
) -> None:
    bench.write({"a": "words", "b": "more"})
    until(bench, in_step(bench))
    bench.write({"a": None})
    follower.wake()
    until(bench, in_step(bench))
    assert bench.differences() == []


def test_a_release_that_becomes_live_is_followed(bench: Workbench, follower: Follower) -> None:
    bench.write({"a": "words"})
    other = bench.add_release(ReleaseName("r2"), chunk=40)
    until(bench, in_step(bench, other))
    assert bench.differences(other) == []
    assert not follower.last_error


def test_two_followers_do_each_others_work_no_harm(bench: Workbench) -> None:
    followers = [following(bench, f"f{n}") for n in range(2)]
    for turn in range(10):
        bench.write({f"d{n}": f"turn {turn} of {n}" for n in range(turn, turn + 10)})
    until(bench, in_step(bench))
    for follower in followers:
        follower.close()
    assert bench.differences() == []


def test_a_lane_steps_back_while_somebody_syncs_by_hand(bench: Workbench) -> None:
    spaces = Spaces(BenchDrivers(bench))
    with spaces.by_hand.on(INDEX, RELEASE):
        follower = following(bench, spaces=spaces)
        bench.write({f"d{n}": f"words {n}" for n in range(100)})
        follower.wake()
        report = sync(
            bench.store, bench.space(), owner=WORKER, clock=bench.clock, limits=LIMITS
        )
        assert report.rows == 100  # a lane at work would have taken some of them
        bench.write({"later": "more"})
    until(bench, in_step(bench))
    follower.close()
    assert bench.differences() == []


def test_a_lane_that_has_begun_gives_its_work_to_who_syncs_by_hand(bench: Workbench) -> None:
    spaces = Spaces(BenchDrivers(bench))
    bench.write({f"d{n}": f"words {n}" for n in range(100)})
    follower = following(bench, spaces=spaces)
    with spaces.by_hand.on(INDEX, RELEASE):
        report = sync(
            bench.store, bench.space(), owner=WORKER, clock=bench.clock, limits=LIMITS
        )
        assert report.complete
        assert bench.differences() == []
    follower.close()


def test_closing_ends_a_lane_that_waits_for_somebody_else(bench: Workbench) -> None:
    spaces = Spaces(BenchDrivers(bench))
    with spaces.by_hand.on(INDEX, RELEASE):
        follower = following(bench, spaces=spaces)
        bench.write({"a": "words"})
        follower.wake()
        follower.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("repoint-lane")]


def test_a_failure_is_shown_until_it_is_over(bench: Workbench) -> None:
    bench.embedder.fails = [UnavailableError("the provider is away")]
    bench.write({"a": "words"})
    follower = following(bench)
    until(bench, lambda: bool(follower.last_error) or in_step(bench)())
    until(bench, in_step(bench))
    until(bench, lambda: not follower.last_error)
    follower.close()
    assert bench.differences() == []


def test_a_bug_does_not_end_a_lane(bench: Workbench) -> None:
    bench.embedder.fails = [ZeroDivisionError("a bug")]
    bench.write({"a": "words"})
    follower = following(bench)
    until(bench, in_step(bench))
    follower.close()


def test_a_paused_release_is_left_alone_until_it_is_resumed(bench: Workbench) -> None:
    with bench.store.begin() as tx:
        tx.releases.set_pace(INDEX, RELEASE, paused=True, throttle=None)
    other = bench.add_release(ReleaseName("r2"), chunk=40)
    follower = following(bench)
    bench.write({"a": "words"})
    until(bench, in_step(bench, other))
    assert bench.watermark() == 0
    with bench.store.begin() as tx:
        tx.releases.set_pace(INDEX, RELEASE, paused=False, throttle=None)
    until(bench, in_step(bench))
    follower.close()


def test_a_retired_release_is_followed_no_longer(bench: Workbench, follower: Follower) -> None:
    until(bench, in_step(bench))
    other = bench.add_release(ReleaseName("r2"), chunk=40)
    with bench.store.begin() as tx:
        tx.releases.set_state(INDEX, RELEASE, ReleaseState.RETIRED)
    bench.write({"a": "words"})
    until(bench, in_step(bench, other))
    assert bench.watermark() == 0
    assert not follower.last_error


def test_closing_ends_every_thread_even_in_the_middle_of_a_backfill(bench: Workbench) -> None:
    before = set(threading.enumerate())
    bench.write({f"d{n}": f"words {n}" for n in range(2_000)})
    follower = following(bench)
    until(bench, lambda: len(bench.embedder.embedded) > 0)
    follower.close()
    follower.close()
    assert not set(threading.enumerate()) - before


def test_closing_waits_for_the_lane_of_a_release_that_was_retired_meanwhile(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go, embed = threading.Event(), threading.Event(), bench.embedder.embed

    def held(texts: Sequence[str], *, purpose: Purpose) -> FloatMatrix:
        begun.set()
        go.wait(ENOUGH)
        return embed(texts, purpose=purpose)

    monkeypatch.setattr(bench.embedder, "embed", held)
    bench.write({"a": "words"})
    follower = following(bench)
    assert begun.wait(ENOUGH)
    with bench.store.begin() as tx:
        tx.releases.set_state(INDEX, RELEASE, ReleaseState.RETIRED)
    until(bench, lambda: RELEASE not in follower._lanes)  # noqa: SLF001 - its lane is let go of
    closing = threading.Thread(target=follower.close)
    closing.start()
    closing.join(0.05)
    assert closing.is_alive()
    go.set()
    closing.join(ENOUGH)
    assert not closing.is_alive()


def test_patience_grows_is_bounded_and_does_what_a_provider_asks() -> None:
    away = UnavailableError("away")
    waits = [patience(away, n) for n in range(1, 30)]
    assert waits == sorted(waits)
    assert waits[-1] == 60.0
    asked = RateLimitedError("slow down", retry_after=timedelta(seconds=90))
    assert patience(asked, 1) == 90.0
    endless = RateLimitedError("go away", retry_after=timedelta(days=9))
    assert patience(endless, 1) == 900.0
    assert patience(MissingModelError(model="m", why="gone"), 1) >= 10.0
