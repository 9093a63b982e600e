"""A rendered file is compared with the pointer wherever the checklist is gone through."""

from dataclasses import replace

import pytest

from repoint.domain.ids import Epoch
from repoint.domain.readiness import Finding, Status
from repoint.domain.rendering import RenderFormat
from repoint.operations import check, renderings
from repoint.operations.route_watch import service_route
from repoint.testing.stage import INDEX, Stage

PATH = "/srv/route.json"


@pytest.fixture
def rendered(promoted: Stage) -> Stage:
    """A file of this machine that holds v2, as the pointer does."""
    route = service_route(promoted.session, INDEX)
    promoted.host.files[PATH] = "as rendered"
    renderings.record(
        promoted.session, route, path=PATH, format_=RenderFormat.JSON, digest="as rendered"
    )
    return promoted


def finding(stage: Stage) -> Finding:
    (found,) = [one for one in check.check(stage.session, INDEX) if one.check == "rendered"]
    return found


def test_a_file_that_holds_what_answers_is_fine(rendered: Stage) -> None:
    assert finding(rendered).status is Status.OK


def test_a_file_behind_a_move_fails(rendered: Stage) -> None:
    rendered.rollback()
    found = finding(rendered)
    assert found.status is Status.FAILED
    assert "still holds v2 (epoch 2), not v1 (epoch 3)" in found.summary


def test_a_file_that_is_only_an_epoch_behind_is_a_warning(rendered: Stage) -> None:
    rendered.accept("v2")
    assert finding(rendered).status is Status.WARNING


@pytest.mark.parametrize("digest", ["by hand", None])
def test_a_file_that_was_changed_or_is_gone_fails(rendered: Stage, digest: str | None) -> None:
    rendered.host.files.clear()
    if digest is not None:
        rendered.host.files[PATH] = digest
    assert finding(rendered).status is Status.FAILED


def test_a_file_of_another_machine_is_judged_by_its_record(rendered: Stage) -> None:
    with rendered.store.begin() as tx:
        (one,) = tx.renderings.all(INDEX)
        tx.renderings.forget(INDEX, host=one.host, path=one.path)
        tx.renderings.put(replace(one, host="elsewhere", digest="nobody can look"))
    assert finding(rendered).status is Status.OK
    with rendered.store.begin() as tx:
        tx.renderings.put(replace(one, host="elsewhere", epoch=Epoch(1)))
    assert finding(rendered).status is Status.WARNING


def test_a_file_in_doubt_fails_until_its_reader_was_told(rendered: Stage) -> None:
    (one,) = renderings.recorded(rendered.session, INDEX)
    renderings.doubt(rendered.session, one)
    assert finding(rendered).status is Status.FAILED


def test_a_file_that_is_forgotten_is_looked_at_no_longer(rendered: Stage) -> None:
    assert renderings.forget(rendered.session, INDEX, path=PATH)
    assert [
        one for one in check.check(rendered.session, INDEX) if one.check == "rendered"
    ] == []
