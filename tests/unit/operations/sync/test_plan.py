"""A plan says what a sync would take, and embeds its sample alone."""

from pathlib import Path

import pytest

from repoint.operations.sync import Limits, plan, sync
from repoint.testing.workbench import WORKER, Workbench

LIMITS = Limits(range_rows=4, ranges=3, slab_texts=6, hands=1)


def test_a_plan_of_nothing_is_nothing(bench: Workbench) -> None:
    found = plan(bench.store, bench.space(), clock=bench.clock)
    assert (found.rows, found.chunks, found.tokens, found.embedded) == (0, 0, 0, 0)
    assert found.duration is None
    assert found.cost is None


def test_a_plan_counts_rows_and_estimates_the_rest(bench: Workbench) -> None:
    bench.write({f"d{n}": f"alpha beta {n}" for n in range(200)})
    bench.write({"d0": None, "d1": None})
    found = plan(bench.store, bench.space(), clock=bench.clock)
    assert (found.rows, found.tombstones) == (200, 2)
    assert found.chunks == 198
    assert found.tokens == 198 * 3
    assert found.head == bench.head()
    assert bench.watermark() == 0
    assert bench.texts() == {}


@pytest.mark.parametrize("sample", [1, 8, 64])
def test_a_plan_embeds_no_more_than_its_sample(tmp_path: Path, sample: int) -> None:
    with Workbench(tmp_path, batch=16) as bench:
        bench.write({f"d{n}": f"alpha beta {n}" for n in range(500)})
        found = plan(bench.store, bench.space(), clock=bench.clock, sample=sample)
        assert found.sampled <= sample
        assert found.embedded <= min(sample, 16)
        assert len(set(bench.embedder.embedded)) == found.embedded


def test_a_plan_covers_only_what_is_above_the_watermark(bench: Workbench) -> None:
    bench.write({f"d{n}": f"alpha {n}" for n in range(20)})
    sync(bench.store, bench.space(), owner=WORKER, clock=bench.clock, limits=LIMITS)
    bench.write({"d3": "other"})
    found = plan(bench.store, bench.space(), clock=bench.clock)
    assert (found.rows, found.chunks, found.tokens) == (1, 1, 1)


def test_a_sample_with_poison_in_it_is_planned_around(bench: Workbench) -> None:
    bench.write({"a": "poison", "b": "fine"})
    assert plan(bench.store, bench.space(), clock=bench.clock).chunks == 2
