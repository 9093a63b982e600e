"""How commands end: exit statuses by family, one sentence, a hint, never a trace."""

import json
import os

import pytest
from tests.unit.cli.conftest import GOOD_SPEC, OTHER_SPEC, Shell
from typer.testing import CliRunner

from repoint.cli import failures
from repoint.cli.app import app
from repoint.cli.door import Door, Settings, carry_out
from repoint.domain.errors import (
    BrokenAuditError,
    RefusedError,
    RepointError,
    StaleEpochError,
    StoreUnavailableError,
)


def _ended(error: BaseException) -> int:
    def fail() -> None:
        raise error

    return carry_out(Door(Settings(), program="test"), fail, "nothing was begun")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RefusedError("no"), 3),
        (StaleEpochError(index="docs", expected=1, found=2), 4),
        (StoreUnavailableError("locked"), 5),
        (BrokenAuditError(sequence=3, why="it was changed"), 6),
        (KeyboardInterrupt(), 130),
    ],
)
def test_an_error_s_family_decides_the_exit_status(error: BaseException, status: int) -> None:
    assert _ended(error) == status


def test_an_error_says_what_to_type_next(capsys: pytest.CaptureFixture[str]) -> None:
    _ended(RefusedError("it is held", hint="repoint hold lift docs v1"))
    assert capsys.readouterr().err == "repoint: it is held\n  -> repoint hold lift docs v1\n"


def test_ctrl_c_says_what_is_safe(capsys: pytest.CaptureFixture[str]) -> None:
    _ended(KeyboardInterrupt())
    assert "nothing was begun" in capsys.readouterr().err


def test_a_bug_names_the_file_with_its_trace(capsys: pytest.CaptureFixture[str]) -> None:
    assert _ended(KeyError("x")) == 1
    said = capsys.readouterr().err
    assert "this is a bug in repoint" in said
    assert "Traceback" not in said
    report = said.rsplit(" ", 1)[1].strip()
    with open(report, encoding="utf-8") as file:  # noqa: PTH123 - as a person would
        assert "KeyError: 'x'" in file.read()
    os.unlink(report)  # noqa: PTH108 - as above


def test_every_error_s_details_are_json() -> None:
    error = StaleEpochError(index="docs", expected=1, found=2)
    assert json.loads(json.dumps(failures.plain(dict(error.details())))) == {
        "index": "docs",
        "expected": 1,
        "found": 2,
    }
    assert isinstance(error, RepointError)


def test_a_folder_that_is_no_workspace_says_how_to_make_one(shell: Shell) -> None:
    assert f"repoint init {shell.home}" in shell.refused(3, "index", "list")


def test_a_workspace_is_made_once(shell: Shell) -> None:
    shell.ok("init")
    assert "already" in shell.refused(4, "init")


def test_home_and_json_are_taken_before_and_after_the_command(docs: Shell) -> None:
    home = str(docs.home)
    for args in (
        ["--home", home, "--json", "index", "list"],
        ["index", "list", "--home", home, "--json"],
    ):
        result = CliRunner().invoke(app, args)
        assert json.loads(result.stdout)["indexes"][0]["index"] == "docs"


def test_the_environment_names_the_workspace(docs: Shell) -> None:
    result = CliRunner(env={"REPOINT_HOME": str(docs.home)}).invoke(app, ["index", "list"])
    assert result.exit_code == 0


def test_an_unknown_field_in_a_filter_names_the_known_ones(moved: Shell) -> None:
    said = moved.refused(3, "search", "docs", "x", "--filter", "colour = 1")
    assert "'colour'" in said
    assert "fields: group, n" in said


def test_a_filter_that_cannot_be_read_names_the_character(moved: Shell) -> None:
    assert "character" in moved.refused(3, "search", "docs", "x", "--filter", "group = ")


def test_a_wrong_spec_names_file_line_and_field(docs: Shell) -> None:
    path = docs.file("v.yaml", "model:\n  provider: hashing\n  dimensions: many\n")
    said = docs.refused(3, "release", "create", "docs", "v1", "--spec", path)
    assert "v.yaml, line 3: model.dimensions" in said


def test_a_key_that_stands_twice_in_a_spec_is_refused(docs: Shell) -> None:
    path = docs.file("v.yaml", "model: {provider: hashing}\nmodel: {provider: hashing}\n")
    assert "line 2" in docs.refused(3, "release", "create", "docs", "v1", "--spec", path)


def test_a_second_promotion_needs_an_evaluation_or_a_reason_without(docs: Shell) -> None:
    docs.ok("ingest", "docs", docs.corpus(10))
    docs.release("v1", GOOD_SPEC)
    docs.ok("promote", "docs", "v1")
    docs.release("v2", OTHER_SPEC)
    assert "nobody measured v2" in docs.refused(3, "promote", "docs", "v2")
    assert docs.json("status", "docs")["active"] == "v1"


def test_a_frozen_index_refuses_to_move_forward_and_says_who_froze_it(docs: Shell) -> None:
    docs.ok("ingest", "docs", docs.corpus(3))
    docs.release("v1", GOOD_SPEC)
    docs.ok("freeze", "docs", "--reason", "incident 7")
    said = docs.refused(3, "promote", "docs", "v1")
    assert "incident 7" in said
    assert "repoint unfreeze docs" in said


def test_who_lacks_the_role_is_denied_and_told_what_is_needed(docs: Shell) -> None:
    docs.ok("roles", "grant", "bob", "viewer", "docs")
    said = docs.refused(3, "freeze", "docs", "--actor", "bob")
    assert "repoint roles grant bob operator docs" in said
    records = docs.json("audit", "list", "docs")["records"]
    assert isinstance(records, list)
    last = records[-1]
    assert isinstance(last, dict)
    assert (last["actor"], last["action"], last["outcome"]) == ("bob", "freeze", "denied")


def test_who_has_no_role_reads_neither_roles_nor_records(docs: Shell) -> None:
    docs.ok("roles", "grant", "bob", "viewer", "docs")
    for args in (["roles", "list"], ["audit", "list"], ["status", "docs"]):
        assert "eve may not read" in docs.refused(3, *args, "--actor", "eve")


def test_what_is_already_in_the_log_is_said_in_a_bad_line_s_json(docs: Shell) -> None:
    path = docs.file("bad.jsonl", "no json\n")
    error = json.loads(docs.refused(3, "ingest", "docs", path, "--json"))["error"]
    assert error["details"]["line"] == 1
    assert "0 documents before it are in the log" in error["details"]["notes"][0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_an_unavailable_store(shell: Shell) -> None:
    shell.folder.chmod(0o500)
    try:
        assert "cannot be made" in shell.refused(5, "init")
    finally:
        shell.folder.chmod(0o700)


def test_a_file_in_the_place_of_the_folder_is_an_unavailable_store(shell: Shell) -> None:
    shell.home.write_text("", encoding="utf-8")
    assert "cannot be made" in shell.refused(5, "init")
