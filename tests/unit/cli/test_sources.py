"""``repoint source`` as people type it, and as a process that is killed."""

import sqlite3
from contextlib import closing

import pytest
from tests.unit.cli.conftest import Shell
from tests.unit.cli.test_routes import ENOUGH_S, started

from repoint.client import Repoint
from repoint.wiring.clock import SystemClock


@pytest.fixture
def crm(docs: Shell) -> Shell:
    """An index with a source of 3,000 rows."""
    with closing(sqlite3.connect(docs.folder / "crm.db")) as line, line:
        line.execute("CREATE TABLE articles (id INTEGER PRIMARY KEY, body TEXT, version INT)")
        line.executemany(
            "INSERT INTO articles VALUES (?, ?, ?)",
            ((number, f"body {number}", number) for number in range(3000)),
        )
    docs.ok(
        *("source", "add", "docs", "crm", "--sql", f"sqlite:///{docs.folder}/crm.db"),
        *("--table", "articles", "--text", "body", "--version-column", "version"),
    )
    return docs


def test_a_source_is_added_polled_shown_and_forgotten(crm: Shell) -> None:
    polled = crm.json("source", "poll", "docs")["polls"]
    assert isinstance(polled, list)
    assert isinstance(polled[0], dict)
    assert polled[0]["written"] == 3000
    assert "3,000 written" in crm.ok("source", "list", "docs")
    assert "documents   3,000" in crm.ok("source", "show", "docs", "crm")
    assert crm.json("source", "remove", "docs", "crm")["documents"] == 3000
    assert "has no source" in crm.ok("source", "list", "docs")
    assert "has no source" in crm.ok("source", "poll", "docs")


def test_a_row_that_was_left_out_ends_with_3(crm: Shell) -> None:
    with closing(sqlite3.connect(crm.folder / "crm.db")) as line, line:
        line.execute("UPDATE articles SET body = x'00' WHERE id = 5")
    result = crm.run("source", "poll", "docs")
    assert result.exit_code == 3
    assert "left out: 5: column 'body'" in result.stdout


@pytest.mark.parametrize(
    "args",
    [
        ("source", "add", "docs", "x"),
        ("source", "add", "docs", "x", "--sql", "a", "--files", "b"),
        ("source", "poll", "docs", "--every", "soon"),
        ("source", "poll", "docs", "--every", "0"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_refused(
    crm: Shell, args: tuple[str, ...]
) -> None:
    crm.refused(2, *args)


def test_watched_a_change_arrives_and_a_kill_loses_nothing(crm: Shell) -> None:
    clock = SystemClock()
    with Repoint.open(crm.home) as opened:
        index = opened.index("docs")

        def head() -> int:
            return index.status().head

        def until(number: int) -> None:
            deadline = clock.monotonic() + ENOUGH_S
            while head() < number:
                assert clock.monotonic() < deadline
                clock.sleep(0.01)

        args = ("source", "poll", "docs", "--watch", "--every", "0.1s")
        with started(crm, *args, killed=True) as process:
            until(500)
            process.kill()  # in the middle of the first poll
            process.wait()
        with started(crm, *args):
            until(3000)
            with closing(sqlite3.connect(crm.folder / "crm.db")) as line, line:
                line.execute("UPDATE articles SET body = 'new', version = 3001 WHERE id = 7")
            until(3001)
        assert head() == 3001  # every row once, and one change


def test_content_by_reference_stays_with_the_source(crm: Shell) -> None:
    crm.ok(
        *("source", "add", "docs", "letters", "--sql", f"sqlite:///{crm.folder}/crm.db"),
        *("--table", "articles", "--text", "body", "--version-column", "version"),
        *("--content", "reference"),
    )
    assert "by reference" in crm.ok("source", "show", "docs", "letters")
    read = crm.json("source", "poll", "docs", "letters", "--id", "7", "--id", "8")["polls"]
    assert isinstance(read, list)
    assert isinstance(read[0], dict)
    assert read[0]["written"] == 2
    assert "alone has the content of 2" in crm.refused(3, "source", "remove", "docs", "letters")
    for args in (
        ("poll", "docs", "--id", "7"),
        ("poll", "docs", "letters", "--id", "7", "--sweep"),
    ):
        crm.refused(2, "source", *args)
