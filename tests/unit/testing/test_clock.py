"""The frozen clock moves when somebody sleeps on it, however short the rest of a wait is."""

from repoint.testing.clock import FrozenClock


def test_a_wait_ends_though_its_rest_is_shorter_than_the_clock_tells_apart() -> None:
    clock = FrozenClock()
    deadline = clock.monotonic() + 1e-9
    clock.sleep(deadline - clock.monotonic())
    assert clock.monotonic() >= deadline
