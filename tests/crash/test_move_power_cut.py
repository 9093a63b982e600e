"""A power cut at any call of a move leaves what the next command finishes, once."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from repoint.domain.document import Document
from repoint.domain.errors import RefusedError
from repoint.domain.ids import DocumentId
from repoint.domain.pointer import MoveKind
from repoint.domain.release import ReleaseState
from repoint.domain.rollout import Phase
from repoint.operations import reconcile
from repoint.operations.in_step import catch_up
from repoint.operations.session import Session
from repoint.operations.sync import Limits, sync
from repoint.testing import invariants
from repoint.testing.faults import PowerCut, fuses
from repoint.testing.stage import INDEX, Stage

LONG = "one two three four five six seven eight nine ten eleven twelve"


def corpus() -> dict[str, str | None]:
    """Return documents with one chunk and with several."""
    return {f"d{n}": f"document {n} {LONG[: n * 9 % 50]}" for n in range(8)}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """v1 answers, v2 of another space is in step with it."""
    with Stage(folder=tmp_path_factory.mktemp("prepared")) as stage:
        stage.write(corpus())
        stage.create("v1", seed=1)
        stage.create("v2", seed=2)
        stage.revive("v1")
        stage.promote("v1")
        stage.revive("v2")
        yield stage


@pytest.fixture(scope="module")
def promoted(prepared: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """v2 answers; v1 behind it lacks edits, deletes and a new document."""
    with prepared.twin(tmp_path_factory.mktemp("twin") / "promoted") as stage:
        stage.promote("v2")
        stage.write({"d1": LONG * 2, "d2": "short", "d3": None, "d4": None, "new": LONG})
        catch_up(stage.session, stage.space("v2"))
        yield stage


def written(stage: Stage) -> dict[str, Document | None]:
    with stage.store.read() as view:
        rows = view.log.scan(INDEX, after=None, limit=1000)
    return {row.id: row.document for row in rows}


def cut_everywhere(
    before: Stage, folder: Path, doing: Callable[[Stage, Session], object], *, views: bool
) -> Iterator[tuple[Stage, str]]:
    """Yield a stage for every call of the operation, with its power cut there.

    ``views`` cuts reads of the store as well: the acknowledgements, for one.
    """
    for fuse in fuses():
        with before.twin(folder / f"{fuse.at}-{fuse.after}") as stage:
            dying = stage.open(fuse=fuse, views=views)
            with suppress(PowerCut):
                doing(stage, dying)
            stage.kill(dying)
            if fuse.blown:
                yield stage, repr(fuse)


def whole(stage: Stage, where: object) -> None:
    """Every live release is brought into step; then nothing may be broken or half done."""
    log = written(stage)
    for name in ("v1", "v2"):
        if stage.release(name).state is ReleaseState.LIVE:
            report = sync(
                stage.store,
                stage.space(name),
                owner=stage.session.process.id,
                clock=stage.clock,
                limits=Limits(heed_pace=False),
            )
            assert report.complete, where
    found = [
        *invariants.broken(stage.store, stage.session.spaces, INDEX, written=log),
        *invariants.settled(stage.store, stage.session.spaces, INDEX),
    ]
    assert found == [], where


def moved(stage: Stage, kind: MoveKind) -> int:
    with stage.store.read() as view:
        return sum(move.kind is kind for move in view.pointers.moves(INDEX))


def last_rollouts(stage: Stage) -> Phase | None:
    with stage.store.read() as view:
        rollout = view.pointers.rollout(INDEX)
        return rollout.phase if rollout else None


def is_frozen(stage: Stage) -> bool:
    with stage.store.read() as view:
        return view.indexes.frozen(INDEX) is not None


def answering(stage: Stage, *ids: str) -> list[str]:
    """Return which of these documents whoever answers still has."""
    with stage.store.read() as view:
        active = view.pointers.pointer(INDEX).active
    assert active is not None
    return list(stage.space(active).collection.stored([DocumentId(i) for i in ids]).documents)


def epoch(stage: Stage) -> int:
    with stage.store.read() as view:
        return view.pointers.pointer(INDEX).epoch


@pytest.mark.parametrize(
    ("then", "views"),
    [
        ("rollback", False),
        ("reconcile", False),
        pytest.param("rollback", True, marks=pytest.mark.campaign),
    ],
)
def test_a_rollback_cut_anywhere_is_finished_exactly_once(
    promoted: Stage, tmp_path: Path, then: str, *, views: bool
) -> None:
    cuts = 0
    for stage, where in cut_everywhere(
        promoted,
        tmp_path,
        lambda stage, dying: stage.rollback(by=dying),
        views=views,
    ):
        cuts += 1
        intended = is_frozen(stage) or moved(stage, MoveKind.ROLLBACK)
        assert answering(stage, "d3", "d4") == [], where  # before anybody repairs anything
        stage.write({"late": "written in between", "d5": None})
        second = stage.open()
        if then == "rollback":
            # The operator types it again, and is told when it had been done already.
            with suppress(RefusedError):
                report = stage.rollback(by=second)
                assert report.verified, (where, report.findings)
        else:
            _, left = reconcile.reconcile(second)
            assert left == [], where
            if not intended:
                assert epoch(stage) == 2, where
                whole(stage, where)
                continue
        assert moved(stage, MoveKind.ROLLBACK) == 1, where
        assert epoch(stage) == 3, where
        with stage.store.read() as view:
            pointer = view.pointers.pointer(INDEX)
            held = {hold.release for hold in view.access.holds(INDEX)}
        assert (pointer.active, pointer.fallback) == ("v1", None), where
        assert held == {"v2"}, where
        assert last_rollouts(stage) is None, where
        assert not is_frozen(stage), where
        assert (stage.folder / "evidence" / "docs-epoch-3-rollback.json").is_file(), where
        whole(stage, where)
    assert cuts > 20


@pytest.mark.parametrize("then", ["promote", "reconcile"])
def test_a_promotion_cut_anywhere_happened_once_or_not_at_all(
    prepared: Stage, tmp_path: Path, then: str
) -> None:
    cuts = 0
    for stage, where in cut_everywhere(
        prepared,
        tmp_path,
        lambda stage, dying: stage.promote("v2", by=dying),
        views=False,
    ):
        cuts += 1
        went = moved(stage, MoveKind.PROMOTE)
        second = stage.open()
        if then == "promote":
            with suppress(RefusedError):  # it is active already
                stage.promote("v2", by=second)
            # Either the second one did it, or finished what the first had moved.
            if went:
                reconcile.reconcile(second)
            assert epoch(stage) == 2, where
            assert last_rollouts(stage) is Phase.SOAKING, where
        else:
            _, left = reconcile.reconcile(second)
            assert left == [], where
            assert epoch(stage) == 1 + went, where
        assert moved(stage, MoveKind.PROMOTE) <= 1, where
        assert not is_frozen(stage), where
        whole(stage, where)
        # The way back is there, or the way forward.
        if then == "promote":
            assert stage.rollback(by=second).verified, where
    assert cuts > 20


def test_an_acceptance_cut_anywhere_happened_once_or_not_at_all(
    promoted: Stage, tmp_path: Path
) -> None:
    for stage, where in cut_everywhere(
        promoted, tmp_path, lambda stage, dying: stage.accept("v2", by=dying), views=True
    ):
        went = moved(stage, MoveKind.ACCEPT)
        second = stage.open()
        _, left = reconcile.reconcile(second)
        assert left == [], where
        assert epoch(stage) == 2 + went, where
        assert last_rollouts(stage) is (None if went else Phase.SOAKING), where
        whole(stage, where)
        if not went:
            stage.accept("v2", by=second)
        assert epoch(stage) == 3, where
        whole(stage, where)


def test_a_drop_cut_anywhere_is_done_by_the_next_one(promoted: Stage, tmp_path: Path) -> None:
    with promoted.twin(tmp_path / "retired") as retired:
        retired.accept("v2")
        retired.retire("v1")
        for stage, where in cut_everywhere(
            retired, tmp_path, lambda stage, dying: stage.drop("v1", by=dying), views=True
        ):
            second = stage.open()
            _, left = reconcile.reconcile(second)
            assert left == [], where
            whole(stage, where)
            stage.drop("v1", by=second)
            stage.drop("v1", by=second)  # again changes nothing
            assert stage.release("v1").state is ReleaseState.DROPPED, where
            assert stage.backend.collections() == [stage.release("v2").collection], where
            assert epoch(stage) == 3, where
            whole(stage, where)
