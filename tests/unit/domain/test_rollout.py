"""The rollout's table: every phase meets every event."""

from __future__ import annotations

from itertools import product

import pytest

from repoint.domain.errors import TransitionRefusedError
from repoint.domain.rollout import FINAL, TRANSITIONS, Event, Phase, after


@pytest.mark.parametrize(("phase", "event"), list(product(Phase, Event)))
def test_an_event_does_what_the_table_says_and_nothing_else(phase: Phase, event: Event) -> None:
    if (phase, event) in TRANSITIONS:
        assert after(phase, event) is TRANSITIONS[phase, event]
    else:
        with pytest.raises(TransitionRefusedError):
            after(phase, event)


def test_every_phase_is_reached() -> None:
    reached, frontier = {Phase.PREPARING}, {Phase.PREPARING}
    while frontier:
        frontier = {to for (at, _), to in TRANSITIONS.items() if at in frontier} - reached
        reached |= frontier
    assert reached == set(Phase)


def test_nothing_leaves_a_final_phase_and_something_leaves_every_other() -> None:
    leaving = {phase for phase, _ in TRANSITIONS}
    assert leaving == set(Phase) - FINAL


def test_the_way_back_is_open_as_long_as_a_rollout_is() -> None:
    back = {Event.ROLL_BACK, Event.ABORT}
    for phase in set(Phase) - FINAL:
        assert any((phase, event) in TRANSITIONS for event in back)
