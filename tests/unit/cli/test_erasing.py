"""``repoint erase``, as a person types it, on a real workspace."""

import json
from pathlib import Path

from tests.unit.cli.conftest import Shell

TEXT = "Frau Zwetschgenbaum lives in the Kirschallee. She has a rare illness, they say."


def people(shell: Shell) -> None:
    """Bring an index with two people's documents through an update and its rollback."""
    lines = [
        json.dumps(
            {
                "_id": f"person-{number:04}",
                "title": f"File {number}",
                "text": TEXT if number in {3, 4} else f"somebody {number} lives elsewhere",
                "metadata": {"mail": f"somebody-number-{number}@example.org"},
            }
        )
        for number in range(40)
    ]
    shell.ok("init")
    shell.ok("index", "create", "docs")
    shell.ok("ingest", "docs", shell.file("people.jsonl", "\n".join(lines)))
    shell.release("v1", "model: {provider: hashing, dimensions: 64}\nhybrid: {}\n")
    shell.ok("promote", "docs", "v1")
    shell.release("v2", "model: {provider: hashing, dimensions: 32}\n")
    shell.ok("queries", "known-items", "docs", "items", "--count", "40")
    shell.ok("promote", "docs", "v2", "--without-evaluation", "a test")
    shell.ok("rollback", "docs", "--reason", "worse")
    shell.run("evaluate", "docs", "v2", "--queries", "items", "--save-as", "june")


def holding(folder: Path, text: str) -> list[str]:
    return [
        str(file.relative_to(folder))
        for file in folder.rglob("*")
        if file.is_file() and text.encode() in file.read_bytes()
    ]


def test_nothing_of_an_erased_document_is_in_any_file_of_the_workspace(shell: Shell) -> None:
    people(shell)
    gone = ("Zwetschgenbaum", "somebody-number-3@example.org", "somebody-number-4@example.org")
    assert all(holding(shell.home, text) for text in gone)
    assert holding(shell.home, "somebody-number-5@example.org")

    said = shell.ok("erase", "docs", "person-0003", "person-0004", "--reason", "request 118")

    for text in gone:
        assert holding(shell.home, text) == [], text
    assert holding(shell.home, "somebody-number-5@example.org")
    assert "2 documents erased · nothing of them was found" in said
    assert "out of reach: backups" in said
    assert "person-0003" not in shell.ok("search", "docs", "Zwetschgenbaum", "-k", "40")
    assert json.loads(shell.ok("audit", "list", "docs", "--json"))
    shell.ok("audit", "verify")
    shell.ok("diff", "docs", "v1")
    shell.ok("diff", "docs", "v2")
    shell.ok("runs", "show", "docs", "june")


def test_ids_come_from_a_file_or_from_standard_input(docs: Shell) -> None:
    docs.ok("ingest", "docs", docs.corpus(6))
    ids = docs.file("ids.txt", "d1\nd2\n\n")

    assert "2 documents" in docs.ok("erase", "docs", "--ids-file", ids, "--reason", "r")
    said = docs.ok("erase", "docs", "d3", "--ids-file", "-", "--reason", "r", stdin="d4\n")
    assert "2 documents" in said
    assert "no id" in docs.refused(
        3, "erase", "docs", "--ids-file", docs.file("no.txt", "\n"), "--reason", "r"
    )
    assert "cannot be read" in docs.refused(
        3, "erase", "docs", "--ids-file", "nosuch.txt", "--reason", "r"
    )


def test_what_is_missing_is_said(docs: Shell) -> None:
    assert "needs a reason" in docs.refused(3, "erase", "docs", "d1")
    assert "no erasure of docs is unfinished" in docs.ok("erase", "docs")
    assert "no index 'nosuch'" in docs.refused(3, "erase", "nosuch", "d1", "--reason", "r")


def test_an_unproven_erasure_ends_with_3_and_is_finished_without_ids(shell: Shell) -> None:
    people(shell)
    left = shell.home / "evidence" / "bundle.bin"
    left.write_bytes(b"\xff" + TEXT.encode())

    result = shell.run("erase", "docs", "person-0003", "--reason", "request 118")
    assert result.exit_code == 3
    assert "NOT PROVEN" in result.stdout
    assert "bundle.bin" in result.stdout

    left.unlink()
    assert "nothing of them was found" in shell.ok("erase", "docs")
    assert "no erasure of docs is unfinished" in shell.ok("erase", "docs")
