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


def test_a_canary_is_begun_grown_shown_and_ended(candidate: Shell) -> None:
    assert "has no canary" in candidate.ok("canary", "docs")
    candidate.ok("canary", "docs", "v2", "--share", "5%", "--reason", "first users")
    said = candidate.ok("canary", "docs", "v2", "--share", "0.2", "--tenant", "acme=100%")
    assert "20 % of the keys are answered by it; of acme: 100 % (epoch 3)" in said
    assert "no difference yet" in candidate.ok("canary", "docs")
    assert "v2 is its canary at 20 %" in candidate.ok("status", "docs")
    assert "v1, v2 20 %" in candidate.ok("history", "docs")
    pinned = candidate.json("search", "docs", "number", "--key", "u1", "--tenant", "acme")
    assert (pinned["release"], pinned["arm"], pinned["answer"]) == ("v2", "pinned", None)
    assert "active release alone" in candidate.ok("canary", "docs", "--stop")


def test_feedback_is_given_by_an_answer_s_id(candidate: Shell) -> None:
    candidate.ok("canary", "docs", "v2", "--share", "100%", "--interleave")
    answer = str(candidate.json("search", "docs", "number 3", "--key", "u1")["answer"])
    assert "counted" in candidate.ok("feedback", "docs", answer, "--grade", "d3=2")
    assert "not counted" in candidate.ok("feedback", "docs", answer, "--clicked", "d3")
    assert "no id" in candidate.refused(3, "feedback", "docs", "made-up")
    for grade in ("d3", "d3=good", "d3=-1", "=2"):
        candidate.refused(3, "feedback", "docs", answer, "--grade", grade)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["v2"], "needs a share"),
        (["v2", "--share", "101%"], "no share"),
        (["v2", "--share", "0%"], "nobody"),
        (["v2", "--share", "5%", "--tenant", "acme"], "not of the form"),
        (["v2", "--share", "5%", "--tenant", "a=1%", "--tenant", "a=2%"], "twice"),
        (["v2", "--stop"], "without naming"),
        (["--stop"], "no canary"),
        (["v1", "--share", "5%"], "already active"),
    ],
)
def test_a_canary_that_makes_no_sense_is_refused(
    candidate: Shell, args: list[str], says: str
) -> None:
    assert says in candidate.refused(3, "canary", "docs", *args)
