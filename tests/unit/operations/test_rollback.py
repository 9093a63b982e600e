"""Rollback goes back whole, once, and says what it costs."""

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from repoint.domain.audit import Outcome
from repoint.domain.document import Json
from repoint.domain.errors import (
    BadInputError,
    ConflictError,
    NotReadyError,
    OperationInProgressError,
    RefusedMoveError,
    RepointError,
    UnavailableError,
)
from repoint.domain.ids import DocumentId, Epoch
from repoint.domain.operation import OperationKind, Step
from repoint.domain.pointer import MoveKind
from repoint.domain.readiness import Status
from repoint.operations import freeze, moving, reconcile, rollback
from repoint.operations.rollback import Replay, RollbackOptions
from repoint.operations.session import Session
from repoint.testing import invariants
from repoint.testing.faults import Fuse, PowerCut
from repoint.testing.stage import INDEX, Stage

QUICK = RollbackOptions(ack_timeout=timedelta(milliseconds=20))
PRIVATE = "the patient's name is Quirinius"


def sound(stage: Stage) -> None:
    """Nothing is broken or half done."""
    with stage.store.read() as view:
        rows = view.log.scan(INDEX, after=None, limit=1_000)
    log = {str(row.id): row.document for row in rows}
    spaces = stage.session.spaces
    assert [
        *invariants.broken(stage.store, spaces, INDEX, written=log),
        *invariants.settled(stage.store, spaces, INDEX),
    ] == []


def stored(stage: Stage, release: str, *ids: str) -> set[str]:
    return set(stage.space(release).collection.stored([DocumentId(i) for i in ids]).documents)


def frozen(stage: Stage) -> str | None:
    with stage.store.read() as view:
        found = view.indexes.frozen(INDEX)
    return None if found is None else found.reason


def active(stage: Stage) -> tuple[str | None, int]:
    with stage.store.read() as view:
        pointer = view.pointers.pointer(INDEX)
    return pointer.active, pointer.epoch


def test_the_fallback_answers_again_with_everything_written_since(promoted: Stage) -> None:
    promoted.write({"new": "a fresh one", "d1": None, "d2": "edited since"})
    report = promoted.rollback()
    assert (report.active, report.failed, report.epoch) == ("v1", "v2", 3)
    assert (report.verified, report.replayed, report.late, report.frozen) == (True, 3, 0, False)
    assert stored(promoted, "v1", "new", "d1") == {"new"}
    sound(promoted)


@pytest.mark.parametrize(
    "reason", ["", "  ", "two\nlines", "\x1b[31mred", "see postgresql://ana:pa55@db/x"]
)
def test_a_rollback_without_a_reason_that_can_be_kept_changes_nothing(
    promoted: Stage, reason: str
) -> None:
    before = active(promoted)
    with pytest.raises(BadInputError) as caught:
        rollback.rollback(promoted.session, INDEX, reason=reason, options=RollbackOptions())
    assert "pa55" not in f"{caught.value.message} {caught.value.hint}"
    assert active(promoted) == before
    assert frozen(promoted) is None


def test_without_a_fallback_nothing_changes(stage: Stage) -> None:
    with pytest.raises(RefusedMoveError, match="no fallback"):
        stage.rollback()
    assert active(stage) == ("v1", 1)
    assert frozen(stage) is None


def test_a_second_rollback_does_not_bring_the_failed_release_back(promoted: Stage) -> None:
    promoted.rollback()
    with pytest.raises(RefusedMoveError):
        promoted.rollback()
    assert active(promoted) == ("v1", 3)


def test_replay_after_moves_first_and_counts_what_is_late(promoted: Stage) -> None:
    promoted.write({"new": "a fresh one", "d1": None})
    report = promoted.rollback(options=replace(QUICK, replay=Replay.AFTER))
    assert report.late == 1
    assert report.verified
    assert stored(promoted, "v1", "new", "d1") == {"new"}  # replayed right after


def test_auto_replays_before_while_the_estimate_is_low_and_after_when_it_is_not(
    promoted: Stage,
) -> None:
    promoted.write({f"n{n}": f"new {n}" for n in range(20)})
    limit = replace(QUICK, replay_limit=timedelta(milliseconds=50))
    assert promoted.rollback(options=limit).late == 20


def test_deletes_are_applied_before_the_move_whatever_the_replay(promoted: Stage) -> None:
    promoted.write({"d1": None, "d2": None, "new": "a fresh one"})
    promoted.model("v1").down = True
    with pytest.raises(NotReadyError):  # a person must insist
        promoted.rollback(options=QUICK)
    report = promoted.rollback(by=promoted.open(), options=replace(QUICK, insist=True))
    assert active(promoted) == ("v1", 3)
    assert stored(promoted, "v1", "d1", "d2") == set()
    assert report.late == 1
    assert not report.verified


def test_a_provider_that_goes_down_after_the_check_leaves_a_count_of_what_is_missing(
    promoted: Stage,
) -> None:
    promoted.write({"new": "a fresh one", "d1": None})
    promoted.model("v1").survives = 2  # one call a purpose: the check
    # A process of its own: it has no question's vector in its cache.
    report = promoted.rollback(by=promoted.open(), options=QUICK)
    assert (report.late, report.verified, report.frozen) == (1, False, True)
    failed = {one.check for one in report.findings if one.status is Status.FAILED}
    assert "lag" in failed
    assert {"query-model", "golden", "filter"} <= failed
    assert stored(promoted, "v1", "d1") == set()
    with promoted.store.read() as view:
        assert view.operations.unfinished(INDEX) is None


def test_replay_before_refuses_to_move_when_the_provider_is_down(promoted: Stage) -> None:
    promoted.write({"new": "a fresh one"})
    promoted.model("v1").survives = 2
    with pytest.raises(UnavailableError):
        promoted.rollback(options=replace(QUICK, replay=Replay.BEFORE))
    assert active(promoted) == ("v2", 2)
    with promoted.store.read() as view:
        assert view.operations.unfinished(INDEX) is None


def test_a_rollback_that_did_not_move_takes_its_freeze_back(promoted: Stage) -> None:
    promoted.write({"new": "a fresh one"})
    promoted.model("v1").survives = 2
    with pytest.raises(UnavailableError):
        promoted.rollback(options=replace(QUICK, replay=Replay.BEFORE))
    assert frozen(promoted) is None


def test_a_fallback_whose_model_changed_needs_insisting(promoted: Stage) -> None:
    promoted.model("v1").changed = True
    with pytest.raises(NotReadyError, match="--insist"):
        promoted.rollback()
    assert active(promoted) == ("v2", 2)
    assert frozen(promoted) is None
    with promoted.store.read() as view:
        assert view.audit.records()[-1].outcome is Outcome.REFUSED
    report = promoted.rollback(options=replace(QUICK, insist=True))
    assert active(promoted) == ("v1", 3)
    assert not report.verified
    assert frozen(promoted) == "rollback: it is worse"


def test_insisting_on_a_fallback_without_a_collection_moves_nothing(promoted: Stage) -> None:
    promoted.backend.drop(promoted.release("v1").collection)
    with pytest.raises(NotReadyError):
        promoted.rollback()
    with pytest.raises(RepointError):
        promoted.rollback(options=replace(QUICK, insist=True))
    assert active(promoted) == ("v2", 2)
    with promoted.store.read() as view:
        assert view.operations.unfinished(INDEX) is None
    assert frozen(promoted) is None


def test_a_freeze_from_before_stays(promoted: Stage) -> None:
    freeze.freeze(promoted.session, INDEX, reason="holidays")
    assert promoted.rollback().verified
    assert frozen(promoted) == "holidays"


def test_it_stays_frozen_when_asked_to(promoted: Stage) -> None:
    report = promoted.rollback(options=replace(QUICK, stay_frozen=True))
    assert report.verified
    assert report.frozen
    assert frozen(promoted) == "rollback: it is worse"


def test_it_stays_frozen_when_a_process_did_not_follow(promoted: Stage) -> None:
    promoted.serve(promoted.open(), Epoch(2))
    report = promoted.rollback(options=QUICK)
    assert not report.verified
    assert report.frozen
    assert {f.check for f in report.findings if f.status is Status.FAILED} == {"processes"}


def test_rolling_forward_again_works_the_same_way(promoted: Stage) -> None:
    promoted.rollback()
    assert promoted.promote("v2").epoch == 4
    assert promoted.rollback().epoch == 5
    sound(promoted)


def test_the_evidence_has_no_document_text(promoted: Stage) -> None:
    promoted.write({"private": PRIVATE, "d1": None})
    report = promoted.rollback()
    text = Path(report.evidence).read_text(encoding="utf-8")
    assert "Quirinius" not in text
    tree = json.loads(text)
    assert tree["operation"]["failed"] == "v2"
    assert {one["name"] for one in tree["releases"]} == {"v1", "v2"}
    assert {one["check"] for one in tree["findings"]} >= {"processes", "golden", "sampled-diff"}


def test_the_failed_release_is_held(promoted: Stage) -> None:
    promoted.rollback()
    with promoted.store.read() as view:
        (hold,) = view.access.holds(INDEX)
    assert (hold.release, hold.reason) == ("v2", "rolled back: it is worse")


class Interrupting:
    """A session whose archive lets somebody else act in the middle of an operation."""

    def __init__(self, archive: object, act: Callable[[], None]) -> None:
        self._archive, self._act = archive, act

    def keep(self, name: str, content: dict[str, Json]) -> str:
        self._act()
        return self._archive.keep(name, content)  # type: ignore[attr-defined, no-any-return]


def test_while_one_rolls_back_another_is_refused(promoted: Stage) -> None:
    errors: list[Exception] = []

    def second() -> None:
        try:
            promoted.rollback(by=promoted.open())
        except ConflictError as error:
            errors.append(error)

    first = promoted.open()
    first = replace(first, archive=Interrupting(first.archive, second))  # type: ignore[arg-type]
    assert promoted.rollback(by=first).verified
    assert [type(error) for error in errors] == [OperationInProgressError]
    assert active(promoted) == ("v1", 3)


def test_the_second_of_two_operators_is_refused_and_leaves_no_freeze(
    promoted: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = rollback._concerns  # noqa: SLF001 - the moment between looking and intending

    def meanwhile(session: Session, *rest: object) -> object:
        monkeypatch.setattr(rollback, "_concerns", real)
        promoted.rollback(by=promoted.open())
        return real(session, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(rollback, "_concerns", meanwhile)
    with pytest.raises((ConflictError, RefusedMoveError)):
        promoted.rollback(by=promoted.open())
    assert active(promoted) == ("v1", 3)
    assert frozen(promoted) is None
    sound(promoted)


def test_two_threads_of_one_process_roll_back_once(promoted: Stage) -> None:
    session = promoted.open()
    session.announce()
    errors: list[BaseException] = []

    def go() -> None:
        try:
            promoted.rollback(by=session, options=QUICK)
        except RepointError as error:
            errors.append(error)

    threads = [threading.Thread(target=go) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with promoted.store.read() as view:
        kinds = [move.kind for move in view.pointers.moves(INDEX)]
        assert view.operations.unfinished(INDEX) is None
        assert [hold.release for hold in view.access.holds(INDEX)] == ["v2"]
    assert kinds.count(MoveKind.ROLLBACK) == 1
    assert frozen(promoted) is None
    sound(promoted)


def test_an_operation_that_moved_is_never_abandoned(promoted: Stage) -> None:
    with promoted.store.begin() as tx:
        pointer = tx.pointers.pointer(INDEX)
        operation = moving.intend(
            promoted.session,
            tx,
            kind=OperationKind.PROMOTE,
            pointer=pointer,
            release=promoted.release("v2").name,
            reason="",
        )
        tx.operations.reach(operation, Step.MOVED)
    with pytest.raises(ConflictError):
        moving.abandon(promoted.session, operation, why="a thread that came late")


def test_a_delete_between_the_replay_and_the_move_does_not_come_back(
    promoted: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = moving.move
    missed: list[set[str]] = []

    def after_a_delete(*args: object, **kwargs: object) -> object:
        promoted.write({"d5": None})
        result = real(*args, **kwargs)  # type: ignore[arg-type]
        missed.append(stored(promoted, "v1", "d5"))
        return result

    monkeypatch.setattr(moving, "move", after_a_delete)
    promoted.rollback()
    # At the very moment of the move the fallback has applied what was deleted by then.
    assert missed == [set()]


def test_a_window_open_at_the_move_is_ended_before_a_delete_counts_as_applied(
    promoted: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = moving.move
    tries: list[datetime] = []

    def after_a_window_and_a_delete(*args: object, **kwargs: object) -> object:
        if not tries:
            head = promoted.write({"d6": "in the hands of a worker " * 4})
            with promoted.store.begin() as tx:  # a worker of the fallback begins with that
                name = promoted.release("v1").name
                tx.catchup.open_window(INDEX, name, bounds=[head], high=head)
            promoted.write({"d6": None})
        tries.append(promoted.clock.now())
        return real(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(moving, "move", after_a_window_and_a_delete)
    assert promoted.rollback().verified
    assert len(tries) == 2
    assert stored(promoted, "v1", "d6") == set()
    sound(promoted)


def test_a_rollback_that_died_with_its_fallback_gone_ends_by_being_abandoned(
    promoted: Stage,
) -> None:
    fuse = Fuse(5, after=False)
    dying = promoted.open(fuse=fuse)
    promoted.write({"new": "a fresh one"})
    with suppress(PowerCut):
        promoted.rollback(by=dying)
    promoted.kill(dying)
    with promoted.store.read() as view:
        standing = view.operations.unfinished(INDEX)
    assert standing is not None
    assert standing.step is Step.INTENDED
    promoted.backend.drop(promoted.release("v1").collection)
    _, left = reconcile.reconcile(promoted.session)
    assert len(left) == 1
    with promoted.store.read() as view:
        assert view.operations.unfinished(INDEX) is None
    assert active(promoted) == ("v2", 2)
    assert frozen(promoted) is None
