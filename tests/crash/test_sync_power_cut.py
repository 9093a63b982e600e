"""A power cut at any call of a sync loses nothing; no watermark falls (INV-2, INV-3)."""

from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from repoint.domain.ids import ProcessId
from repoint.operations.sync import Limits, apply_deletes_first, apply_now, sync
from repoint.testing.faults import (
    Fuse,
    FusedCollection,
    FusedEmbedder,
    FusedStore,
    PowerCut,
    fuses,
)
from repoint.testing.workbench import INDEX, WORKER, Workbench

LIMITS = Limits(range_rows=3, ranges=2, slab_texts=4, hands=1, optimise_puts=3)
LONG = "one two three four five six seven eight nine ten eleven twelve"
_TURNS = count()


def _prepare(bench: Workbench) -> None:
    """Leave a collection in step, and edits, deletes, poison and news above its watermark."""
    bench.write({f"d{n}": f"{LONG} {n}" if n % 2 else f"short {n}" for n in range(6)})
    sync(bench.store, bench.space(), owner=WORKER, clock=bench.clock, limits=LIMITS)
    bench.write({"d0": LONG * 2, "d1": "short", "d2": None, "d3": None, "d4": "poison"})
    bench.write({f"n{n}": f"new {n}" for n in range(4)})


def _cut(bench: Workbench, fuse: Fuse, limits: Limits = LIMITS) -> None:
    space = bench.space(
        collection=FusedCollection(bench.collection(), fuse),
        embedder=FusedEmbedder(bench.embedder, fuse),
    )
    owner = ProcessId(f"dying-{next(_TURNS)}")
    with suppress(PowerCut):
        sync(
            FusedStore(bench.store, fuse), space, owner=owner, clock=bench.clock, limits=limits
        )


@pytest.mark.parametrize(
    "limits",
    [
        pytest.param(LIMITS, id="one hand"),
        pytest.param(replace(LIMITS, hands=3), id="three hands"),
        # All rows in one range and one writing: what is repeated is more, and nothing is lost.
        pytest.param(Limits(hands=1), id="as large as the model likes"),
    ],
)
def test_a_power_cut_anywhere_in_a_sync_loses_nothing(tmp_path: Path, limits: Limits) -> None:
    for fuse in fuses():
        folder = tmp_path / f"{fuse.at}-{fuse.after}"
        folder.mkdir()
        with Workbench(folder) as bench:
            _prepare(bench)
            before = bench.watermark()
            _cut(bench, fuse, limits)
            after = bench.watermark()
            with bench.store.read() as view:
                head = view.log.head(INDEX)
            assert before <= after <= head, fuse
            if after == head:
                assert bench.differences() == [], fuse
            report = sync(
                bench.store, bench.space(), owner=WORKER, clock=bench.clock, limits=LIMITS
            )
            assert report.complete, fuse
            assert report.watermark >= after, fuse
            assert bench.differences() == [], fuse


def test_power_cuts_on_top_of_power_cuts_lose_nothing(tmp_path: Path) -> None:
    with Workbench(tmp_path) as bench:
        _prepare(bench)
        reached = bench.watermark()
        for fuse in fuses():
            _cut(bench, fuse)
            assert bench.watermark() >= reached, fuse
            reached = bench.watermark()
            bench.write({"d1": f"version {fuse}", f"n{fuse.at}": LONG, f"n{fuse.at - 1}": None})
            if fuse.at > 25:
                break
        sync(bench.store, bench.space(), owner=WORKER, clock=bench.clock, limits=LIMITS)
        assert bench.differences() == []


def test_a_power_cut_anywhere_while_deletes_go_first_loses_none(tmp_path: Path) -> None:
    for fuse in fuses():
        folder = tmp_path / f"{fuse.at}-{fuse.after}"
        folder.mkdir()
        with Workbench(folder) as bench:
            _prepare(bench)
            space = bench.space(collection=FusedCollection(bench.collection(), fuse))
            before = bench.watermark()
            with suppress(PowerCut):
                apply_deletes_first(FusedStore(bench.store, fuse), space)
            assert bench.watermark() == before, fuse
            assert apply_deletes_first(bench.store, bench.space()).settled, fuse
            assert not {"d2", "d3"} & bench.texts().keys(), fuse
            sync(bench.store, bench.space(), owner=WORKER, clock=bench.clock, limits=LIMITS)
            assert bench.differences() == [], fuse


def test_a_power_cut_anywhere_in_a_retry_of_dead_letters_is_made_good_by_another(
    tmp_path: Path,
) -> None:
    for fuse in fuses():
        folder = tmp_path / f"{fuse.at}-{fuse.after}"
        folder.mkdir()
        with Workbench(folder) as bench:
            _prepare(bench)
            sync(bench.store, bench.space(), owner=WORKER, clock=bench.clock, limits=LIMITS)
            bench.embedder.refuses = ""
            space = bench.space(
                collection=FusedCollection(bench.collection(), fuse),
                embedder=FusedEmbedder(bench.embedder, fuse),
            )
            ids = [row.id for row in bench.rows()]
            with suppress(PowerCut):
                apply_now(FusedStore(bench.store, fuse), space, ids, clock=bench.clock)
            apply_now(bench.store, bench.space(), ids, clock=bench.clock)
            assert bench.differences() == [], fuse
            assert "d4" in bench.texts(), fuse
