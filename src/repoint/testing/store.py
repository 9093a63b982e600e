"""The promises of ``ports.store``, each as a test.

Subclass ``StoreSuite`` and give it two fixtures: ``store``, an empty store, and
``another``, a second handle on the same one, as another process would have.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import chain
from typing import TypeVar

import pytest

from repoint.domain.errors import StaleEpochError
from repoint.domain.ids import Lsn
from repoint.ports.store import Store
from repoint.testing.conformance import Suite
from repoint.testing.store_access import AccessSuite, AuditSuite, ProcessSuite, process
from repoint.testing.store_adoption import AdoptionRecordSuite
from repoint.testing.store_alarms import AlarmSuite
from repoint.testing.store_bridges import BridgeSuite
from repoint.testing.store_catchup import DeadLetterSuite, LeaseSuite, WindowSuite
from repoint.testing.store_erasing import ErasureSuite
from repoint.testing.store_feeding import RenderingSuite, SourceSuite
from repoint.testing.store_guarding import DrillSuite, GuardSuite
from repoint.testing.store_judging import DiagnosisSuite, PolicySuite, QuerySetSuite, RunSuite
from repoint.testing.store_log import FieldSuite, IndexSuite, LogSuite
from repoint.testing.store_records import OperationSuite, PointerSuite, ReleaseSuite
from repoint.testing.store_references import PushSuite, ReferenceSuite
from repoint.testing.store_samples import (
    ANNA,
    DOCS,
    FAR_AHEAD,
    NOW,
    ONE,
    V1,
    V2,
    ZERO,
    document,
    operation,
    promotion,
    release,
    undone,
    with_documents,
    with_index,
)
from repoint.testing.store_traffic import (
    CanarySuite,
    FeedbackSuite,
    ShadowSuite,
    TelemetrySuite,
)

#: Long enough that only a broken store needs it; nothing waits for its end otherwise.
PATIENCE_SECONDS = 30.0


class TransactionSuite(Suite):
    """What transactions promise, over threads and handles."""

    def test_what_was_committed_is_seen_by_another_handle(
        self, store: Store, another: Store
    ) -> None:
        """[durable] as far as a second process can tell."""
        with_documents(store, 3)
        with another.read() as tx:
            assert tx.log.head(DOCS) == 3
            assert tx.releases.get(DOCS, V1) == release(V1)

    def test_an_error_undoes_everything(self, store: Store, another: Store) -> None:
        """[atomic]: no area keeps anything of the block."""
        with_documents(store, 2)
        with undone(store) as tx:
            tx.log.append(DOCS, [document("new", field=1)], at=NOW)
            tx.log.forget(DOCS, [document("d1").id])
            tx.pointers.move(promotion(tx.pointers.pointer(DOCS), V1))
            tx.pointers.open_rollout(DOCS, V2, at=NOW)
            tx.operations.begin(operation())
            tx.catchup.open_window(DOCS, V1, bounds=[Lsn(3)], high=Lsn(3))
            tx.processes.register(process())
            tx.audit.append(at=NOW, actor=ANNA, action="promote")
        for handle in (store, another):
            with handle.read() as tx:
                assert tx.log.head(DOCS) == 2
                assert tx.log.fields(DOCS) == {}
                assert [row.id for row in tx.log.scan(DOCS, after=None, limit=9)] == [
                    "d1",
                    "d2",
                ]
                assert tx.pointers.pointer(DOCS).epoch == 0
                assert tx.pointers.rollout(DOCS) is None
                assert tx.operations.unfinished(DOCS) is None
                assert tx.catchup.window(DOCS, V1) is None
                assert tx.processes.all() == []
                assert tx.audit.records() == []

    def test_a_transaction_sees_its_own_writes(self, store: Store) -> None:
        """Before anyone else does."""
        with_index(store)
        with store.begin() as tx:
            tx.log.append(DOCS, [document("a")], at=NOW)
            assert tx.log.head(DOCS) == 1
            with store.read() as view:
                assert view.log.head(DOCS) == 0

    def test_a_view_stays_as_it_was(self, store: Store, another: Store) -> None:
        """Whatever is committed while it is open."""
        with_documents(store, 1)
        with store.read() as view:
            with another.begin() as tx:
                tx.log.append(DOCS, [document("later")], at=NOW)
            assert view.log.head(DOCS) == 1
            assert view.log.get(DOCS, [document("later").id]) == {}
        with store.read() as view:
            assert view.log.head(DOCS) == 2

    def test_a_view_refuses_to_write(self, store: Store) -> None:
        """And nothing is written."""
        with_index(store)
        with store.read() as view, pytest.raises(RuntimeError, match="begin"):
            view.log.append(DOCS, [document("a")], at=NOW)
        with store.read() as view:
            assert view.log.head(DOCS) == 0
        with store.begin() as tx:
            assert tx.log.append(DOCS, [document("a")], at=NOW).head == 1

    def test_a_view_never_waits_for_a_writer(self, store: Store, another: Store) -> None:
        """It opens, reads and ends while a writer is in the middle."""
        with_index(store)
        with store.begin() as tx:
            tx.log.append(DOCS, [document("a")], at=NOW)
            with another.read() as view:
                assert view.log.head(DOCS) == 0

    def test_begin_within_begin_is_a_mistake_that_says_so(self, store: Store) -> None:
        """On one thread it would wait for itself; the outer one goes on."""
        with_index(store)
        with store.begin() as tx:
            with pytest.raises(RuntimeError, match="begin"), store.begin():
                pass
            tx.log.append(DOCS, [document("a")], at=NOW)
        with store.begin() as tx:
            assert tx.log.head(DOCS) == 1

    def test_writers_run_one_after_another(self, store: Store, another: Store) -> None:
        """[threads] [no-gaps]: every LSN once, in every thread's own order."""
        with_index(store)

        def write(worker: int) -> list[int]:
            taken = []
            handle = (store, another)[worker % 2]
            for n in range(10):
                with handle.begin() as tx:
                    name = f"{worker}-{n}"
                    taken.append(tx.log.append(DOCS, [document(name)], at=NOW).head)
            return [int(lsn) for lsn in taken]

        taken = at_once([partial(write, worker) for worker in range(4)])

        assert all(own == sorted(own) for own in taken)
        assert sorted(chain.from_iterable(taken)) == list(range(1, 41))
        with store.read() as tx:
            rows = tx.log.rows(DOCS, above=ZERO, upto=Lsn(99))
        assert [row.lsn for row in rows] == list(range(1, 41))

    def test_of_two_who_move_from_one_epoch_one_succeeds(
        self, store: Store, another: Store
    ) -> None:
        """[epoch-fenced] over two handles at once (INV-4)."""
        with_index(store)
        with store.read() as tx:
            seen = tx.pointers.pointer(DOCS)

        def move(handle: Store) -> bool:
            try:
                with handle.begin() as tx:
                    tx.pointers.move(promotion(seen, V1))
            except StaleEpochError:
                return False
            return True

        moved = at_once([partial(move, handle) for handle in (store, another) * 2])

        assert sorted(moved) == [False, False, False, True]
        with store.read() as tx:
            assert tx.pointers.pointer(DOCS).epoch == 1

    def test_of_many_who_want_a_range_one_gets_it(self, store: Store, another: Store) -> None:
        """[one-holder] over two handles at once."""
        with_documents(store, 6)
        with store.begin() as tx:
            tx.catchup.open_window(DOCS, V1, bounds=[Lsn(3), Lsn(6)], high=Lsn(6))

        def take(handle: Store) -> int | None:
            with handle.begin() as tx:
                lease = tx.catchup.lease(DOCS, V1, owner=ONE, now=NOW, until=FAR_AHEAD)
                return None if lease is None else lease.number

        taken = at_once([partial(take, handle) for handle in (store, another) * 2])

        assert sorted(number for number in taken if number) == [1, 2]
        assert taken.count(None) == 2


class ChangeFeedSuite(Suite):
    """What the feed of changes promises to its watcher."""

    def test_the_first_look_is_a_change(self, store: Store) -> None:
        """Who starts to watch reads once."""
        with closing(store.watch()) as feed:
            assert feed.changed(timeout=0)
            assert not feed.changed(timeout=0)

    def test_every_commit_is_seen(self, store: Store, another: Store) -> None:
        """[no-missed-commit], by this handle and by another, whenever it happened."""
        with_index(store)
        with closing(store.watch()) as feed:
            feed.changed(timeout=0)
            for n, handle in enumerate((store, another, store, another)):
                with handle.begin() as tx:
                    tx.log.append(DOCS, [document(f"d{n}")], at=NOW)
                assert feed.changed(timeout=PATIENCE_SECONDS)
            assert not feed.changed(timeout=0)

    def test_what_was_undone_is_no_change(self, store: Store) -> None:
        """Nor is reading."""
        with_index(store)
        with closing(store.watch()) as feed:
            feed.changed(timeout=0)
            with undone(store) as tx:
                tx.indexes.freeze(DOCS, None)
            with store.read() as tx:
                tx.log.head(DOCS)
            assert not feed.changed(timeout=0)

    def test_feeds_do_not_share_what_they_saw(self, store: Store) -> None:
        """Each watcher is told for itself."""
        with_index(store)
        with closing(store.watch()) as one, closing(store.watch()) as two:
            for feed in (one, two):
                feed.changed(timeout=0)
            with store.begin() as tx:
                tx.log.append(DOCS, [document("a")], at=NOW)
            assert one.changed(timeout=PATIENCE_SECONDS)
            assert two.changed(timeout=PATIENCE_SECONDS)

    def test_a_waiting_watcher_is_woken(self, store: Store, another: Store) -> None:
        """Every value that is ever committed last is read after its change was told."""
        with_index(store)
        last = 20
        watching = threading.Event()

        def watch() -> int:
            head = 0
            with closing(store.watch()) as feed:
                while head < last and feed.changed(timeout=PATIENCE_SECONDS):
                    with store.read() as tx:
                        head = tx.log.head(DOCS)
                    watching.set()
            return head

        def write() -> int:
            assert watching.wait(PATIENCE_SECONDS)
            for n in range(last):
                with another.begin() as tx:
                    tx.log.append(DOCS, [document(f"d{n}")], at=NOW)
            return last

        assert at_once([watch, write]) == [last, last]


class StoreSuite(
    TransactionSuite,
    ChangeFeedSuite,
    LogSuite,
    FieldSuite,
    IndexSuite,
    WindowSuite,
    LeaseSuite,
    DeadLetterSuite,
    ReleaseSuite,
    PointerSuite,
    OperationSuite,
    ProcessSuite,
    AuditSuite,
    AccessSuite,
    QuerySetSuite,
    RunSuite,
    PolicySuite,
    TelemetrySuite,
    ShadowSuite,
    FeedbackSuite,
    CanarySuite,
    RenderingSuite,
    SourceSuite,
    ReferenceSuite,
    PushSuite,
    BridgeSuite,
    GuardSuite,
    DrillSuite,
    AdoptionRecordSuite,
    DiagnosisSuite,
    ErasureSuite,
    AlarmSuite,
):
    """What every store promises; a concrete class brings ``store`` and ``another``."""


_T = TypeVar("_T")


def at_once(calls: Sequence[Callable[[], _T]]) -> list[_T]:
    """Run the calls on a thread each, all started together, and return what they return."""
    barrier = threading.Barrier(len(calls))

    def started(call: Callable[[], _T]) -> _T:
        barrier.wait(PATIENCE_SECONDS)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        running: list[Future[_T]] = [pool.submit(started, call) for call in calls]
        return [future.result() for future in running]
