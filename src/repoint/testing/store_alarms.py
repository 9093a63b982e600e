"""What every store promises of alarms."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from repoint.domain.alarm import FORGOTTEN_AFTER, Alarm
from repoint.ports.store import Store
from repoint.testing.conformance import Suite
from repoint.testing.store_samples import DOCS, NOW, V1, V2, with_index

ALARM = Alarm(
    index=DOCS,
    release=V1,
    check="query-model",
    host="here",
    since=NOW,
    at=NOW,
    summary="6 of 16 probes are off",
    figures={"beyond": 6, "largest_distance": 0.5},
)


class AlarmSuite(Suite):
    """Alarms that are not over."""

    def test_an_alarm_that_is_seen_again_keeps_when_it_began(self, store: Store) -> None:
        """[first-seen-stays]: what was seen last stands beside it."""
        with_index(store)
        later = NOW + timedelta(minutes=10)
        again = replace(ALARM, since=later, at=later, summary="9 of 16 probes are off")
        with store.begin() as tx:
            assert tx.alarms.sound(ALARM)
            assert not tx.alarms.sound(again)
        with store.read() as view:
            assert view.alarms.all(DOCS, now=later) == [replace(again, since=NOW)]

    def test_each_machine_has_its_own(self, store: Store) -> None:
        """One that is over there may stand here."""
        with_index(store)
        there = replace(ALARM, host="there", since=NOW + timedelta(seconds=1))
        with store.begin() as tx:
            assert tx.alarms.sound(ALARM)
            assert tx.alarms.sound(there)
            assert tx.alarms.sound(replace(ALARM, release=V2))
            assert tx.alarms.end(DOCS, V1, check="query-model", host="here")
            assert not tx.alarms.end(DOCS, V1, check="query-model", host="here")
        with store.read() as view:
            left = view.alarms.all(DOCS, now=NOW)
        assert left == [replace(ALARM, release=V2), there]

    def test_what_nobody_saw_again_is_forgotten(self, store: Store) -> None:
        """Its machine is gone; seen anew, it begins anew."""
        with_index(store)
        later = NOW + FORGOTTEN_AFTER + timedelta(seconds=1)
        anew = replace(ALARM, since=later, at=later)
        with store.begin() as tx:
            tx.alarms.sound(ALARM)
            assert tx.alarms.all(DOCS, now=later) == []
            assert tx.alarms.sound(anew)
            assert tx.alarms.all(DOCS, now=later) == [anew]
