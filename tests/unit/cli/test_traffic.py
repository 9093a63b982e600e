"""``repoint shadow`` as people type it."""

import pytest
from tests.unit.cli.conftest import OTHER_SPEC, Shell


@pytest.fixture
def candidate(shell: Shell) -> Shell:
    """v1 answers; v2 is in step with it."""
    shell.ok("init")
    shell.ok("index", "create", "docs")
    shell.ok("ingest", "docs", shell.corpus(40))
    shell.release("v1", "model: {provider: hashing, dimensions: 64}\n")
    shell.ok("promote", "docs", "v1")
    shell.release("v2", OTHER_SPEC)
    return shell


def test_a_shadow_is_begun_shown_and_ended(candidate: Shell) -> None:
    assert "no shadow" in candidate.ok("shadow", "docs")
    assert candidate.json("shadow", "docs", "v2", "--share", "50%")["shadow"]
    assert "v2 is asked 50 % of the live queries" in candidate.ok("shadow", "docs")
    assert "no longer" in candidate.ok("shadow", "docs", "--stop", "--reason", "enough")
    assert "had no shadow" in candidate.ok("shadow", "docs", "--stop")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["v2", "--share", "150%"], "no share"),
        (["v2", "--share", "half"], "no share"),
        (["v2", "--share", "0"], "a share of 0 is none"),
        (["v2", "--share", "nan"], "no share"),
        (["v2", "--stop"], "without naming"),
        (["v1"], "answers already"),
        (["v9"], "v9"),
    ],
)
def test_a_shadow_that_makes_no_sense_is_refused(
    candidate: Shell, args: list[str], says: str
) -> None:
    assert says in candidate.refused(3, "shadow", "docs", *args)
