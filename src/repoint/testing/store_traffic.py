"""What every store promises of what live queries leave behind."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from repoint.domain.canary import Canary
from repoint.domain.errors import NotFoundError
from repoint.domain.ids import Epoch, IndexName, ProcessId, ReleaseName
from repoint.domain.pointer import Move, MoveKind, Pointer
from repoint.domain.shadow import Shadow
from repoint.domain.telemetry import ALL_TIME, UNKNOWN, Arm, Count, Period, Stage, Tally
from repoint.ports.store import Store
from repoint.ports.store.traffic import Measured
from repoint.testing.conformance import Suite
from repoint.testing.store_samples import (
    ANNA,
    DOCS,
    NOW,
    ONE,
    TWO,
    V1,
    V2,
    promotion,
    with_index,
)

TEN = timedelta(seconds=10)
HOUR = timedelta(hours=1)


def measured(
    queries: int = 1,
    *,
    at: datetime = NOW,
    width: timedelta = TEN,
    release: ReleaseName = V1,
    process: ProcessId = ONE,
) -> Measured:
    """Return what a process counted of a release around a moment."""
    tally = Tally()
    tally.counts[Count.QUERIES] = queries
    tally.errors["rate-limited"] = 1
    tally.cost = 0.25
    for number in range(queries):
        tally.measure(Stage.TOTAL, 1.0 + number)
    period = Period.around(DOCS, release, Arm.ACTIVE, at=at, width=width)
    return Measured(period=period, process=process, tally=tally)


class TelemetrySuite(Suite):
    """What is counted by period and process."""

    def test_what_was_counted_is_read_back(self, store: Store, another: Store) -> None:
        """Every figure of it, by another handle too."""
        with_index(store)
        with store.begin() as tx:
            tx.telemetry.put([measured(3), measured(2, release=UNKNOWN)])
        with another.read() as view:
            found = view.telemetry.within(DOCS, since=NOW, until=NOW + TEN)
        assert [one.period.release for one in found] == [UNKNOWN, V1]
        assert found[1].tally.as_tree() == measured(3).tally.as_tree()
        assert found[1].period == measured().period
        assert found[1].process == ONE

    def test_a_process_s_newer_tally_replaces_its_own_alone(self, store: Store) -> None:
        """[put-replaces]: storing twice counts once."""
        with_index(store)
        with store.begin() as tx:
            tx.telemetry.put([measured(1), measured(5, process=TWO)])
            tx.telemetry.put([measured(2)])
            tx.telemetry.put([])
            found = tx.telemetry.at(measured().period)
        counted = [(one.process, one.tally.count(Count.QUERIES)) for one in found]
        assert counted == [(ONE, 2), (TWO, 5)]

    def test_a_stretch_has_the_periods_that_overlap_it(self, store: Store) -> None:
        """Those without an end are asked for by themselves."""
        with_index(store)
        with store.begin() as tx:
            tx.telemetry.put(
                [
                    measured(1, at=NOW - TEN),
                    measured(2),
                    measured(3, at=NOW + TEN),
                    measured(4, at=NOW - 3 * HOUR, width=HOUR),
                    measured(5, width=ALL_TIME),
                ]
            )

        def counted(since: datetime, until: datetime) -> list[int]:
            with store.read() as view:
                found = view.telemetry.within(DOCS, since=since, until=until)
            return [one.tally.count(Count.QUERIES) for one in found]

        start = measured().period.starts_at
        assert counted(start, start + TEN) == [2]
        assert counted(start, start + TEN + timedelta(seconds=1)) == [2, 3]
        assert counted(start - timedelta(seconds=1), start) == [1]
        assert counted(NOW - 3 * HOUR + timedelta(minutes=29), NOW) == [4, 1, 2]
        with store.read() as view:
            (whole,) = view.telemetry.of_all_time(DOCS)
        assert whole.tally.count(Count.QUERIES) == 5

    def test_periods_that_ended_come_oldest_first(self, store: Store) -> None:
        """And only those of the width that is asked for."""
        with_index(store)
        with store.begin() as tx:
            tx.telemetry.put(
                [
                    measured(1, at=NOW),
                    measured(2, at=NOW - TEN),
                    measured(3, at=NOW - 2 * TEN),
                    measured(4, at=NOW - 3 * HOUR, width=HOUR),
                ]
            )
            found = tx.telemetry.ended(width=TEN, before=NOW, limit=9)
            assert [one.tally.count(Count.QUERIES) for one in found] == [3, 2]
            found = tx.telemetry.ended(width=TEN, before=NOW, limit=1)
            assert [one.tally.count(Count.QUERIES) for one in found] == [3]

    def test_what_is_removed_is_gone_and_nothing_else(self, store: Store) -> None:
        """Twice is no error."""
        with_index(store)
        with store.begin() as tx:
            tx.telemetry.put([measured(1), measured(2, process=TWO), measured(3, release=V2)])
            tx.telemetry.remove([measured(1)])
            tx.telemetry.remove([measured(1)])
            found = tx.telemetry.within(DOCS, since=NOW, until=NOW + TEN)
        assert [one.tally.count(Count.QUERIES) for one in found] == [2, 3]

    def test_an_unknown_index_has_no_telemetry(self, store: Store) -> None:
        """Nothing can be stored for it."""
        period = Period.around(IndexName("no"), V1, Arm.ACTIVE, at=NOW, width=TEN)
        with store.begin() as tx:
            with pytest.raises(NotFoundError):
                tx.telemetry.put([Measured(period=period, process=ONE, tally=Tally())])
            with pytest.raises(NotFoundError):
                tx.telemetry.within(IndexName("no"), since=NOW, until=NOW)


def shadow(name: ReleaseName = V2, *, share: float = 0.25) -> Shadow:
    """Return a shadow of a release."""
    return Shadow(index=DOCS, release=name, share=share, actor=ANNA, reason="try", at=NOW)


class ShadowSuite(Suite):
    """Which releases get live queries as well."""

    def test_an_index_has_at_most_one_shadow(self, store: Store, another: Store) -> None:
        """The newest stands; removing it twice is no error."""
        with_index(store)
        with store.begin() as tx:
            assert tx.shadows.get(DOCS) is None
            tx.shadows.put(shadow(V1))
            tx.shadows.put(shadow(V2, share=1.0))
        with another.read() as view:
            assert view.shadows.get(DOCS) == shadow(V2, share=1.0)
        with store.begin() as tx:
            tx.shadows.remove(DOCS)
            tx.shadows.remove(DOCS)
            assert tx.shadows.get(DOCS) is None

    def test_a_release_that_is_not_there_is_no_shadow(self, store: Store) -> None:
        """Nothing of it is stored."""
        with_index(store)
        with store.begin() as tx, pytest.raises(NotFoundError):
            tx.shadows.put(shadow(ReleaseName("v9")))


class FeedbackSuite(Suite):
    """What came back of answers."""

    def test_a_unit_is_counted_once_and_in_the_order_of_coming(
        self, store: Store, another: Store
    ) -> None:
        """[once]: what came first stays."""
        with_index(store)
        since = Epoch(2)
        given = [("b", Arm.CANARY, 1.0), ("a", Arm.BASELINE, 0.0), ("b", Arm.CANARY, 0.0)]
        with store.begin() as tx:
            counted = [
                tx.feedback.add(DOCS, since=since, unit=unit, arm=arm, outcome=outcome, at=NOW)
                for unit, arm, outcome in given
            ]
            assert counted == [True, True, False]
            assert tx.feedback.add(
                DOCS, since=Epoch(3), unit="b", arm=Arm.CANARY, outcome=0.5, at=NOW
            )
        with another.read() as view:
            assert view.feedback.outcomes(DOCS, since=since) == [
                (Arm.CANARY, 1.0),
                (Arm.BASELINE, 0.0),
            ]
            assert view.feedback.outcomes(DOCS, since=Epoch(3)) == [(Arm.CANARY, 0.5)]
            assert view.feedback.outcomes(DOCS, since=Epoch(9)) == []

    def test_the_first_secret_stays(self, store: Store) -> None:
        """[secret-stays]: answers given before are still known."""
        with_index(store)
        with store.begin() as tx:
            assert tx.feedback.secret(DOCS) is None
            tx.feedback.keep_secret(DOCS, "one")
            tx.feedback.keep_secret(DOCS, "two")
            assert tx.feedback.secret(DOCS) == b"one"

    def test_an_unknown_index_has_no_feedback(self, store: Store) -> None:
        """Nothing can be stored for it."""
        no = IndexName("no")
        with store.begin() as tx:
            with pytest.raises(NotFoundError):
                tx.feedback.keep_secret(no, "one")
            with pytest.raises(NotFoundError):
                tx.feedback.add(
                    no, since=Epoch(1), unit="u", arm=Arm.CANARY, outcome=1.0, at=NOW
                )


class CanarySuite(Suite):
    """The pointer's canary, a part of its moves."""

    def test_a_canary_is_read_back_with_the_pointer_and_its_history(
        self, store: Store, another: Store
    ) -> None:
        """Every field of it, before and after each move."""
        with_index(store)
        tried = canary()
        with store.begin() as tx:
            tx.pointers.move(promotion(tx.pointers.pointer(DOCS), V1))
            tx.pointers.move(trying(tx.pointers.pointer(DOCS), tried))
            tx.pointers.move(trying(tx.pointers.pointer(DOCS), replace(tried, share=0.5)))
            tx.pointers.move(trying(tx.pointers.pointer(DOCS), None))
        with another.read() as view:
            assert view.pointers.pointer(DOCS).canary is None
            newest, grown, began, first = view.pointers.moves(DOCS)
            (alone,) = view.pointers.moves(DOCS, limit=1)
        assert alone == newest
        assert (first.before.canary, first.after.canary) == (None, None)
        assert (began.before.canary, began.after.canary) == (None, tried)
        assert (grown.before.canary, grown.after.canary) == (tried, replace(tried, share=0.5))
        assert (newest.before.canary, newest.after.canary) == (grown.after.canary, None)
        assert [move.after.active for move in (newest, grown, began)] == [V1] * 3

    def test_a_move_from_another_canary_is_none_of_the_pointer_s(self, store: Store) -> None:
        """A mover who has not seen the canary changes nothing."""
        with_index(store)
        with store.begin() as tx:
            tx.pointers.move(promotion(tx.pointers.pointer(DOCS), V1))
            tx.pointers.move(trying(tx.pointers.pointer(DOCS), canary()))
        seen = replace(canary(), share=0.9)
        with store.begin() as tx:
            before = replace(tx.pointers.pointer(DOCS), canary=seen)
            with pytest.raises(ValueError, match="none of"):
                tx.pointers.move(trying(before, None))
            assert tx.pointers.pointer(DOCS).canary == canary()

    def test_a_canary_of_a_release_that_is_not_there_moves_nothing(self, store: Store) -> None:
        """The move goes with it."""
        with_index(store)
        with store.begin() as tx:
            tx.pointers.move(promotion(tx.pointers.pointer(DOCS), V1))
        unknown = replace(canary(), release=ReleaseName("v9"))
        with pytest.raises(NotFoundError), store.begin() as tx:
            tx.pointers.move(trying(tx.pointers.pointer(DOCS), unknown))
        with store.read() as view:
            assert view.pointers.pointer(DOCS).epoch == 1


def canary() -> Canary:
    """Return a canary of v2 that begins at epoch 2."""
    tenants = (("acme", 1.0), ("«ü»", 0.125))
    return Canary(release=V2, share=0.05, tenants=tenants, since=Epoch(2), interleaved=True)


def trying(before: Pointer, tried: Canary | None) -> Move:
    """Return the move to a canary, or with None to the end of one."""
    return Move(
        kind=MoveKind.END_CANARY if tried is None else MoveKind.CANARY,
        before=before,
        after=before.without_canary() if tried is None else before.with_canary(tried),
        actor=ANNA,
        reason="try",
        at=NOW,
        checked={},
    )
