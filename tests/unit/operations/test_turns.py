"""Threads of one process take turns at moving the pointer."""

from __future__ import annotations

import threading
from pathlib import Path

from repoint import Repoint
from repoint.domain.errors import RefusedMoveError
from repoint.domain.spec import ModelSpec, ReleaseSpec
from repoint.operations.promote import PromoteOptions


def spec(seed: int) -> ReleaseSpec:
    model = ModelSpec(provider="hashing", dimensions=16, options={"seed": seed})
    return ReleaseSpec(model=model, backend="memory")


def test_of_two_threads_that_roll_back_one_does_and_one_is_told(tmp_path: Path) -> None:
    with Repoint.init(tmp_path / "home") as repoint:
        docs = repoint.create_index("docs")
        docs.upsert({"id": str(n), "text": f"document {n}"} for n in range(20))
        for number, name in enumerate(("v1", "v2")):
            docs.create_release(name, spec(number))
            docs.sync(name)
            docs.promote(name, options=PromoteOptions(without_evaluation="a test"))
        start, outcomes = threading.Barrier(2), list[str]()

        def go_back() -> None:
            start.wait()
            try:
                outcomes.append(f"epoch {docs.rollback(reason='both at once').epoch}")
            except RefusedMoveError as error:
                outcomes.append(error.code)

        threads = [threading.Thread(target=go_back) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["epoch 3", "refused-move"]
        assert [move.kind for move in docs.history()] == ["rollback", "promote", "activate"]
        repoint.verify_audit()
