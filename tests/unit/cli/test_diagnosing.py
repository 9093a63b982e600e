"""``repoint diagnose``, as a person types it after a rollback."""

import json
from pathlib import Path

import pytest
from tests.unit.cli.conftest import Shell
from tests.unit.cli.test_shapes import PROMISED, shape

WEAK = "model: {provider: hashing, dimensions: 2}\n"


def weakened(shell: Shell) -> Shell:
    """Let a weak model answer for an index."""
    shell.ok("init")
    shell.ok("index", "create", "docs")
    shell.ok("ingest", "docs", shell.corpus(40))
    shell.release("v1", "model: {provider: hashing, dimensions: 64}\n")
    shell.ok("promote", "docs", "v1", "--reason", "first")
    shell.release("v2", WEAK)
    shell.ok("promote", "docs", "v2", "--without-evaluation", "a test", "--reason", "next")
    return shell


@pytest.fixture
def failed(shell: Shell) -> Shell:
    """An index whose weak model answers, for this test alone."""
    return weakened(shell)


@pytest.fixture(scope="module")
def weak(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """The same for tests that only add reports."""
    return weakened(Shell(tmp_path_factory.mktemp("weak")))


def test_a_diagnosis_prints_the_shape_that_is_promised(weak: Shell) -> None:
    assert shape(weak.json("diagnose", "docs", "v2")) == PROMISED["diagnose"]


def test_a_rollback_ends_with_the_question_and_its_command(failed: Shell) -> None:
    said = failed.ok("rollback", "docs", "--reason", "worse")
    asked = "was the model bad, or was the migration incomplete? repoint diagnose docs v2"
    assert said.rstrip().splitlines()[-1] == f"  -> {asked}"
    assert asked in failed.ok("status", "docs")
    assert failed.json("status", "docs")["failed"] == "v2"
    failed.ok("diagnose", "docs", "v2")
    status = failed.ok("status", "docs")
    assert asked not in status
    assert "v2 was rolled back from: bad-model" in status
    assert "repoint diagnose docs v2 --last" in status


def test_it_answers_and_can_be_shown_again(failed: Shell) -> None:
    failed.ok("rollback", "docs", "--reason", "worse")
    said = failed.ok("diagnose", "docs", "v2")
    assert "the model was bad; the migration is not what made it worse" in said
    assert failed.ok("diagnose", "docs", "v2", "--last") == said
    again = failed.json("diagnose", "docs", "v2", "--last")
    assert (again["cause"], again["baseline"]) == ("bad-model", "v1")


def test_questions_may_come_from_a_file(weak: Shell) -> None:
    questions = weak.file(
        "asked.txt", "\n".join(f"number {n} is about topic" for n in range(40))
    )
    made = weak.json("diagnose", "docs", "v2", "--query-file", questions)
    assert made["asked"] == {
        "source": "asked.txt",
        "judged": False,
        "questions": 40,
        "filter": "",
    }
    assert "nobody judged" in json.dumps(made["causes"])


def test_the_page_holds_what_was_found_and_escapes_it(weak: Shell, tmp_path: Path) -> None:
    name = "<script>alert(1)</script>.txt"
    questions = weak.file("q.txt", "number 3 is about topic 3\nnumber 5 is about topic 5\n")
    evil = tmp_path / "x" / name.replace("/", "_")
    evil.parent.mkdir()
    evil.write_text(Path(questions).read_text(encoding="utf-8"), encoding="utf-8")
    page = tmp_path / "why.html"
    weak.ok("diagnose", "docs", "v2", "--query-file", str(evil), "--html", str(page))
    html = page.read_text(encoding="utf-8")
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "http" not in html.replace("http-equiv", "")
    assert "Was the model bad" in html


def test_a_page_that_cannot_be_written_is_said_so(weak: Shell, tmp_path: Path) -> None:
    where = str(tmp_path / "nosuch" / "why.html")
    assert "cannot be written" in weak.refused(3, "diagnose", "docs", "v2", "--html", where)


def test_what_it_would_take_comes_first(failed: Shell) -> None:
    said = failed.ok("diagnose", "docs", "v2", "--plan", "--budget-texts", "100")
    assert "at most 80 questions and 100 texts to embed" in said
    assert "no such diagnosis" not in said
    assert "repoint diagnose docs v2" in failed.refused(3, "diagnose", "docs", "v2", "--last")


def test_a_price_is_said_before_it_is_paid(failed: Shell) -> None:
    failed.release(
        "v3",
        "model: {provider: hashing, dimensions: 64, price_per_million_tokens: 2.0}\n"
        "min_score: 0.99\n",
    )
    result = failed.run("diagnose", "docs", "v3", "--baseline", "v1")
    assert result.exit_code == 0
    assert "this costs at most" in result.stderr
    assert "by the price in the spec" in result.stdout
    assert "cut-off" in result.stdout


@pytest.mark.parametrize(
    ("args", "status", "says"),
    [
        (["docs", "v2", "--queries", "a", "--query-file", "b"], 2, "two ways"),
        (["docs", "v2", "--plan", "--last"], 2, "--last"),
        (["docs", "v2", "-k", "0"], 2, "-k"),
        (["docs", "v9"], 3, "v9"),
        (["docs", "v2", "--baseline", "v2"], 3, "itself"),
        (["docs", "v2", "--queries", "nosuch"], 3, "nosuch"),
        (["docs", "v2", "--query-file", "/nosuch.txt"], 3, "nosuch.txt"),
        (["docs", "v2", "--filter", "nosuch = 1"], 3, "nosuch"),
        (["docs", "v2", "--filter", "group ="], 3, "group"),
    ],
)
def test_what_makes_no_sense_is_refused(
    weak: Shell, args: list[str], status: int, says: str
) -> None:
    assert says in weak.refused(status, "diagnose", *args)
