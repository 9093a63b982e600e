"""A collection that someone changed behind repoint's back: found, said, repaired."""

import pytest
from tests.unit.cli.conftest import Shell

from repoint.client import Repoint
from repoint.domain.ids import DocumentId


def _lose(shell: Shell, release: str, count: int) -> None:
    """Delete documents from a collection without telling the log."""
    with Repoint.open(shell.home) as opened:
        space = opened.session.spaces.open(opened.index("docs").release(release))
        space.collection.purge([DocumentId(f"d{number}") for number in range(count)])


@pytest.fixture
def broken(shell: Shell) -> Shell:
    """An index whose fallback v1 has lost every document."""
    shell.promoted()
    _lose(shell, "v1", 40)
    return shell


def test_a_diff_that_is_not_clean_ends_with_3_and_names_what_is_missing(broken: Shell) -> None:
    result = broken.run("diff", "docs", "v1")
    assert result.exit_code == 3
    assert "40 missing" in result.stdout
    assert "repoint diff docs v1 --repair" in result.stdout


def test_a_repair_makes_it_clean_again(broken: Shell) -> None:
    assert broken.json("diff", "docs", "v1", "--repair")["repaired"] == [40]
    assert broken.json("diff", "docs", "v1", "v2")["clean"] is True


def test_a_check_with_a_failed_item_ends_with_3(broken: Shell) -> None:
    result = broken.run("check", "docs")
    assert result.exit_code == 3
    assert "fallback:sampled-diff" in result.stdout


def test_a_rollback_that_does_not_verify_says_so_stays_frozen_and_ends_with_3(
    broken: Shell,
) -> None:
    result = broken.run("rollback", "docs", "--reason", "worse")
    assert result.exit_code == 3
    assert "NOT VERIFIED" in result.stdout.splitlines()[-2]
    status = broken.json("status", "docs")
    assert (status["active"], status["frozen"]) == ("v1", True)
