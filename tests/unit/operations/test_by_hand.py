"""Who brings a release into step by hand is known to all workers of the process."""

import threading

from repoint.domain.ids import IndexName, ReleaseName
from repoint.operations.by_hand import ByHand

HERE = (IndexName("docs"), ReleaseName("v1"))


def test_a_release_is_by_hand_until_the_last_who_does_so_has_ended() -> None:
    by_hand = ByHand()
    with by_hand.on(*HERE):
        with by_hand.on(*HERE):
            assert not by_hand.at(IndexName("docs"), ReleaseName("v2"))
        assert by_hand.at(*HERE)
    assert not by_hand.at(*HERE)


def test_waiting_ends_with_the_work_or_with_the_wish() -> None:
    by_hand = ByHand()
    asked = threading.Event()

    def unless() -> bool:
        asked.set()
        return False

    waiting = threading.Thread(target=lambda: by_hand.wait(*HERE, unless=unless), daemon=True)
    with by_hand.on(*HERE):
        by_hand.wait(*HERE, unless=lambda: True)
        waiting.start()
        assert asked.wait(60)
        assert waiting.is_alive()
    waiting.join(60)
    assert not waiting.is_alive()
