"""Indexes are brought up to date when it is worth it, and not for each small catch-up."""

from dataclasses import replace

import pytest

from repoint.domain.errors import BackendUnavailableError
from repoint.operations.sync import Limits, Upkeep, sync
from repoint.ports.backend import Collection, Counts
from repoint.testing.faults import Fuse, FusedCollection
from repoint.testing.workbench import WORKER, Workbench

LIMITS = Limits(hands=1, range_rows=10, slab_texts=10, optimise_rows=50, optimise_puts=8)


class Tended(FusedCollection):
    """Counts how often it is optimised, and claims to have that much without an index."""

    def __init__(self, collection: Collection, *, unindexed: int | None = None) -> None:
        super().__init__(collection, Fuse(1_000_000, after=False))
        self.optimised = self.put_together = 0
        self._unindexed = unindexed

    def optimise(self, *, for_search: bool = True) -> None:
        if for_search:
            self.optimised += 1
        else:
            self.put_together += 1

    def counts(self) -> Counts:
        return Counts(documents=0, chunks=0, unindexed=self._unindexed)


def bring(bench: Workbench, tended: Tended, upkeep: Upkeep | None = None) -> None:
    sync(
        bench.store,
        bench.space(collection=tended),
        owner=WORKER,
        clock=bench.clock,
        limits=LIMITS,
        upkeep=upkeep,
    )


@pytest.mark.parametrize(("rows", "times"), [(49, 0), (50, 1), (79, 1)])
def test_a_backfill_is_optimised_once_at_its_end(
    bench: Workbench, rows: int, times: int
) -> None:
    tended = Tended(bench.collection())
    bench.write({f"d{n}": f"words {n}" for n in range(rows)})
    bring(bench, tended)
    assert tended.optimised == times


def test_a_long_backfill_is_put_together_under_way_and_indexed_only_at_its_end(
    bench: Workbench,
) -> None:
    tended = Tended(bench.collection())
    bench.write({f"d{n}": f"words {n}" for n in range(161)})
    windows = replace(LIMITS, ranges=8)
    sync(
        bench.store,
        bench.space(collection=tended),
        owner=WORKER,
        clock=bench.clock,
        limits=windows,
    )
    assert (tended.put_together, tended.optimised) == (2, 1)


def test_rounds_of_a_long_backfill_become_rarer_and_never_rare(bench: Workbench) -> None:
    tended, upkeep = Tended(bench.collection()), Upkeep()
    rounds: list[int] = []
    for put in range(1, 151):
        upkeep.wrote(10)
        before = tended.put_together
        upkeep.under_way(tended, LIMITS)
        if tended.put_together > before:
            rounds.append(put)
    # Half of all writes, at least 8 and at most 4 times that.
    assert rounds == [8, 16, 32, 64, 96, 128]


def test_small_catch_ups_pile_up_before_one_pays(bench: Workbench) -> None:
    tended, upkeep = Tended(bench.collection()), Upkeep()
    for turn in range(1, 17):
        bench.write({"d": f"version {turn}"})
        bring(bench, tended, upkeep)
        assert tended.optimised == turn // 8


def test_much_without_an_index_is_noticed_before_that(bench: Workbench) -> None:
    limits_reached = Upkeep()
    tended = Tended(bench.collection(), unindexed=20_000)
    limits = Limits(hands=1)
    for turn in range(32):
        bench.write({"d": f"version {turn}"})
        sync(
            bench.store,
            bench.space(collection=tended),
            owner=WORKER,
            clock=bench.clock,
            limits=limits,
            upkeep=limits_reached,
        )
    assert tended.optimised == 1


class Busy(Tended):
    """Cannot be optimised the first time: other writers are in its way."""

    def optimise(self, *, for_search: bool = True) -> None:
        super().optimise(for_search=for_search)
        if self.optimised == 1:
            raise BackendUnavailableError("other writers are in its way")


def test_what_cannot_be_brought_up_to_date_now_is_next_time(bench: Workbench) -> None:
    busy, upkeep = Busy(bench.collection()), Upkeep()
    bench.write({f"d{n}": f"words {n}" for n in range(60)})
    bring(bench, busy, upkeep)
    assert bench.watermark() == bench.head()
    bench.write({"one": "more"})
    bring(bench, busy, upkeep)
    assert busy.optimised == 2
