"""Tombstones go when every live release has passed them and their retention is over."""

from datetime import timedelta

import pytest

from repoint.domain.errors import BadInputError
from repoint.domain.ids import ReleaseName
from repoint.domain.release import Release, ReleaseState
from repoint.operations.spaces import Spaces
from repoint.operations.sync import Limits, purge_tombstones, sync
from repoint.testing.workbench import INDEX, WORKER, BenchDrivers, Workbench

LIMITS = Limits(range_rows=4, ranges=3, slab_texts=6, hands=1)
LONG = "one two three four five six seven eight nine ten eleven twelve"
WEEK = timedelta(days=7)


def bring(bench: Workbench, release: Release | None = None) -> None:
    space = bench.space(release)
    sync(bench.store, space, owner=WORKER, clock=bench.clock, limits=LIMITS)


def purge(bench: Workbench) -> int:
    spaces = Spaces(BenchDrivers(bench))
    return purge_tombstones(bench.store, spaces, INDEX, clock=bench.clock, retention=WEEK)


def test_a_tombstone_past_its_retention_leaves_log_and_collections(bench: Workbench) -> None:
    bench.write({"a": LONG, "b": LONG, "c": "kept"})
    bring(bench)
    bench.write({"a": None, "b": None})
    bring(bench)
    bench.clock.sleep(WEEK.total_seconds() + 1)
    assert purge(bench) == 2
    assert [row.id for row in bench.rows()] == ["c"]
    # The slots of the newest stay for the next purge: they lie at the boundary.
    assert bench.collection().counts().emptied <= 3
    assert bench.differences() == []
    assert purge(bench) == 0


def test_a_tombstone_within_its_retention_stays(bench: Workbench) -> None:
    bench.write({"a": LONG})
    bench.write({"a": None})
    bring(bench)
    bench.clock.sleep(WEEK.total_seconds() - 1)
    assert purge(bench) == 0


def test_a_tombstone_that_a_live_release_has_not_passed_stays(bench: Workbench) -> None:
    other = bench.add_release(ReleaseName("r2"), chunk=40)
    bench.write({"a": LONG})
    bring(bench)
    bring(bench, other)
    bench.write({"a": None})
    bring(bench)
    bench.clock.sleep(WEEK.total_seconds() * 2)
    assert purge(bench) == 0
    bring(bench, other)
    assert purge(bench) == 1
    assert bench.differences(other) == []


def test_a_retired_release_holds_no_tombstone_back(bench: Workbench) -> None:
    other = bench.add_release(ReleaseName("r2"), chunk=40)
    with bench.store.begin() as tx:
        tx.releases.set_state(INDEX, other.name, ReleaseState.RETIRED)
    bench.write({"a": LONG})
    bench.write({"a": None})
    bring(bench)
    bench.clock.sleep(WEEK.total_seconds() * 2)
    assert purge(bench) == 1


def test_a_document_that_came_back_is_not_purged(bench: Workbench) -> None:
    bench.write({"a": LONG})
    bring(bench)
    bench.write({"a": None})
    bring(bench)
    bench.clock.sleep(WEEK.total_seconds() * 2)
    bench.write({"a": "back again", "b": None})
    bring(bench)
    assert purge(bench) == 0
    assert list(bench.texts()) == ["a"]


def test_a_retention_shorter_than_a_late_write_may_take_is_refused(bench: Workbench) -> None:
    with pytest.raises(BadInputError):
        purge_tombstones(
            bench.store,
            Spaces(BenchDrivers(bench)),
            INDEX,
            clock=bench.clock,
            retention=timedelta(minutes=1),
        )
