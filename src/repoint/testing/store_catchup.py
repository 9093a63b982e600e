"""The promises of the memory of sync: watermarks, windows, leases, slots, dead letters."""

from __future__ import annotations

from datetime import datetime

import pytest

from repoint.domain.catchup import DeadLetter, Lease, Window
from repoint.domain.errors import ConflictError, HeldError, LostLeaseError, NotFoundError
from repoint.domain.ids import DocumentId, Lsn, ProcessId, ReleaseName
from repoint.ports.store import Store, Transaction
from repoint.testing.conformance import Suite
from repoint.testing.store_samples import (
    DOCS,
    FAR_AHEAD,
    LATER,
    LONG_AGO,
    NOW,
    ONE,
    SOON,
    TWO,
    V1,
    V2,
    ZERO,
    ids,
    promotion,
    with_documents,
    with_index,
)


def take(
    tx: Transaction, owner: ProcessId, *, now: datetime = NOW, until: datetime = SOON
) -> Lease:
    """Lease a range that is known to be free."""
    lease = tx.catchup.lease(DOCS, V1, owner=owner, now=now, until=until)
    assert lease is not None
    return lease


def opened(store: Store, *bounds: int, rows: int = 6) -> Window:
    """Open a window of the first release over as many documents."""
    with_documents(store, rows)
    with store.begin() as tx:
        return tx.catchup.open_window(
            DOCS, V1, bounds=[Lsn(bound) for bound in bounds], high=Lsn(rows)
        )


class WindowSuite(Suite):
    """What windows and watermarks promise (INV-3)."""

    def test_a_watermark_begins_at_zero(self, store: Store) -> None:
        """And an unknown release has none."""
        with_index(store)
        with store.read() as tx:
            assert tx.catchup.watermark(DOCS, V1) == 0
            with pytest.raises(NotFoundError):
                tx.catchup.watermark(DOCS, ReleaseName("v9"))

    def test_a_window_covers_the_watermark_to_its_end(self, store: Store) -> None:
        """One range up to each bound; the last bound may lie below the end."""
        window = opened(store, 2, 5)

        assert window == Window(
            index=DOCS, release=V1, number=1, low=ZERO, high=Lsn(6), ranges=2, done=0
        )
        with store.begin() as tx:
            assert tx.catchup.window(DOCS, V1) == window
            assert tx.catchup.window(DOCS, V2) is None
            first, second = take(tx, ONE), take(tx, TWO)
        assert (first.number, first.low, first.high) == (1, 0, 2)
        assert (second.number, second.low, second.high) == (2, 2, 5)
        assert (first.watermark, first.window, first.until) == (0, 1, SOON)

    def test_an_open_window_is_returned_as_it_is(self, store: Store) -> None:
        """Whatever else was asked for."""
        window = opened(store, 3)
        with store.begin() as tx:
            assert tx.catchup.open_window(DOCS, V1, bounds=[], high=Lsn(1)) == window

    def test_without_bounds_the_watermark_moves_at_once(self, store: Store) -> None:
        """Nothing between is left to do."""
        window = opened(store)

        assert (window.ranges, window.high) == (0, 6)
        with store.read() as tx:
            assert tx.catchup.watermark(DOCS, V1) == 6
            assert tx.catchup.window(DOCS, V1) is None

    def test_a_window_ends_between_watermark_and_head(self, store: Store) -> None:
        """INV-3: refused on either side, and the watermark stays."""
        opened(store, rows=4)
        with store.begin() as tx:
            for high in (3, 5):
                with pytest.raises(ConflictError):
                    tx.catchup.open_window(DOCS, V1, bounds=[], high=Lsn(high))
            assert tx.catchup.watermark(DOCS, V1) == 4

    @pytest.mark.parametrize("bounds", [(0, 2), (3, 2), (2, 2), (2, 7)])
    def test_bounds_that_do_not_rise_to_the_end_are_refused(
        self, store: Store, bounds: tuple[int, int]
    ) -> None:
        """A range may be neither empty nor beyond its window."""
        with pytest.raises(ValueError, match="bounds"):
            opened(store, *bounds)
        with store.read() as tx:
            assert tx.catchup.window(DOCS, V1) is None

    def test_the_last_range_closes_the_window_and_moves_the_watermark(
        self, store: Store
    ) -> None:
        """In the same call; before that the watermark stays, whatever the order."""
        opened(store, 2, 4, 5)
        with store.begin() as tx:
            leases = [take(tx, ONE), take(tx, ONE), take(tx, TWO)]
            assert tx.catchup.complete(leases[2]) is None
            assert tx.catchup.complete(leases[0]) is None
            window = tx.catchup.window(DOCS, V1)
            assert window is not None
            assert (window.ranges, window.done) == (3, 2)
            assert tx.catchup.watermark(DOCS, V1) == 0
            assert tx.catchup.complete(leases[1]) == 6
            assert tx.catchup.watermark(DOCS, V1) == 6
            assert tx.catchup.window(DOCS, V1) is None

    def test_windows_are_counted(self, store: Store) -> None:
        """A release's windows have numbers that never come twice."""
        opened(store, 6)
        with store.begin() as tx:
            tx.catchup.complete(take(tx, ONE))
            assert tx.catchup.open_window(DOCS, V1, bounds=[], high=Lsn(6)).number == 2
            assert tx.catchup.open_window(DOCS, V2, bounds=[], high=Lsn(6)).number == 1

    def test_restart_begins_again_from_zero(self, store: Store) -> None:
        """The open window is gone with it; slots are kept."""
        opened(store, 6)
        with store.begin() as tx:
            lease = take(tx, ONE, now=LONG_AGO, until=LONG_AGO)
            tx.catchup.declare_slots(lease, {DocumentId("d1"): 3})
            tx.catchup.complete(lease)
            tx.catchup.restart(DOCS, V1)
            assert tx.catchup.watermark(DOCS, V1) == 0
            assert tx.catchup.slots(DOCS, V1, ids("d1")) == {"d1": 3}
            tx.catchup.open_window(DOCS, V1, bounds=[Lsn(6)], high=Lsn(6))
            late = take(tx, ONE, now=LONG_AGO, until=LONG_AGO)
            tx.catchup.restart(DOCS, V1)
            assert tx.catchup.window(DOCS, V1) is None
            with pytest.raises(LostLeaseError):
                tx.catchup.complete(late)

    def test_restart_is_refused_while_someone_works(self, store: Store) -> None:
        """A held lease stands in the way; given back, it does not."""
        opened(store, 6)
        with store.begin() as tx:
            lease = take(tx, ONE, until=FAR_AHEAD)
            with pytest.raises(HeldError, match=ONE):
                tx.catchup.restart(DOCS, V1)
            tx.catchup.give_back(lease)
            tx.catchup.restart(DOCS, V1)

    def test_restart_is_refused_for_what_answers_or_may_answer(self, store: Store) -> None:
        """Neither the active release nor the fallback begins again from nothing."""
        with_index(store)
        with store.begin() as tx:
            tx.pointers.move(promotion(tx.pointers.pointer(DOCS), V1))
            tx.pointers.move(promotion(tx.pointers.pointer(DOCS), V2))
            with pytest.raises(HeldError, match="fallback"):
                tx.catchup.restart(DOCS, V1)
            with pytest.raises(HeldError, match="active"):
                tx.catchup.restart(DOCS, V2)


class LeaseSuite(Suite):
    """What leases promise to workers that may die."""

    def test_a_range_has_one_holder(self, store: Store, another: Store) -> None:
        """[one-holder], also over two processes."""
        opened(store, 6)
        with store.begin() as tx:
            take(tx, ONE)
        with another.begin() as tx:
            assert tx.catchup.lease(DOCS, V1, owner=TWO, now=NOW, until=SOON) is None

    def test_without_a_window_there_is_nothing_to_lease(self, store: Store) -> None:
        """None, and no error."""
        with_index(store)
        with store.begin() as tx:
            assert tx.catchup.lease(DOCS, V1, owner=ONE, now=NOW, until=SOON) is None

    def test_an_expired_lease_is_taken_over(self, store: Store) -> None:
        """With a higher attempt, which shuts the former holder out [fenced]."""
        opened(store, 6)
        with store.begin() as tx:
            first = take(tx, ONE, until=SOON)
            second = take(tx, TWO, now=SOON, until=LATER)

            assert (first.attempt, second.attempt, second.owner) == (1, 2, TWO)
            for use in (
                lambda: tx.catchup.renew(first, until=LATER),
                lambda: tx.catchup.complete(first),
                lambda: tx.catchup.declare_slots(first, {DocumentId("d1"): 2}),
            ):
                with pytest.raises(LostLeaseError):
                    use()
            tx.catchup.give_back(first)  # changes nothing
            assert tx.catchup.lease(DOCS, V1, owner=ONE, now=SOON, until=LATER) is None
            assert tx.catchup.slots(DOCS, V1, ids("d1")) == {}
            assert tx.catchup.complete(second) == 6

    def test_the_same_process_with_an_older_attempt_is_shut_out(self, store: Store) -> None:
        """[fenced] by the attempt and not by the owner's name."""
        opened(store, 6)
        with store.begin() as tx:
            first = take(tx, ONE, until=SOON)
            take(tx, ONE, now=SOON, until=LATER)
            with pytest.raises(LostLeaseError):
                tx.catchup.complete(first)

    def test_a_renewed_lease_is_kept_longer(self, store: Store) -> None:
        """Also one that ran out and that nobody took meanwhile."""
        opened(store, 6)
        with store.begin() as tx:
            lease = tx.catchup.renew(take(tx, ONE, until=SOON), until=LATER)

            assert lease.until == LATER
            assert tx.catchup.lease(DOCS, V1, owner=TWO, now=SOON, until=LATER) is None
            assert tx.catchup.complete(lease) == 6

    def test_a_range_given_back_is_free_at_once(self, store: Store) -> None:
        """And the former holder has lost it."""
        opened(store, 6)
        with store.begin() as tx:
            first = take(tx, ONE)
            tx.catchup.give_back(first)
            second = take(tx, TWO)
            with pytest.raises(LostLeaseError):
                tx.catchup.complete(first)
            assert second.attempt == 2

    def test_what_a_dead_process_held_is_free_at_once(self, store: Store) -> None:
        """[freed] The living keep theirs, and what is done stays done."""
        opened(store, 2, 4, 6)
        with store.begin() as tx:
            done, lost, kept = take(tx, ONE), take(tx, ONE), take(tx, TWO)
            tx.catchup.complete(done)
            assert tx.catchup.free(ONE) == 1
            with pytest.raises(LostLeaseError):
                tx.catchup.complete(lost)
            assert take(tx, TWO).number == lost.number
            assert tx.catchup.complete(kept) is None

    def test_completing_again_changes_nothing(self, store: Store) -> None:
        """Who does not know whether the commit arrived may ask again."""
        opened(store, 3, 6)
        with store.begin() as tx:
            lease = take(tx, ONE)
            assert tx.catchup.complete(lease) is None
            assert tx.catchup.complete(lease) is None
            window = tx.catchup.window(DOCS, V1)
            assert window is not None
            assert window.done == 1

    def test_a_done_range_is_never_leased_again(self, store: Store) -> None:
        """Not even after its lease ran out."""
        opened(store, 3, 6)
        with store.begin() as tx:
            tx.catchup.complete(take(tx, ONE))
            assert take(tx, TWO, now=LATER).number == 2

    def test_a_lease_of_a_closed_window_is_lost(self, store: Store) -> None:
        """[fenced], also when the next window has a range of the same number."""
        opened(store, 6)
        with store.begin() as tx:
            lease = take(tx, ONE)
            tx.catchup.complete(lease)
            with pytest.raises(LostLeaseError):
                tx.catchup.renew(lease, until=LATER)

    def test_slots_only_rise(self, store: Store) -> None:
        """And absent means at most one."""
        opened(store, 6)
        with store.begin() as tx:
            lease = take(tx, ONE)
            tx.catchup.declare_slots(
                lease, {DocumentId("a"): 3, DocumentId("b"): 1, DocumentId("c"): 2}
            )
            tx.catchup.declare_slots(lease, {DocumentId("a"): 2, DocumentId("c"): 7})
            tx.catchup.declare_slots(lease, {})

            assert tx.catchup.slots(DOCS, V1, ids("a", "b", "c", "d")) == {"a": 3, "c": 7}
            assert tx.catchup.slots(DOCS, V2, ids("a")) == {}


def letter(name: str, lsn: int, *, attempts: int = 1) -> DeadLetter:
    """Return a letter about a document's version."""
    return DeadLetter(
        index=DOCS,
        release=V1,
        document=DocumentId(name),
        lsn=Lsn(lsn),
        code="input-rejected",
        reason="too long",
        attempts=attempts,
        at=NOW,
    )


class DeadLetterSuite(Suite):
    """What is promised about documents that a release could not take."""

    def test_letters_come_back_in_lsn_order(self, store: Store) -> None:
        """Each with all its fields, for its own release."""
        with_index(store)
        with store.begin() as tx:
            tx.dead_letters.put([letter("b", 5), letter("a", 7), letter("c", 2)])
            tx.dead_letters.put([])

            assert tx.dead_letters.all(DOCS, V1) == [
                letter("c", 2),
                letter("b", 5),
                letter("a", 7),
            ]
            assert tx.dead_letters.all(DOCS, V2) == []

    def test_a_newer_version_or_attempt_replaces_and_an_older_does_not(
        self, store: Store
    ) -> None:
        """One letter a document."""
        with_index(store)
        with store.begin() as tx:
            tx.dead_letters.put([letter("a", 5)])
            tx.dead_letters.put([letter("a", 5, attempts=2)])
            assert tx.dead_letters.all(DOCS, V1) == [letter("a", 5, attempts=2)]
            tx.dead_letters.put([letter("a", 8), letter("a", 3)])
            assert tx.dead_letters.all(DOCS, V1) == [letter("a", 8)]

    def test_letters_are_cleared_up_to_an_lsn(self, store: Store) -> None:
        """A letter about a newer version stays."""
        with_index(store)
        with store.begin() as tx:
            tx.dead_letters.put([letter("a", 5), letter("b", 6), letter("c", 5)])
            tx.dead_letters.clear(DOCS, V1, ids("a", "b"), upto=Lsn(5))

            assert tx.dead_letters.all(DOCS, V1) == [letter("c", 5), letter("b", 6)]
