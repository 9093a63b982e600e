"""Sync brings a collection from its watermark to the head, pays once, and stops cleanly."""

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from repoint.domain.errors import FrozenError, NotFoundError, UnavailableError
from repoint.domain.ids import Actor, ProcessId
from repoint.domain.operation import Freeze
from repoint.domain.release import ReleaseState
from repoint.operations.sync import Limits, Progress, Stopped, SyncReport, sync
from repoint.testing.store import at_once
from repoint.testing.workbench import INDEX, RELEASE, WORKER, Workbench
from repoint.wiring.clock import SystemClock

SMALL = Limits(range_rows=4, ranges=3, slab_texts=6)
LONG = "one two three four five six seven eight nine ten eleven twelve"


def bring(bench: Workbench, limits: Limits = SMALL, **options: object) -> SyncReport:
    return sync(
        bench.store,
        bench.space(),
        owner=WORKER,
        clock=bench.clock,
        limits=limits,
        **options,  # type: ignore[arg-type]  # each test passes what sync takes
    )


def corpus(size: int, *, start: int = 0) -> dict[str, str | None]:
    return {f"d{n}": f"document {n} " + LONG[: n % 50] for n in range(start, start + size)}


@pytest.mark.parametrize("hands", [1, 4])
def test_a_backfill_makes_the_collection_equal_to_the_log(bench: Workbench, hands: int) -> None:
    head = bench.write(corpus(100))
    report = bring(bench, replace(SMALL, hands=hands))
    assert bench.differences() == []
    assert report.watermark == head == bench.watermark()
    assert report.rows == 100
    assert report.complete
    assert report.stopped is None


def test_an_empty_log_needs_nothing(bench: Workbench) -> None:
    report = bring(bench)
    assert (report.rows, report.watermark, report.complete) == (0, 0, True)


def test_edits_and_deletes_reach_the_collection(bench: Workbench) -> None:
    bench.write(corpus(20))
    bring(bench)
    bench.write({"d1": LONG * 3, "d2": "short", "d3": None, "d4": "", "new": LONG})
    report = bring(bench)
    assert bench.differences() == []
    assert (report.rows, report.tombstones) == (5, 1)
    assert "d3" not in bench.texts()
    assert "d4" not in bench.texts()


def test_a_document_that_shrank_leaves_no_chunk_behind(bench: Workbench) -> None:
    bench.write({"d": LONG * 3})
    bring(bench)
    bench.write({"d": "short"})
    bring(bench)
    assert bench.differences() == []
    assert len(bench.texts()["d"]) == 1


def test_rows_superseded_many_times_still_fill_windows(bench: Workbench) -> None:
    for _ in range(30):
        bench.write(corpus(3))
        bench.write({f"d{n}": f"again {n}" for n in range(3)})
    bring(bench)
    assert bench.differences() == []


def test_what_did_not_change_is_not_embedded_again(bench: Workbench) -> None:
    bench.write({"d": LONG})
    bring(bench)
    before = len(bench.embedder.embedded)
    bench.write({"d": LONG + " and more words at the very end of it"})
    report = bring(bench)
    assert bench.differences() == []
    assert report.reused > 0
    assert report.embedded == len(bench.embedder.embedded) - before
    assert report.embedded < len(bench.texts()["d"])


def test_equal_texts_in_one_slab_are_embedded_once(bench: Workbench) -> None:
    bench.write(dict.fromkeys(("a", "b", "c"), "the same words"))
    report = bring(bench)
    assert bench.differences() == []
    assert bench.embedder.embedded == ["the same words"]
    assert report.embedded == 1


@pytest.mark.parametrize("calls", [1, 3, 4, 7])
def test_a_retry_after_an_outage_embeds_nothing_twice(tmp_path: Path, calls: int) -> None:
    with Workbench(tmp_path, batch=2) as bench:
        bench.write({f"d{n}": f"words of {n}" for n in range(40)})
        bench.embedder.survives = calls
        with pytest.raises(UnavailableError):
            bring(bench, replace(SMALL, hands=1, range_rows=20, slab_texts=8))
        assert len(bench.embedder.embedded) == 2 * calls
        bring(bench)
        assert bench.differences() == []
        assert len(bench.embedder.embedded) == 40


def test_a_document_of_many_batches_is_whole_or_absent(tmp_path: Path) -> None:
    with Workbench(tmp_path, batch=2) as bench:
        bench.write({"a": "first", "b": LONG * 3, "c": "last"})
        bench.embedder.survives = 2
        with pytest.raises(UnavailableError):
            bring(bench, replace(SMALL, hands=1))
        assert list(bench.texts()) == ["a"]
        bring(bench)
        assert bench.differences() == []


def test_an_outage_gives_the_leases_back_and_the_next_call_resumes(bench: Workbench) -> None:
    bench.write(corpus(40))
    bench.embedder.fails = [UnavailableError("the provider is away")]
    with pytest.raises(UnavailableError):
        bring(bench, replace(SMALL, hands=3))
    other = sync(
        bench.store, bench.space(), owner=ProcessId("other"), clock=bench.clock, limits=SMALL
    )
    assert other.complete
    assert bench.differences() == []


def test_a_stop_ends_between_batches_and_loses_nothing(bench: Workbench) -> None:
    bench.write(corpus(60))
    stop = threading.Event()

    def after_some(progress: Progress) -> None:
        if progress.done > 10:
            stop.set()

    report = bring(bench, replace(SMALL, hands=1), progress=after_some, stop=stop.is_set)
    if report.stopped is not None:
        assert report.stopped is Stopped.ASKED
        assert not report.complete
    bring(bench)
    assert bench.differences() == []


def test_a_stop_before_the_first_batch_writes_nothing(bench: Workbench) -> None:
    bench.write(corpus(5))
    report = bring(bench, stop=lambda: True)
    assert report.stopped is Stopped.ASKED
    assert bench.texts() == {}
    assert report.watermark == 0


def test_a_budget_is_never_exceeded_and_what_was_paid_is_kept(tmp_path: Path) -> None:
    with Workbench(tmp_path, batch=4) as bench:
        bench.write({f"d{n}": f"alpha beta gamma n{n}" for n in range(30)})
        spent, rounds, report = 0, 0, None
        while report is None or not report.complete:
            report = bring(bench, replace(SMALL, hands=1, budget_tokens=40))
            assert report.tokens <= 40
            assert report.stopped in (Stopped.BUDGET, None)
            spent, rounds = spent + report.tokens, rounds + 1
        assert rounds >= 3
        assert spent == 30 * 4
        assert bench.differences() == []


def test_a_paused_release_stops_and_goes_on_when_resumed(bench: Workbench) -> None:
    bench.write(corpus(10))
    with bench.store.begin() as tx:
        tx.releases.set_pace(INDEX, RELEASE, paused=True, throttle=None)
    assert bring(bench).stopped is Stopped.PAUSED
    assert bench.texts() == {}
    with bench.store.begin() as tx:
        tx.releases.set_pace(INDEX, RELEASE, paused=False, throttle=None)
    assert bring(bench).complete


def test_a_pause_that_must_not_be_heeded_is_not(bench: Workbench) -> None:
    bench.write(corpus(10))
    with bench.store.begin() as tx:
        tx.releases.set_pace(INDEX, RELEASE, paused=True, throttle=0.001)
    # With more hands one may find all ranges taken, and rest on the same clock.
    assert bring(bench, replace(SMALL, hands=1, heed_pace=False)).complete
    assert bench.clock.monotonic() == 0


def test_a_throttle_spreads_rows_over_time(bench: Workbench) -> None:
    bench.write(corpus(41))
    with bench.store.begin() as tx:
        tx.releases.set_pace(INDEX, RELEASE, paused=False, throttle=4.0)
    report = bring(bench, replace(SMALL, hands=1))
    assert report.complete
    assert report.seconds == pytest.approx(10.0, abs=1.5)


def test_a_frozen_index_refuses_the_backfill_of_what_does_not_answer(bench: Workbench) -> None:
    bench.write(corpus(10))
    freeze(bench)
    with pytest.raises(FrozenError):
        bring(bench)
    assert bench.texts() == {}


def test_a_freeze_midway_stops_cleanly(bench: Workbench) -> None:
    bench.write(corpus(60))
    with bench.store.begin() as tx:
        tx.releases.set_pace(INDEX, RELEASE, paused=False, throttle=8.0)

    def once(_: Progress) -> None:
        freeze(bench)

    report = bring(bench, replace(SMALL, hands=1), progress=once)
    assert report.stopped is Stopped.FROZEN
    assert 0 < report.rows < 60


def test_a_retired_release_is_not_kept_in_step(bench: Workbench) -> None:
    bench.write(corpus(3))
    with bench.store.begin() as tx:
        tx.releases.set_state(INDEX, RELEASE, ReleaseState.RETIRED)
    with pytest.raises(NotFoundError):
        bring(bench)


def test_a_poison_document_becomes_a_dead_letter_and_the_rest_goes_on(bench: Workbench) -> None:
    bench.write({"good": "fine words", "bad": "poison", "other": "more words"})
    report = bring(bench)
    assert report.dead_letters == 1
    assert report.complete
    assert sorted(bench.texts()) == ["good", "other"]
    assert bench.differences() == []
    assert letters(bench) == {"bad": ("input-rejected", 1)}


def test_a_poison_edit_is_not_served_in_its_older_version(bench: Workbench) -> None:
    bench.write({"d": LONG * 2})
    bring(bench)
    bench.write({"d": LONG + " poison"})
    bring(bench)
    assert bench.texts() == {}
    assert letters(bench) == {"d": ("input-rejected", 1)}


def test_a_later_version_that_succeeds_clears_the_letter(bench: Workbench) -> None:
    bench.write({"d": "poison"})
    bring(bench)
    bench.write({"d": "healthy"})
    bring(bench)
    assert letters(bench) == {}
    assert bench.differences() == []


def test_deleting_a_poison_document_clears_its_letter(bench: Workbench) -> None:
    bench.write({"d": "poison"})
    bring(bench)
    bench.write({"d": None})
    bring(bench)
    assert letters(bench) == {}


def test_progress_counts_up_to_all_rows(bench: Workbench) -> None:
    seen: list[Progress] = []
    bench.write(corpus(30))
    bring(bench, progress=seen.append)
    assert seen[-1].done == seen[-1].total == 30
    assert [p.done for p in seen] == sorted(p.done for p in seen)


def test_two_processes_share_one_backfill(tmp_path: Path) -> None:
    # In real time: on a clock that leaps, whoever waits would end the leases of who works.
    with Workbench(tmp_path, clock=SystemClock()) as bench:
        bench.write(corpus(200))

        def work(name: str) -> SyncReport:
            space, owner = bench.space(), ProcessId(name)
            return sync(bench.store, space, owner=owner, clock=bench.clock, limits=SMALL)

        reports = at_once([partial(work, name) for name in ("p0", "p1")])
        assert bench.differences() == []
        assert all(report.complete for report in reports)


def test_an_error_in_any_thread_is_the_one_raised(bench: Workbench) -> None:
    bench.write(corpus(60))

    class BrokenError(Exception):
        pass

    bench.embedder.fails = [BrokenError("a bug")]
    before = set(threading.enumerate())
    with pytest.raises(BrokenError):
        bring(bench, replace(SMALL, hands=4))
    assert not set(threading.enumerate()) - before


def test_the_ranges_of_a_dead_process_are_taken_when_its_lease_runs_out(
    bench: Workbench,
) -> None:
    head = bench.write(corpus(30))
    with bench.store.begin() as tx:
        bounds = tx.log.bounds(INDEX, above=bench.watermark(), upto=head, every=10)
        tx.catchup.open_window(INDEX, RELEASE, bounds=bounds, high=head)
        now = bench.clock.now()
        until = now + SMALL.lease
        assert tx.catchup.lease(INDEX, RELEASE, owner=ProcessId("x"), now=now, until=until)
    report = bring(bench, replace(SMALL, hands=1))
    assert report.complete
    assert bench.clock.now() >= until
    assert bench.differences() == []


def freeze(bench: Workbench) -> None:
    with bench.store.begin() as tx:
        tx.indexes.freeze(
            INDEX, Freeze(actor=Actor("ann"), reason="it burns", at=bench.clock.now())
        )


def letters(bench: Workbench) -> dict[str, tuple[str, int]]:
    with bench.store.read() as view:
        found = view.dead_letters.all(INDEX, RELEASE)
    return {one.document: (one.code, one.attempts) for one in found}


def test_a_throttle_that_is_lifted_is_waited_for_no_longer(bench: Workbench) -> None:
    bench.write(corpus(20))
    with bench.store.begin() as tx:
        tx.releases.set_pace(INDEX, RELEASE, paused=False, throttle=0.001)
    report = bring(bench, replace(SMALL, hands=1), stop=lifting(bench, after=3.0))
    assert report.complete
    assert bench.clock.monotonic() < 60


def lifting(bench: Workbench, *, after: float) -> Callable[[], bool]:
    """Lift the throttle, as another process would, once the clock has moved on."""

    def look() -> bool:
        if bench.clock.monotonic() > after:
            with bench.store.begin() as tx:
                tx.releases.set_pace(INDEX, RELEASE, paused=False, throttle=None)
        return False

    return look
