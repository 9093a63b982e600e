"""The interpreter looks for garbage seldom while somebody syncs, and then as before."""

import gc
from collections.abc import Iterator

import pytest

from repoint.operations.sync.garbage import seldom


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def test_it_looks_as_before_when_the_last_has_ended() -> None:
    gc.set_threshold(700, 10, 10)
    with seldom():
        with seldom():
            pass
        assert gc.get_threshold()[0] > 700
    assert gc.get_threshold() == (700, 10, 10)


@pytest.mark.parametrize("theirs", [(0, 10, 10), (1_000_000, 5, 5)])
def test_who_has_it_look_more_seldom_keeps_it_so(theirs: tuple[int, int, int]) -> None:
    gc.set_threshold(*theirs)
    with seldom():
        assert gc.get_threshold() == theirs
    assert gc.get_threshold() == theirs


def test_what_is_set_meanwhile_stays() -> None:
    gc.set_threshold(700, 10, 10)
    with seldom():
        gc.set_threshold(900, 10, 10)
    assert gc.get_threshold() == (900, 10, 10)
