"""Turning a shadow on and off: who may, of what, and what it keeps from being deleted."""

import pytest

from repoint.domain.access import Role
from repoint.domain.errors import (
    BadInputError,
    FrozenError,
    HeldError,
    NotFoundError,
    NotPermittedError,
    RefusedError,
)
from repoint.domain.ids import Actor, ReleaseName
from repoint.operations import ending, freeze, shadow
from repoint.testing.stage import INDEX, Stage

V1, V2, V3 = (ReleaseName(name) for name in ("v1", "v2", "v3"))


def start(stage: Stage, name: ReleaseName = V2, *, share: float = 0.5) -> None:
    shadow.start(stage.session, INDEX, name, share=share, reason="try it")


def test_a_shadow_stands_until_it_is_ended_and_both_are_on_record(stage: Stage) -> None:
    start(stage)
    standing = shadow.show(stage.session, INDEX)
    assert standing is not None
    assert (standing.release, standing.share, standing.reason) == (V2, 0.5, "try it")

    start(stage, share=1.0)  # in place of the other
    assert shadow.stop(stage.session, INDEX, reason="enough") is not None
    assert shadow.stop(stage.session, INDEX, reason="again") is None

    assert shadow.show(stage.session, INDEX) is None
    with stage.store.read() as view:
        records = [one for one in view.audit.records(index=INDEX) if one.action == "shadow"]
    assert [one.details["share"] for one in records] == [0.5, 1.0, 0.0]


@pytest.mark.parametrize("share", [0.0, -0.1, 1.01])
def test_a_share_that_is_none_is_refused(stage: Stage, share: float) -> None:
    with pytest.raises(BadInputError, match="share"):
        start(stage, share=share)


def test_only_a_live_release_that_does_not_answer_is_shadowed(stage: Stage) -> None:
    stage.create("v3", seed=3)
    for name in (V1, V3):
        with pytest.raises(RefusedError):
            start(stage, name)
    with pytest.raises(NotFoundError):
        start(stage, ReleaseName("v9"))
    assert shadow.show(stage.session, INDEX) is None


def test_a_freeze_lets_no_shadow_begin_and_lets_one_end(stage: Stage) -> None:
    start(stage)
    freeze.freeze(stage.session, INDEX, reason="incident")
    with pytest.raises(FrozenError):
        start(stage)
    assert shadow.stop(stage.session, INDEX, reason="quiet") is not None


def test_who_may_not_changes_nothing_and_is_on_record(stage: Stage) -> None:
    with stage.store.begin() as tx:
        tx.access.grant(Actor("ana"), Role.ADMIN, None)
        tx.access.grant(Actor("wim"), Role.WRITER, None)
    writer = stage.open(Actor("wim"), is_owner=False)
    start(stage)
    with pytest.raises(NotPermittedError):
        shadow.start(writer, INDEX, V2, share=1.0, reason="me too")
    with pytest.raises(NotPermittedError):
        shadow.stop(writer, INDEX, reason="me too")
    standing = shadow.show(writer, INDEX)
    assert standing is not None
    assert standing.share == 0.5
    with stage.store.read() as view:
        denied = [one for one in view.audit.records() if one.outcome == "denied"]
    assert [one.action for one in denied] == ["shadow", "shadow"]


def test_a_release_that_is_shadowed_is_not_retired(stage: Stage) -> None:
    start(stage)
    ending.abort(stage.session, INDEX, reason="not now")
    with pytest.raises(HeldError, match="shadow docs --stop"):
        stage.retire("v2")
    shadow.stop(stage.session, INDEX, reason="enough")
    stage.retire("v2")
