"""Moves as an operator sees them: what is printed, what the statuses say."""

from tests.unit.cli.conftest import Shell


def test_a_rollback_ends_with_one_line_that_says_it_all_and_the_question(shell: Shell) -> None:
    shell.promoted()
    said = shell.ok("rollback", "docs", "--reason", "worse answers")
    *_, all_of_it, question = said.splitlines()
    assert all_of_it.startswith("docs answers from v1 (epoch 3) · verified · ")
    assert question.endswith("repoint diagnose docs v2")
    assert "sampled-diff" in said
    status = shell.json("status", "docs")
    assert (status["active"], status["fallback"], status["frozen"]) == ("v1", None, False)


def test_a_second_rollback_is_refused_because_nothing_is_behind(shell: Shell) -> None:
    shell.promoted()
    shell.ok("rollback", "docs", "--reason", "worse")
    assert "no fallback" in shell.refused(3, "rollback", "docs", "--reason", "again")


def test_a_rollback_brings_later_writes_and_deletes_along(shell: Shell) -> None:
    shell.promoted()
    shell.ok("delete", "docs", "d1")
    shell.ok("ingest", "docs", shell.file("new.jsonl", '{"_id": "n", "text": "quokka"}\n'))
    shell.ok("rollback", "docs", "--reason", "worse")
    hits = shell.json("search", "docs", "quokka", "-k", "1")["hits"]
    assert isinstance(hits, list)
    assert isinstance(hits[0], dict)
    assert hits[0]["id"] == "n"
    assert shell.json("diff", "docs", "v1", "v2")["clean"] is True


def test_a_rollback_can_leave_the_index_frozen(shell: Shell) -> None:
    shell.promoted()
    said = shell.ok("rollback", "docs", "--reason", "worse", "--stay-frozen")
    assert "repoint unfreeze docs" in said
    assert shell.json("status", "docs")["frozen"] is True


def test_a_rollback_needs_a_reason(moved: Shell) -> None:
    assert "--reason" in moved.refused(2, "rollback", "docs")


def test_a_release_in_use_is_not_dropped_and_its_holders_are_named(moved: Shell) -> None:
    assert "it is active" in moved.refused(3, "drop", "docs", "v2")
    assert "fallback of v2" in moved.refused(3, "retire", "docs", "v1")


def test_the_soak_ends_and_the_old_release_can_be_dropped(shell: Shell) -> None:
    shell.promoted()
    assert "no longer its fallback" in shell.ok("accept", "docs", "v2")
    shell.ok("retire", "docs", "v1")
    shell.ok("drop", "docs", "v1")
    assert "dropped" in shell.ok("release", "list", "docs")


def test_history_names_every_move_with_its_reason(moved: Shell) -> None:
    said = moved.ok("history", "docs")
    assert "activate" in said
    assert "next" in said


def test_who_answers_is_said_in_the_first_line_of_status(moved: Shell) -> None:
    first = moved.ok("status", "docs").splitlines()[0]
    assert first == "docs: v2 answers (epoch 2), v1 is its fallback; the log is at 40"


def test_an_index_that_nobody_answers_for_says_so(docs: Shell) -> None:
    assert "nobody answers" in docs.ok("status", "docs")
    assert "nothing was promoted" in docs.refused(3, "route", "docs")
    assert "nothing was promoted" in docs.refused(3, "search", "docs", "x")


def test_a_clean_diff_ends_with_0(moved: Shell) -> None:
    assert "all agree" in moved.ok("diff", "docs", "v1", "v2")


def test_a_sync_that_its_budget_stops_ends_with_3_and_goes_on_later(docs: Shell) -> None:
    docs.ok("ingest", "docs", docs.corpus(40))
    spec = docs.file("v1.yaml", "model: {provider: hashing, dimensions: 16}\n")
    docs.ok("release", "create", "docs", "v1", "--spec", spec)
    result = docs.run("sync", "docs", "v1", "--budget-tokens", "50")
    assert result.exit_code == 3
    assert "stopped (budget)" in result.stdout
    assert "in step" in docs.ok("sync", "docs", "v1")


def test_a_plan_embeds_a_sample_and_moves_no_watermark(docs: Shell) -> None:
    docs.ok("ingest", "docs", docs.corpus(40))
    spec = docs.file("v1.yaml", "model: {provider: hashing, dimensions: 16}\n")
    docs.ok("release", "create", "docs", "v1", "--spec", spec)
    plan = docs.json("sync", "docs", "v1", "--plan")
    assert (plan["rows"], plan["watermark"]) == (40, 0)
    assert docs.json("status", "docs")["releases"] == {}


def test_a_throttle_is_rows_a_second_and_anything_else_a_misuse(moved: Shell) -> None:
    assert "200/s" in moved.refused(2, "sync", "docs", "v1", "--throttle", "fast")
    moved.ok("sync", "docs", "v1", "--throttle", "500/s")


def test_a_pause_and_a_resume_at_once_are_a_misuse(moved: Shell) -> None:
    moved.refused(2, "sync", "docs", "v1", "--pause", "--resume")
