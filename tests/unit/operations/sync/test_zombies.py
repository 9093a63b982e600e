"""No write that arrives late, from a worker that lost its lease, brings anything old back.

See ``operations.sync.fence`` and ``docs/explanation/zombie-writers.md`` (INV-2, INV-6).
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repoint.domain.document import Entry
from repoint.domain.ids import ProcessId
from repoint.operations.sync import Limits, SyncReport, apply_deletes_first, sync
from repoint.ports.backend import Collection, FloatMatrix, SpaceMatrix
from repoint.ports.embedder import Purpose
from repoint.testing.faults import (
    Fuse,
    FusedCollection,
    FusedStore,
    LateCollection,
    PowerCut,
)
from repoint.testing.workbench import INDEX, RELEASE, WORKER, CountingEmbedder, Workbench

LIMITS = Limits(range_rows=2, ranges=2, slab_texts=3, hands=1)
LONG = "one two three four five six seven eight nine ten eleven twelve"
NEVER = 1_000_000


def bring(bench: Workbench) -> SyncReport:
    return sync(bench.store, bench.space(), owner=WORKER, clock=bench.clock, limits=LIMITS)


def die_writing(bench: Workbench, *, at: int = 1, name: str = "zombie") -> LateCollection:
    """Run a worker that dies at its n-th write, and return the write that is on its way."""
    fuse = Fuse(NEVER, after=False)
    late = LateCollection(bench.collection(), fuse, at=at)
    with suppress(PowerCut):
        sync(
            FusedStore(bench.store, fuse),
            bench.space(collection=late),
            owner=ProcessId(name),
            clock=bench.clock,
            limits=LIMITS,
        )
    bench.clock.sleep(LIMITS.lease.total_seconds())
    return late


LATER = {
    "deleted": None,
    "shortened": "short",
    "edited": "other words entirely, quite as long as those before them were",
    "emptied": "",
    "lengthened": LONG * 4,
}


@pytest.mark.parametrize("before", ["brief", LONG * 2])
@pytest.mark.parametrize("later", LATER.values(), ids=LATER)
@pytest.mark.parametrize("redone", [True, False])
def test_a_late_write_never_undoes_a_later_window(
    bench: Workbench, before: str, later: str | None, *, redone: bool
) -> None:
    bench.write({"d": before})
    late = die_writing(bench)
    assert late.pending
    if redone:
        bring(bench)
    bench.write({"d": later})
    bring(bench)
    expected = bench.texts()
    late.arrive()
    assert bench.texts() == expected
    assert bench.differences() == []


@pytest.mark.parametrize("later", LATER.values(), ids=LATER)
def test_a_late_write_that_arrives_first_is_overwritten(
    bench: Workbench, later: str | None
) -> None:
    bench.write({"d": LONG * 2})
    late = die_writing(bench)
    bench.write({"d": later})
    late.arrive()
    bring(bench)
    assert bench.differences() == []


def test_a_worker_without_its_lease_is_refused_before_it_writes(bench: Workbench) -> None:
    bench.write({"d": LONG * 2, "e": "short"})

    def others_go_on() -> None:
        bench.clock.sleep(LIMITS.lease.total_seconds())
        bring(bench)
        bench.write({"d": None, "e": None})
        bring(bench)

    stalling = StallingEmbedder(bench.embedder, others_go_on)
    counted = CountedPuts(bench.collection())
    sync(
        bench.store,
        replace(bench.space(embedder=stalling), collection=counted),
        owner=ProcessId("stalled"),
        clock=bench.clock,
        limits=LIMITS,
    )
    assert counted.puts == 0
    assert bench.texts() == {}


def test_a_worker_that_stalls_within_its_write_goes_on_without_harm(bench: Workbench) -> None:
    bench.write({"d": LONG * 2, "e": "short"})

    def others_go_on() -> None:
        bench.clock.sleep(LIMITS.lease.total_seconds())
        bring(bench)
        bench.write({"d": None, "e": LONG})
        bring(bench)

    stalling = StallingCollection(bench.collection(), others_go_on)
    report = sync(
        bench.store,
        bench.space(collection=stalling),
        owner=ProcessId("stalled"),
        clock=bench.clock,
        limits=LIMITS,
    )
    assert report.complete
    assert bench.differences() == []


def test_deletes_that_go_first_are_not_settled_while_an_older_window_is_open(
    bench: Workbench,
) -> None:
    bench.write({"d": LONG * 2, "e": "short"})
    seen: list[bool] = []

    def delete_and_apply() -> None:
        bench.write({"d": None})
        seen.append(apply_deletes_first(bench.store, bench.space()).settled)

    sync(
        bench.store,
        bench.space(embedder=StallingEmbedder(bench.embedder, delete_and_apply)),
        owner=WORKER,
        clock=bench.clock,
        limits=LIMITS,
    )
    assert seen == [False]
    bring(bench)
    assert apply_deletes_first(bench.store, bench.space()).settled
    assert "d" not in bench.texts()


def test_attempts_at_one_version_agree_on_whether_it_is_poison(bench: Workbench) -> None:
    bench.write({"d": "poison"})
    late = die_writing(bench)
    bench.embedder.refuses = ""
    bring(bench)
    late.arrive()
    with bench.store.read() as view:
        assert [one.document for one in view.dead_letters.all(INDEX, RELEASE)] == ["d"]
    assert bench.texts() == {}


def test_a_late_write_from_before_a_restart_brings_no_deleted_document_back(
    bench: Workbench,
) -> None:
    bench.write({"d": "brief", "e": "stays"})
    late = die_writing(bench)
    bench.write({"d": None})
    with bench.store.begin() as tx:
        tx.catchup.restart(INDEX, RELEASE)
    bring(bench)
    late.arrive()
    assert bench.differences() == []


STEP = st.one_of(
    st.tuples(
        st.just("write"),
        st.dictionaries(
            st.sampled_from("abcd"),
            st.sampled_from([None, "", "x", "y z", LONG, LONG * 2, "poison"]),
            min_size=1,
        ),
    ),
    st.tuples(st.just("die"), st.integers(1, 3)),
    st.tuples(st.just("arrive"), st.integers(0, 5)),
    st.just(("sync", None)),
)


@given(steps=st.lists(STEP, max_size=25))
def test_no_order_of_writes_deaths_and_late_arrivals_breaks_the_collection(
    steps: Sequence[tuple[str, object]],
) -> None:
    with TemporaryDirectory() as folder, Workbench(Path(folder)) as bench:
        late: list[LateCollection] = []
        for what, how in steps:
            if what == "write":
                assert isinstance(how, dict)
                bench.write(how)
            elif what == "die":
                assert isinstance(how, int)
                late.append(die_writing(bench, at=how, name=f"zombie-{len(late)}"))
            elif what == "arrive":
                assert isinstance(how, int)
                if how < len(late):
                    late[how].arrive()
            else:
                bring(bench)
            if bench.watermark() == bench.head():
                assert bench.differences() == []
        bring(bench)
        assert bench.differences() == []
        for one in late:
            one.arrive()
            assert bench.differences() == []


class StallingEmbedder(CountingEmbedder):
    """Lets the world go on in the middle of its first call."""

    def __init__(self, model: CountingEmbedder, meanwhile: Callable[[], object]) -> None:
        super().__init__(model.dimensions)
        self._meanwhile: Callable[[], object] | None = meanwhile

    def embed(self, texts: Sequence[str], *, purpose: Purpose) -> FloatMatrix:
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return super().embed(texts, purpose=purpose)


class StallingCollection(FusedCollection):
    """Lets the world go on just before its first write happens."""

    def __init__(self, collection: Collection, meanwhile: Callable[[], object]) -> None:
        super().__init__(collection, Fuse(NEVER, after=False))
        self._meanwhile: Callable[[], object] | None = meanwhile

    def put(self, entries: Sequence[Entry], vectors: SpaceMatrix) -> None:
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is not None:
            meanwhile()
        super().put(entries, vectors)


class CountedPuts(FusedCollection):
    """Counts writes."""

    def __init__(self, collection: Collection) -> None:
        super().__init__(collection, Fuse(NEVER, after=False))
        self.puts = 0

    def put(self, entries: Sequence[Entry], vectors: SpaceMatrix) -> None:
        self.puts += 1
        super().put(entries, vectors)
