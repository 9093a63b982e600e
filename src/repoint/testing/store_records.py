"""The promises of releases, the pointer, rollouts and operations."""

from __future__ import annotations

from dataclasses import replace

import pytest

from repoint.domain.errors import (
    AlreadyExistsError,
    ConflictError,
    HeldError,
    NotFoundError,
    OperationInProgressError,
    StaleEpochError,
    TransitionRefusedError,
)
from repoint.domain.ids import Actor, Epoch, IndexName, ProcessId, ReleaseName
from repoint.domain.operation import Baseline, Hold, Step
from repoint.domain.pointer import Move, MoveKind, Pointer
from repoint.domain.release import Probe, ProbeSet, ReleaseState
from repoint.domain.rollout import Event, Phase
from repoint.domain.spec import HybridSpec, ModelSpec, PromptSpec, ReleaseSpec, TextSpec
from repoint.ports.store import Store
from repoint.testing.conformance import Suite
from repoint.testing.store_samples import (
    ANNA,
    DOCS,
    LATER,
    NOW,
    SOON,
    TWO,
    V1,
    V2,
    operation,
    promotion,
    release,
    with_index,
)

OTHER = IndexName("other")
BEN = Actor("ben")


class ReleaseSuite(Suite):
    """What releases promise."""

    def test_a_release_comes_back_with_its_fingerprint(self, store: Store) -> None:
        """Its spec is the same value, whatever is in it."""
        spec = ReleaseSpec(
            model=ModelSpec(
                provider="onnx", dimensions=384, options={"file": "m.onnx", "n": 2}
            ),
            text=TextSpec(steps=("nfkc", "strip_html")),
            hybrid=HybridSpec(vector_weight=1),
            min_score=0.25,
            prompt=PromptSpec(template="{hits} ü", version="3"),
            libraries={"unicodedata": "14.0.0"},
        )
        given = replace(
            release(ReleaseName("v3")),
            spec=spec,
            fingerprint=spec.fingerprint(),
            paused=True,
            throttle=2.5,
        )
        with_index(store)
        with store.begin() as tx:
            tx.releases.add(given)
            found = tx.releases.get(DOCS, given.name)

        assert found == given
        assert found.spec.fingerprint() == given.fingerprint

    def test_releases_come_oldest_first(self, store: Store) -> None:
        """In the order in which they were added."""
        with_index(store)
        with store.begin() as tx:
            tx.releases.add(release(ReleaseName("a")))
            assert [r.name for r in tx.releases.all(DOCS)] == ["v1", "v2", "a"]

    def test_a_name_is_taken_once(self, store: Store) -> None:
        """[spec-is-immutable]: adding it again does not replace it."""
        with_index(store)
        with store.begin() as tx:
            with pytest.raises(AlreadyExistsError):
                tx.releases.add(release(V1, dimensions=16))
            assert tx.releases.get(DOCS, V1) == release(V1)

    def test_an_unknown_release_is_named_with_those_there_are(self, store: Store) -> None:
        """Reading and changing alike."""
        with_index(store)
        with store.begin() as tx:
            with pytest.raises(NotFoundError, match="known: v1, v2"):
                tx.releases.get(DOCS, ReleaseName("v9"))
            with pytest.raises(NotFoundError):
                tx.releases.set_state(DOCS, ReleaseName("v9"), ReleaseState.LIVE)
            with pytest.raises(NotFoundError, match="index"):
                tx.releases.add(replace(release(V1), index=OTHER))

    def test_state_and_pace_change_and_the_rest_stays(self, store: Store) -> None:
        """[spec-is-immutable]."""
        with_index(store)
        with store.begin() as tx:
            tx.releases.set_state(DOCS, V1, ReleaseState.LIVE)
            tx.releases.set_pace(DOCS, V1, paused=True, throttle=0.5)
            assert tx.releases.get(DOCS, V1) == replace(
                release(V1), state=ReleaseState.LIVE, paused=True, throttle=0.5
            )
            tx.releases.set_pace(DOCS, V1, paused=False, throttle=None)
            assert tx.releases.get(DOCS, V1) == replace(release(V1), state=ReleaseState.LIVE)

    def test_what_is_needed_is_never_marked_as_dropped(self, store: Store) -> None:
        """INV-8: neither what answers, nor its fallback, nor what is held."""
        with_index(store)
        with store.begin() as tx:
            tx.pointers.move(promotion(tx.pointers.pointer(DOCS), V1))
            tx.pointers.move(promotion(tx.pointers.pointer(DOCS), V2))
            tx.releases.add(release(ReleaseName("v3")))
            tx.access.place_hold(
                Hold(index=DOCS, release=ReleaseName("v3"), reason="why", actor=ANNA, at=NOW)
            )
            for name in ("v1", "v2", "v3"):
                with pytest.raises(HeldError):
                    tx.releases.set_state(DOCS, ReleaseName(name), ReleaseState.DROPPED)
            tx.access.lift_holds(DOCS, ReleaseName("v3"))
            tx.releases.set_state(DOCS, ReleaseName("v3"), ReleaseState.DROPPED)

    def test_probes_keep_every_bit_of_their_vectors(self, store: Store) -> None:
        """None before they were measured."""
        probes = ProbeSet(
            probes=(
                Probe(text="été\n", purpose="query", vector=(0.1, -1e-30, 1 / 3)),
                Probe(text="", purpose="document", vector=()),
            ),
            noise_band=1.1920929e-07,
        )
        with_index(store)
        with store.begin() as tx:
            assert tx.releases.probes(DOCS, V1) is None
            tx.releases.put_probes(DOCS, V1, probes)
            assert tx.releases.probes(DOCS, V1) == probes
            assert tx.releases.probes(DOCS, V2) is None

    def test_the_newest_baseline_stands(self, store: Store) -> None:
        """An older one that arrives late changes nothing."""
        first = Baseline(
            index=DOCS,
            release=V1,
            answers={"q1": ("d2", "d1"), "q2": ()},
            expected={"q1": "d2"},
            latency_p50_ms=1.5,
            latency_p95_ms=9.25,
            at=SOON,
        )
        with_index(store)
        with store.begin() as tx:
            assert tx.releases.baseline(DOCS, V1) is None
            tx.releases.put_baseline(first)
            tx.releases.put_baseline(replace(first, answers={}, at=NOW))
            assert tx.releases.baseline(DOCS, V1) == first
            tx.releases.put_baseline(replace(first, answers={}, at=LATER))
            assert tx.releases.baseline(DOCS, V1) == replace(first, answers={}, at=LATER)


class PointerSuite(Suite):
    """What the pointer and rollouts promise (INV-4)."""

    def test_nothing_answers_before_the_first_move(self, store: Store) -> None:
        """And an unknown index has no pointer."""
        with_index(store)
        with store.read() as tx:
            assert tx.pointers.pointer(DOCS) == Pointer.unset(DOCS)
            assert tx.pointers.moves(DOCS) == []
            with pytest.raises(NotFoundError):
                tx.pointers.pointer(OTHER)

    def test_the_newest_move_is_the_pointer(self, store: Store) -> None:
        """Moves come newest first and carry the whole pointer before and after."""
        with_index(store)
        with store.begin() as tx:
            first = promotion(tx.pointers.pointer(DOCS), V1)
            tx.pointers.move(first)
            second = promotion(tx.pointers.pointer(DOCS), V2, reason="naïve")
            tx.pointers.move(second)
            before = tx.pointers.pointer(DOCS)
            back = Move(
                kind=MoveKind.ROLLBACK,
                before=before,
                after=before.rolled_back(),
                actor=BEN,
                reason="worse",
                at=SOON,
                checked={},
            )
            tx.pointers.move(back)

            assert tx.pointers.moves(DOCS) == [back, second, first]
            assert tx.pointers.moves(DOCS, limit=1) == [back]
            assert tx.pointers.pointer(DOCS) == back.after
            assert back.after.epoch == 3

    def test_a_stale_mover_changes_nothing(self, store: Store, another: Store) -> None:
        """[epoch-fenced]: of two who read the same pointer, one moves it (INV-4)."""
        with_index(store)
        with store.read() as tx:
            seen = tx.pointers.pointer(DOCS)
        with another.begin() as tx:
            tx.pointers.move(promotion(seen, V1))
        with store.begin() as tx:
            with pytest.raises(StaleEpochError) as caught:
                tx.pointers.move(promotion(seen, V2))
            assert tx.pointers.pointer(DOCS).active == V1
            assert len(tx.pointers.moves(DOCS)) == 1
        assert caught.value.details() == {"index": "docs", "expected": 0, "found": 1}

    def test_a_mover_from_the_future_is_refused(self, store: Store) -> None:
        """An epoch that the pointer has not reached was read elsewhere."""
        with_index(store)
        ahead = Pointer(index=DOCS, epoch=Epoch(4), active=V1, fallback=None)
        with store.begin() as tx, pytest.raises(StaleEpochError):
            tx.pointers.move(promotion(ahead, V2))

    def test_the_pointer_only_names_releases_that_exist(self, store: Store) -> None:
        """Nothing was moved."""
        with_index(store)
        with store.begin() as tx:
            with pytest.raises(NotFoundError):
                tx.pointers.move(promotion(tx.pointers.pointer(DOCS), ReleaseName("v9")))
            assert tx.pointers.moves(DOCS) == []

    def test_an_index_has_one_open_rollout(self, store: Store) -> None:
        """[one-open-rollout]; once it is over the next may open."""
        with_index(store)
        with store.begin() as tx:
            assert tx.pointers.rollout(DOCS) is None
            opened = tx.pointers.open_rollout(DOCS, V1, at=NOW)
            assert (opened.phase, opened.opened_at) == (Phase.PREPARING, NOW)
            assert tx.pointers.rollout(DOCS) == opened
            with pytest.raises(ConflictError, match="v1"):
                tx.pointers.open_rollout(DOCS, V2, at=NOW)
            ended = tx.pointers.advance(opened, Event.ABORT, at=SOON)
            assert (ended.phase, ended.changed_at, ended.opened_at) == (
                Phase.ABORTED,
                SOON,
                NOW,
            )
            assert tx.pointers.rollout(DOCS) is None
            assert tx.pointers.open_rollout(DOCS, V2, at=LATER).id != opened.id

    def test_a_rollout_goes_the_way_of_its_table(self, store: Store) -> None:
        """An event that its phase does not know is refused, and so is a stale view of it."""
        with_index(store)
        with store.begin() as tx:
            opened = tx.pointers.open_rollout(DOCS, V1, at=NOW)
            with pytest.raises(TransitionRefusedError):
                tx.pointers.advance(opened, Event.ACCEPT, at=SOON)
            soaking = tx.pointers.advance(opened, Event.PROMOTE, at=SOON)
            with pytest.raises(ConflictError):
                tx.pointers.advance(opened, Event.ABORT, at=LATER)
            assert tx.pointers.rollout(DOCS) == soaking
            tx.pointers.advance(soaking, Event.ROLL_BACK, at=LATER)
            assert tx.pointers.rollout(DOCS) is None


class OperationSuite(Suite):
    """What recorded intents promise."""

    def test_an_index_has_one_open_operation(self, store: Store, another: Store) -> None:
        """[one-open-operation]; the error says whose, since when."""
        with_index(store)
        with store.begin() as tx:
            assert tx.operations.unfinished(DOCS) is None
            tx.operations.begin(operation(dry=False))
            assert tx.operations.unfinished(DOCS) == operation(dry=False)
        with another.begin() as tx, pytest.raises(OperationInProgressError, match="anna"):
            tx.operations.begin(replace(operation("op-2"), owner=TWO))

    @pytest.mark.parametrize("end", [Step.DONE, Step.ABANDONED])
    def test_a_finished_operation_makes_room_and_stays_finished(
        self, store: Store, end: Step
    ) -> None:
        """Its id is never taken again."""
        with_index(store)
        with store.begin() as tx:
            tx.operations.begin(operation())
            assert tx.operations.reach(operation(), end).step is end
            assert tx.operations.unfinished(DOCS) is None
            with pytest.raises(ConflictError):
                tx.operations.reach(operation(), Step.MOVED)
            with pytest.raises(ConflictError):
                tx.operations.adopt(operation(), TWO)
            with pytest.raises(ConflictError):
                tx.operations.begin(operation())
            tx.operations.begin(operation("op-2"))

    def test_steps_merge_their_notes(self, store: Store) -> None:
        """A later value of a note replaces the earlier."""
        with_index(store)
        with store.begin() as tx:
            tx.operations.begin(operation(a=1, b=[2]))
            moved = tx.operations.reach(operation(), Step.MOVED, notes={"a": 3, "c": None})
            assert moved == replace(operation(a=3, b=[2], c=None), step=Step.MOVED)
            assert tx.operations.unfinished(DOCS) == moved
            again = tx.operations.reach(moved, Step.MOVED)
            assert again == moved
            with pytest.raises(ConflictError):
                tx.operations.reach(moved, Step.INTENDED)

    def test_one_successor_adopts_an_operation(self, store: Store) -> None:
        """And the former owner can do nothing to it any more."""
        with_index(store)
        with store.begin() as tx:
            tx.operations.begin(operation())
            adopted = tx.operations.adopt(operation(), TWO)
            assert adopted == replace(operation(), owner=TWO)
            with pytest.raises(ConflictError):
                tx.operations.adopt(operation(), ProcessId("process-three"))
            with pytest.raises(ConflictError, match=TWO):
                tx.operations.reach(operation(), Step.MOVED)
            assert tx.operations.reach(adopted, Step.MOVED).owner == TWO

    def test_an_operation_that_was_never_begun_is_not_changed(self, store: Store) -> None:
        """Neither adopted nor advanced."""
        with_index(store)
        with store.begin() as tx:
            with pytest.raises(ConflictError):
                tx.operations.adopt(operation(), TWO)
            with pytest.raises(ConflictError):
                tx.operations.reach(operation(), Step.DONE)
            with pytest.raises(NotFoundError):
                tx.operations.begin(replace(operation(), index=OTHER))
