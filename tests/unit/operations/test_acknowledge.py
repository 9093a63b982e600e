"""Late processes are named, and where they are many, counted."""

import dataclasses

from repoint.domain.ids import Epoch
from repoint.operations.acknowledge import Acknowledgement
from repoint.testing.stage import Stage


def test_ten_stragglers_are_named_and_the_rest_is_counted(promoted: Stage) -> None:
    process = promoted.session.process
    late = tuple(dataclasses.replace(process, program=f"w{number}") for number in range(25))
    found = Acknowledgement(
        epoch=Epoch(2), confirmed=(), stragglers=late, waited_ms=1.0
    ).finding()
    assert "w9 stage" in found.summary
    assert "w10 stage" not in found.summary
    assert " and 15 more; they stop answering by" in found.summary
