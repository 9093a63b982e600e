"""The promises of the register of processes, the audit chain, roles and holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from repoint.domain.access import Role
from repoint.domain.audit import GENESIS, Outcome, verify
from repoint.domain.errors import NotFoundError
from repoint.domain.ids import Actor, Epoch, IndexName, ProcessId, ReleaseName
from repoint.domain.operation import Hold, Process
from repoint.ports.store import Store
from repoint.testing.conformance import Suite
from repoint.testing.store_samples import (
    ANNA,
    DOCS,
    LATER,
    NOW,
    ONE,
    SOON,
    TWO,
    V1,
    V2,
    undone,
    with_index,
)

OTHER = IndexName("other")
BEN = Actor("ben")


def process(name: ProcessId = ONE) -> Process:
    """Return a process that serves the index."""
    return Process(
        id=name,
        host="host",
        pid=42,
        started_at=NOW,
        program="serve",
        lease_until=SOON,
        serves={DOCS: Epoch(1)},
    )


class ProcessSuite(Suite):
    """What the register of processes promises."""

    def test_a_process_is_registered_until_it_is_removed(self, store: Store) -> None:
        """Also after its lease ran out: who is dead is for the reader to say."""
        with_index(store)
        with store.begin() as tx:
            tx.processes.register(process())
            tx.processes.register(process(TWO))
            assert sorted(tx.processes.all(), key=lambda p: p.id) == [process(), process(TWO)]
            tx.processes.remove(ONE)
            tx.processes.remove(ONE)
            assert tx.processes.all() == [process(TWO)]

    def test_registering_again_replaces(self, store: Store) -> None:
        """The same id, another program."""
        with store.begin() as tx:
            tx.processes.register(process())
            tx.processes.register(replace(process(), program="worker", serves={}))
            assert tx.processes.all() == [replace(process(), program="worker", serves={})]

    def test_confirming_extends_and_acknowledges(self, store: Store) -> None:
        """What it no longer serves is gone from what it serves."""
        with store.begin() as tx:
            tx.processes.register(process())
            assert tx.processes.confirm(ONE, until=LATER, serves={OTHER: Epoch(7)})
            assert tx.processes.all() == [
                replace(process(), lease_until=LATER, serves={OTHER: Epoch(7)})
            ]

    def test_a_removed_process_learns_it_when_it_confirms(self, store: Store) -> None:
        """False, and it is not registered by that."""
        with store.begin() as tx:
            assert not tx.processes.confirm(ONE, until=LATER, serves={})
            assert tx.processes.all() == []


class AuditSuite(Suite):
    """What the chain of records promises (INV-7)."""

    def test_records_form_a_chain_that_verifies(self, store: Store, another: Store) -> None:
        """Over handles and transactions, with whatever details."""
        with store.begin() as tx:
            first = tx.audit.append(at=NOW, actor=ANNA, action="promote", index="docs")
        with another.begin() as tx:
            second = tx.audit.append(
                at=SOON,
                actor=BEN,
                action="grant",
                outcome=Outcome.DENIED,
                reason="été",
                details={"b": [1, 2.5, None, {"c": "ü"}], "a": True},
            )
        with store.read() as tx:
            records = tx.audit.records()

        assert records == [first, second]
        assert (first.sequence, first.previous) == (1, GENESIS)
        assert (second.sequence, second.previous) == (2, first.digest)
        assert verify(records) == 2

    def test_a_record_that_is_undone_leaves_no_gap(self, store: Store) -> None:
        """[atomic]."""
        with undone(store) as tx:
            tx.audit.append(at=NOW, actor=ANNA, action="lost")
        with store.begin() as tx:
            assert tx.audit.append(at=NOW, actor=ANNA, action="kept").sequence == 1

    def test_records_are_read_in_pieces(self, store: Store) -> None:
        """After a sequence, at most so many, of one index."""
        with store.begin() as tx:
            for n in range(1, 7):
                tx.audit.append(at=NOW, actor=ANNA, action=f"a{n}", index="ab"[n % 2])

            def actions(
                *, after: int = 0, limit: int | None = None, index: str | None = None
            ) -> str:
                found = tx.audit.records(after=after, limit=limit, index=index)
                return " ".join(record.action for record in found)

            assert actions(after=4) == "a5 a6"
            assert actions(after=1, limit=2) == "a2 a3"
            assert actions(index="b") == "a1 a3 a5"


class AccessSuite(Suite):
    """What roles and holds promise."""

    def test_roles_count_on_their_index_or_on_all(self, store: Store) -> None:
        """A role on one index is none on another."""
        with store.begin() as tx:
            assert tx.access.grants() == []
            tx.access.grant(ANNA, Role.VIEWER, None)
            tx.access.grant(ANNA, Role.OPERATOR, DOCS)
            tx.access.grant(ANNA, Role.OPERATOR, DOCS)
            tx.access.grant(BEN, Role.ADMIN, OTHER)

            assert tx.access.roles(ANNA, DOCS) == {Role.VIEWER, Role.OPERATOR}
            assert tx.access.roles(ANNA, OTHER) == {Role.VIEWER}
            assert tx.access.roles(ANNA, None) == {Role.VIEWER}
            assert tx.access.roles(BEN, DOCS) == frozenset()
            assert sorted(tx.access.grants(), key=str) == sorted(
                [
                    (ANNA, Role.VIEWER, None),
                    (ANNA, Role.OPERATOR, DOCS),
                    (BEN, Role.ADMIN, OTHER),
                ],
                key=str,
            )

    def test_a_role_is_taken_back_where_it_was_given(self, store: Store) -> None:
        """Revoking on one index leaves the grant on all."""
        with store.begin() as tx:
            tx.access.grant(ANNA, Role.VIEWER, None)
            assert not tx.access.revoke(ANNA, Role.VIEWER, DOCS)
            assert tx.access.roles(ANNA, DOCS) == {Role.VIEWER}
            assert tx.access.revoke(ANNA, Role.VIEWER, None)
            assert not tx.access.revoke(ANNA, Role.VIEWER, None)
            assert tx.access.grants() == []

    def test_holds_stand_until_they_are_lifted(self, store: Store) -> None:
        """One a reason and release; placed twice, the first stands."""
        with_index(store)
        first = Hold(index=DOCS, release=V1, reason="rollback", actor=ANNA, at=NOW)
        with store.begin() as tx:
            tx.access.place_hold(first)
            tx.access.place_hold(replace(first, actor=BEN, at=LATER))
            tx.access.place_hold(replace(first, reason="legal", at=SOON))
            tx.access.place_hold(replace(first, release=V2, at=LATER))

            assert [(h.release, h.reason, h.actor) for h in tx.access.holds(DOCS)] == [
                ("v1", "rollback", "anna"),
                ("v1", "legal", "anna"),
                ("v2", "rollback", "anna"),
            ]
            assert tx.access.lift_holds(DOCS, V1) == 2
            assert tx.access.lift_holds(DOCS, V1) == 0
            assert [hold.release for hold in tx.access.holds(DOCS)] == ["v2"]
            with pytest.raises(NotFoundError):
                tx.access.place_hold(replace(first, release=ReleaseName("v9")))
