"""Catching up for a move waits for nobody who is dead."""

from contextlib import suppress

from repoint.operations.sync import Limits, sync
from repoint.testing.faults import Fuse, PowerCut
from repoint.testing.stage import Stage


def test_a_rollback_waits_for_no_dead_workers_lease(promoted: Stage) -> None:
    promoted.write({f"e{n}": f"later {n}" for n in range(8)})
    dying = promoted.open(fuse=Fuse(3, after=False))
    dying.announce()
    with suppress(PowerCut):
        sync(
            dying.store,
            dying.spaces.open(promoted.release("v1")),
            owner=dying.process.id,
            clock=promoted.clock,
            limits=Limits(hands=1),
        )
    promoted.kill(dying)
    with promoted.store.read() as view:
        window = view.catchup.window(promoted.release("v1").index, promoted.release("v1").name)
    assert window is not None  # it died with a range in its hands

    before = promoted.clock.now()
    assert promoted.rollback(by=promoted.open()).verified
    assert promoted.clock.now() == before
